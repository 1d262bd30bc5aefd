"""The reference respondents whose refined personas are most like each respondent's."""

from lupom.science import neighbours


def model(lupom):
    return neighbours.similar_respondents(
        lupom.ref("refined_persona_values"),
        lupom.ref("persona_dimensions"),
        lupom.ref("llm_respondents"),
        lupom.ref("respondents"),
        k=lupom.var("neighbours", 20),
        encoding=lupom.var("neighbour_encoding", "onehot"),
        max_skew=lupom.var("neighbour_max_skew", 10),
        demographics=lupom.var("neighbour_demographics", []),
        demographic_weight=lupom.var("neighbour_demographic_weight", 1),
    )
