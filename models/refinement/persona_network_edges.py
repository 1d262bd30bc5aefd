"""The structure of each survey's persona networks: which dimension depends on which."""

from lupom.science import bayes


def model(lupom):
    return bayes.network_edges(
        lupom.ref("persona_values"),
        lupom.ref("persona_dimensions"),
        lupom.ref("persona_networks"),
        seed=lupom.var("seed", 1),
    )
