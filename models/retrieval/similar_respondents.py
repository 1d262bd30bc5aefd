"""The reference respondents most like each respondent, by the survey's retrieval setting."""

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
    # A setting that says 'tuned' is what the search chose; any other stands as it is.
    settings = neighbours.tuned_settings(settings, lupom.ref("similar_respondents_search"))
    return neighbours.similar_respondents(inputs, settings)
