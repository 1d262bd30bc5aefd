"""What LLMs' answers without a distribution are worth as distributions, learned on tuning pairs."""

from lupom.science.predictors import stack


def model(lupom):
    closed = lupom.ref("closed_questions")
    return stack.calibrated(
        lupom.ref("predictions").join(closed, "survey, question_id", how="semi"),
        lupom.ref("baselines"),
        lupom.ref("tuning_answers"),
        lupom.ref("questions"),
        seed=lupom.var("seed", 1),
    )
