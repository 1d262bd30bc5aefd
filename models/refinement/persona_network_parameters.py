"""The probabilities of each survey's persona networks: one row per value and configuration."""

from lupom.science import bayes


def model(lupom):
    return bayes.network_parameters(
        lupom.ref("persona_values"),
        lupom.ref("persona_dimensions"),
        lupom.ref("persona_network_edges"),
        lupom.ref("persona_networks"),
        seed=lupom.var("seed", 1),
    )
