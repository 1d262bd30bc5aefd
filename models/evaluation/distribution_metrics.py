"""Whether predictions are spread over options and hang together as the answers do."""

from lupom.science.evaluation import distributions


def model(lupom):
    lupom.config(tags=["holdout"])
    return distributions.distribution_metrics(
        lupom.ref("scores"),
        lupom.ref("questions"),
        lupom.ref("respondents"),
        attributes=lupom.var("evaluation_attributes", []),
    )
