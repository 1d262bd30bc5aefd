"""Metrics by the value of each attribute, and the gaps between groups."""

from lupom.science.evaluation import groups


def model(lupom):
    lupom.config(tags=["holdout"])
    return groups.group_metrics(
        lupom.ref("scores"),
        lupom.ref("respondents"),
        attributes=lupom.var("evaluation_attributes", []),
        seed=lupom.var("seed", 1),
        resamples=lupom.var("bootstrap_resamples", 1000),
        ceiling=lupom.var("retest_ceiling", None),
    )
