"""Dimensions that may mean the same: each with the one before it that is most like it."""

from lupom.science import dimensions


def model(lupom):
    return dimensions.nearest_pairs(
        lupom.ref("dimension_drafts").order("survey, place"),
        lupom.embed,
        min_similarity=lupom.var("duplicate_similarity", 0.5),
    )
