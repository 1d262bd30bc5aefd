"""Differences between every two predictors on the same pairs, with paired tests."""

from lupom.science.evaluation import comparisons


def model(lupom):
    lupom.config(tags=["holdout"])
    return comparisons.comparisons(
        lupom.ref("scores"),
        seed=lupom.var("seed", 1),
        resamples=lupom.var("bootstrap_resamples", 1000),
    )
