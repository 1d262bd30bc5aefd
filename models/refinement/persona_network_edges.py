"""The structure of each survey's persona network: which dimension depends on which."""

from lupom.science import bayes


def model(lupom):
    return bayes.network_edges(
        lupom.ref("persona_values"),
        lupom.ref("persona_dimensions"),
        score=lupom.var("network_score", "bds"),
        iss=lupom.var("network_iss", 10),
        method=lupom.var("network_search", "tabu"),
        tabu_length=lupom.var("network_tabu_length", 100),
        restarts=lupom.var("network_restarts", 0),
        max_parents=lupom.var("network_max_parents", 4),
        level_order=lupom.var("network_level_order", False),
        required=lupom.var("network_required_edges", []),
        forbidden=lupom.var("network_forbidden_edges", []),
        prune_alpha=lupom.var("network_prune_alpha", 0.05),
        prune_test=lupom.var("network_prune_test", "chi2"),
        prune_correction=lupom.var("network_prune_correction", "none"),
        missing=lupom.var("network_missing", "em"),
        seed=lupom.var("seed", 1),
    )
