"""Metrics of every predictor, with bootstrap intervals clustered on respondents."""

from lupom.science.evaluation import metrics


def model(lupom):
    lupom.config(tags=["holdout"])
    return metrics.metrics(
        lupom.ref("scores"),
        seed=lupom.var("seed", 1),
        resamples=lupom.var("bootstrap_resamples", 1000),
        ceiling=lupom.var("retest_ceiling", None),
        through=lupom.map,
    )
