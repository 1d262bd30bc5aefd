"""Predictions of the test pairs by predictors that need no LLM."""

from lupom.science.predictors import baselines


def model(lupom):
    known = lupom.ref("known_responses")
    return baselines.predict(
        known,
        known.filter("role = 'test'"),
        lupom.ref("respondents"),
        lupom.ref("questions"),
        seed=lupom.var("seed", 1),
    )
