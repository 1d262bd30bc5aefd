"""Shares, means and differences in the population, from people's answers and predictions."""

from lupom.science.estimates import estimates
from lupom.science.predictors import elsewhere


def model(lupom):
    # All that people answered counts here, held-out answers too; nothing is predicted from it that
    # is scored.
    lupom.config(tags=["holdout"])
    columns = (
        "survey, respondent_id, question_id, predictor, llm, "
        "coalesce(answer, cast(value as varchar)) as answer, probabilities, status"
    )
    # Made elsewhere there may be predictions of everyone; those of held-out pairs are among them.
    made = elsewhere.predictions(
        lupom.refs("{}", "predictions_elsewhere", default=[]),
        lupom.ref("known_responses"),
        lupom.ref("questions"),
        everyone=True,
    )
    here = lupom.ref("predictions").join(
        lupom.ref("predictions_elsewhere").select("predictor, llm").distinct(),
        "predictor, llm",
        how="anti",
    )
    return estimates.estimates(
        lupom.ref("responses"),
        lupom.ref("questions"),
        lupom.ref("respondents"),
        [here.select(columns), made],
        lupom.ref("survey_designs"),
        attributes=lupom.var("group_attributes", None),
        seed=lupom.var("seed", 1),
        smallest=lupom.var("estimate_smallest", 20),
    )
