"""Persona values after each network: kept, replaced where the rest speaks against them, filled."""

from lupom.science import bayes


def model(lupom):
    return bayes.refine_personas_in_parts(
        lupom.ref("persona_values"),
        lupom.ref("persona_dimensions"),
        lupom.ref("persona_network_parameters"),
        lupom.ref("persona_networks"),
        seed=lupom.var("seed", 1),
        # By blocks of respondents, wherever the target says.
        through=lupom.map,
    )
