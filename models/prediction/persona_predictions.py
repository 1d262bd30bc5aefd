"""Predictions of the held-out pairs by the persona network."""

from lupom.science.predictors import personas


def model(lupom):
    # Where there are options, as in baselines.
    closed = lupom.ref("closed_questions")
    known = lupom.ref("known_responses").join(closed, "survey, question_id", how="semi")
    default = lupom.ref("persona_networks").filter("is_default").select("survey, network")
    return personas.predict(
        known,
        known.filter("role in ('test', 'tuning')"),
        lupom.ref("respondents"),
        closed,
        lupom.ref("refined_persona_values").join(default, "survey, network", how="semi"),
        lupom.ref("persona_dimensions"),
        lupom.ref("persona_network_edges").join(default, "survey, network", how="semi"),
        # Of very many people learning_respondents are a draw, in which few have a persona.
        learners=lupom.ref("respondents") if lupom.var("learn_from_tested", True) else None,
    )
