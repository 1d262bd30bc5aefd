"""How similar respondents are found in this run: one row per survey, setting and network."""

from lupom.science import neighbours


def model(lupom):
    return neighbours.retrieval_settings(
        lupom.ref("retrieval").to_arrow_table().to_pylist(),
        lupom.ref("persona_networks"),
        lupom.ref("prediction_settings"),
        chosen=lupom.var("retrieval", "default"),
        # What a blank field of seeds/retrieval.csv says.
        default=neighbours.Setting(
            encoding=lupom.var("neighbour_encoding", "onehot"),
            k=lupom.var("neighbours", 20),
            max_skew=lupom.var("neighbour_max_skew", 10),
            demographics=lupom.var("neighbour_demographics", []),
            demographic_weight=lupom.var("neighbour_demographic_weight", 1),
        ),
    )
