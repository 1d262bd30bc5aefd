"""Predictions of the held-out pairs by the persona network."""

from lupom.science.predictors import personas


def model(lupom):
    known = lupom.ref("known_responses")
    return personas.predict(
        known,
        known.filter("role in ('test', 'tuning')"),
        lupom.ref("respondents"),
        lupom.ref("questions"),
        lupom.ref("refined_persona_values"),
        lupom.ref("persona_dimensions"),
        lupom.ref("persona_network_edges"),
    )
