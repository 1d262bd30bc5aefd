"""Predictions of whoever has one, answered or not, by LLMs here and made elsewhere."""

from lupom.science.estimates import said
from lupom.science.predictors import elsewhere


def model(lupom):
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
    return said.joined([here.select(columns), made])
