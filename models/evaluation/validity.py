"""What a methodologist asks of a predictor before trusting it: checks, values, verdicts."""

from lupom.science.evaluation import validity


def model(lupom):
    lupom.config(tags=["holdout"])
    return validity.validity(
        lupom.ref("scores"),
        lupom.ref("closed_questions"),
        lupom.ref("respondents"),
        lupom.ref("metrics"),
        lupom.ref("distribution_metrics"),
        attributes=lupom.var("group_attributes", None),
        ceiling=lupom.var("retest_ceiling", None),
        seed=lupom.var("seed", 1),
        resamples=lupom.var("group_resamples", 200),
    )
