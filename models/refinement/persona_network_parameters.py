"""The probabilities of each survey's persona network: one row per value and configuration."""

from lupom.science import bayes


def model(lupom):
    return bayes.network_parameters(
        lupom.ref("persona_values"),
        lupom.ref("persona_dimensions"),
        lupom.ref("persona_network_edges"),
        score=lupom.var("network_score", "bds"),
        iss=lupom.var("network_iss", 10),
        missing=lupom.var("network_missing", "em"),
        seed=lupom.var("seed", 1),
    )
