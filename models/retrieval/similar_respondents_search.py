"""Retrieval settings and how well each predicts the tuning pairs; the best is marked."""

from lupom.science import neighbours


def model(lupom):
    settings = neighbours.settings_of(
        lupom.ref("retrieval").to_arrow_table().to_pylist(),
        [name for (name,) in lupom.ref("questions").select("survey").distinct().fetchall()],
        lupom.var("retrieval", "default"),
        neighbours.Setting(
            encoding=lupom.var("neighbour_encoding", "onehot"),
            k=lupom.var("neighbours", 20),
            max_skew=lupom.var("neighbour_max_skew", 10),
            demographics=lupom.var("neighbour_demographics", []),
            demographic_weight=lupom.var("neighbour_demographic_weight", 1),
        ),
    )
    inputs = neighbours.Inputs(
        values=lupom.ref("refined_persona_values"),
        dimensions=lupom.ref("persona_dimensions"),
        roles=lupom.ref("retrieval_respondents"),
        attributes=lupom.ref("respondents"),
        known=lupom.ref("known_responses").filter("status = 'answered'"),
        questions=lupom.ref("questions"),
        embed=lambda texts: lupom.embed(texts),
        method=lupom.var("neighbour_method", "auto"),
    )
    return neighbours.search_settings(
        inputs,
        lupom.ref("tuning_answers"),
        settings,
        grid=lupom.var("retrieval_search", {}),
        criterion=lupom.var("retrieval_criterion", "accuracy"),
    )
