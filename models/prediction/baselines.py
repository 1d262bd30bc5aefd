"""Predictions of the held-out pairs by predictors that need no LLM."""

from lupom.science.predictors import baselines


def model(lupom):
    known = lupom.ref("known_responses")
    return baselines.predict(
        known,
        known.filter("role in ('test', 'tuning')"),
        lupom.ref("respondents"),
        lupom.ref("questions"),
        seed=lupom.var("seed", 1),
        group=lupom.var("majority_group", []),
    )
