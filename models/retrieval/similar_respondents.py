"""The reference respondents most like each respondent, by each retrieval setting of the run."""

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
    return neighbours.similar_respondents_in_parts(
        inputs,
        lupom.ref("retrieval_settings"),
        # A setting that says 'tuned' is what the search chose; any other stands as it is.
        lupom.ref("similar_respondents_search"),
    )
