"""Candidates of one level that mean the same: clusters over embeddings of what they say."""

from lupom.science import dimensions


def model(lupom):
    return dimensions.cluster_candidates(
        lupom.ref("dimension_candidates"),
        lupom.embed,
        by=lupom.var("dimension_text", "name and description"),
        method=lupom.var("dimension_method", "kmeans"),
        k=lupom.var("dimension_clusters", {"low": 6, "mid": 5, "high": 4}),
        k_max=lupom.var("dimension_clusters_max", 12),
        radius=lupom.var("dimension_radius", None),
        seed=lupom.var("seed", 1),
    )
