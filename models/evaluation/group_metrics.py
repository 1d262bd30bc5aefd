"""Metrics for each group of respondents, and the gaps between groups."""

from lupom.science.evaluation import groups


def model(lupom):
    lupom.config(tags=["holdout"])
    return groups.group_metrics(
        lupom.ref("scores"),
        lupom.ref("respondents"),
        attributes=lupom.var("group_attributes", None),
        seed=lupom.var("seed", 1),
        resamples=lupom.var("group_resamples", 200),
    )
