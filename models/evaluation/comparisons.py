"""Differences between predictors on the same pairs: paired tests, corrected for their number."""

from lupom.science.evaluation import comparisons


def model(lupom):
    lupom.config(tags=["holdout"])
    return comparisons.comparisons(
        lupom.ref("scores"),
        seed=lupom.var("seed", 1),
        resamples=lupom.var("bootstrap_resamples", 1000),
    )
