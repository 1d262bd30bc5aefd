"""What the stack makes of each predictor."""

from lupom.science.predictors import stack


def model(lupom):
    closed = lupom.ref("questions").filter("kind not in ('numeric', 'text')")
    predictions = lupom.ref("predictions").join(
        closed.select("survey, question_id"), "survey, question_id", how="semi"
    )
    return stack.weights(
        lupom.ref("baselines"),
        predictions,
        lupom.ref("tuning_answers"),
        lupom.ref("questions"),
        personas=lupom.ref("persona_predictions"),
        seed=lupom.var("seed", 1),
    )
