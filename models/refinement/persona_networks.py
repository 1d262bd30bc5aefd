"""The persona networks of this run: what each is called, and how it is fitted and refines."""

from lupom.science import bayes


def model(lupom):
    return bayes.persona_networks(
        lupom.ref("networks").to_arrow_table().to_pylist(),
        [name for (name,) in lupom.ref("questions").select("survey").distinct().fetchall()],
        lupom.ref("prediction_settings"),
        chosen=lupom.var("network", "default"),
        more=lupom.var("networks", []),
        score=lupom.var("network_score", "bds"),
        # What a blank field of seeds/networks.csv says.
        base=bayes.Variant(
            iss=lupom.var("network_iss", 10),
            parameter_iss=lupom.var("network_parameter_iss", None),
            search=lupom.var("network_search", "tabu"),
            tabu_length=lupom.var("network_tabu_length", 100),
            restarts=lupom.var("network_restarts", 0),
            max_parents=lupom.var("network_max_parents", 4),
            level_order=lupom.var("network_level_order", False),
            required=lupom.var("network_required_edges", []),
            forbidden=lupom.var("network_forbidden_edges", []),
            missing=lupom.var("network_missing", "em"),
            prune=lupom.var("network_prune", "conditional"),
            prune_alpha=lupom.var("network_prune_alpha", 0.05),
            prune_test=lupom.var("network_prune_test", "chi2"),
            prune_correction=lupom.var("network_prune_correction", "none"),
            levels=lupom.var("refine_levels", ["mid", "high"]),
            reports=lupom.var("refine_reports", "noisy"),
            min_probability=lupom.var("refine_min_probability", None),
            min_fill=lupom.var("refine_min_fill", None),
            evidence_levels=lupom.var("refine_evidence_levels", None),
            iterations=lupom.var("refine_iterations", 1),
            relearn=lupom.var("network_relearn", False),
            sweeps=lupom.var("refine_sweeps", 40),
        ),
    )
