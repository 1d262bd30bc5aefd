"""What the stack makes of each predictor."""

from lupom.science.predictors import stack


def model(lupom):
    return stack.weights(
        lupom.ref("baselines"),
        lupom.ref("predictions"),
        lupom.ref("tuning_answers"),
        lupom.ref("questions"),
        personas=lupom.ref("persona_predictions"),
        seed=lupom.var("seed", 1),
    )
