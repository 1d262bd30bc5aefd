"""Persona values after the network: kept, replaced where the rest speaks against them, filled."""

from lupom.science import bayes


def model(lupom):
    return bayes.refine_personas(
        lupom.ref("persona_values"),
        lupom.ref("persona_dimensions"),
        lupom.ref("persona_network_parameters"),
        score=lupom.var("network_score", "bds"),
        iss=lupom.var("network_iss", 10),
        levels=lupom.var("refine_levels", ["mid", "high"]),
        reports=lupom.var("refine_reports", "noisy"),
        min_probability=lupom.var("refine_min_probability", None),
        min_fill=lupom.var("refine_min_fill", None),
        evidence_levels=lupom.var("refine_evidence_levels", None),
        iterations=lupom.var("refine_iterations", 1),
        sweeps=lupom.var("refine_sweeps", 40),
        seed=lupom.var("seed", 1),
    )
