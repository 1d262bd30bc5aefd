"""The combination's weights and its sets' thresholds, kept: `lupom predict` asks them."""

from lupom.science.predictors import new_people


def model(lupom):
    return new_people.fit_stack(
        lupom.ref("baselines"),
        lupom.ref("tuning_answers"),
        lupom.ref("closed_questions"),
        seed=lupom.var("seed", 1),
        level=lupom.var("set_level", 0.9),
    )
