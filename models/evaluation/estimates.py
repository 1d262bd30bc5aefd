"""Shares, means and differences in the population, from people's answers and predictions."""

from lupom.science.estimates import estimates


def model(lupom):
    # All that people answered counts here, held-out answers too; nothing is predicted from it that
    # is scored.
    lupom.config(tags=["holdout"])
    return estimates.estimates(
        lupom.ref("responses"),
        lupom.ref("questions"),
        lupom.ref("respondents"),
        lupom.ref("everyones_predictions"),
        lupom.ref("survey_designs"),
        attributes=lupom.var("group_attributes", None),
        seed=lupom.var("seed", 1),
        smallest=lupom.var("estimate_smallest", 20),
    )
