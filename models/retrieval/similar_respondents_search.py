"""Retrieval settings and how well each predicts the tuning pairs; the best is marked."""

from lupom.science import neighbours


def model(lupom):
    inputs = neighbours.Inputs(
        values=lupom.ref("refined_persona_values").select(
            "survey, network, respondent_id, dimension_id, "
            "value, raw_probability, refined_value, probability"
        ),
        dimensions=lupom.ref("persona_dimensions"),
        roles=lupom.ref("retrieval_respondents"),
        attributes=lupom.ref("respondents"),
        known=lupom.ref("known_responses").filter("status = 'answered'"),
        questions=lupom.ref("questions"),
        embed=lambda texts: lupom.embed(texts),
        method=lupom.var("neighbour_method", "auto"),
        candidates=lupom.var("neighbour_candidates", 20_000),
        seed=lupom.var("seed", 1),
        through=lupom.map,
    )
    return neighbours.search_settings(
        inputs,
        lupom.ref("tuning_answers"),
        lupom.ref("retrieval_settings"),
        networks=lupom.ref("persona_networks"),
        grid=lupom.var("retrieval_search", {}),
        criterion=lupom.var("retrieval_criterion", "accuracy"),
    )
