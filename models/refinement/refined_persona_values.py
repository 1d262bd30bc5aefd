"""Persona values after the network: kept, replaced where the rest speaks against them, filled."""

from lupom.science import bayes


def model(lupom):
    return bayes.refine_personas(
        lupom.ref("persona_values"),
        lupom.ref("persona_dimensions"),
        lupom.ref("persona_network_edges"),
        score=lupom.var("network_score", "bds"),
        iss=lupom.var("network_iss", 10),
        levels=lupom.var("refine_levels", ["mid", "high"]),
        min_probability=lupom.var("refine_min_probability", 0.9),
        min_fill=lupom.var("refine_min_fill", 0.5),
        evidence_levels=lupom.var("refine_evidence_levels", None),
    )
