"""What the stack makes of each predictor."""

from lupom.science.predictors import stack


def model(lupom):
    # Numbers and texts have no distribution over options to combine.
    closed = lupom.ref("closed_questions")
    predictions = lupom.ref("predictions").join(closed, "survey, question_id", how="semi")
    return stack.weights(
        lupom.ref("baselines"),
        predictions,
        lupom.ref("tuning_answers"),
        lupom.ref("questions"),
        personas=lupom.ref("persona_predictions"),
        seed=lupom.var("seed", 1),
    )
