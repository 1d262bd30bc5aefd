"""Whether predictions, taken together, look like the people they stand for."""

from lupom.science.evaluation import distributions


def model(lupom):
    lupom.config(tags=["holdout"])
    return distributions.distribution_metrics(
        lupom.ref("scores"),
        lupom.ref("questions"),
        lupom.ref("respondents"),
        attributes=lupom.var("group_attributes", None),
        seed=lupom.var("seed", 1),
        resamples=lupom.var("group_resamples", 200),
    )
