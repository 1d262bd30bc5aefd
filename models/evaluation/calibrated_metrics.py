"""Metrics of LLMs' answers without a distribution, as the distributions they are worth."""

from lupom.science.evaluation import metrics, scores


def model(lupom):
    lupom.config(tags=["holdout"])
    scored = scores.score(
        lupom.ref("calibrated_predictions"),
        lupom.ref("holdout"),
        lupom.ref("questions"),
        lupom.ref("llm_pairs"),
        lupom.ref("respondents"),
    )
    return metrics.metrics(
        scored,
        seed=lupom.var("seed", 1),
        resamples=lupom.var("bootstrap_resamples", 1000),
        ceiling=lupom.var("retest_ceiling", None),
        through=lupom.map,
    )
