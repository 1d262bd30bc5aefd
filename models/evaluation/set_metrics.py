"""How often prediction sets hold the answer, by question and group."""

from lupom.science.evaluation import coverage


def model(lupom):
    lupom.config(tags=["holdout"])
    return coverage.set_metrics(
        lupom.ref("prediction_sets"),
        lupom.ref("holdout"),
        lupom.ref("respondents"),
        attributes=lupom.var("group_attributes", None),
    )
