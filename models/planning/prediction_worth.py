"""What an LLM's predictions explain of the answers of people who gave them, by question."""

from lupom.science.estimates import worth
from lupom.science.predictors import elsewhere


def model(lupom):
    # It is of answers that were held out, and nothing is predicted from it that is scored.
    lupom.config(tags=["holdout"])
    columns = (
        "survey, respondent_id, question_id, predictor, llm, "
        "coalesce(answer, cast(value as varchar)) as answer, probabilities, status"
    )
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
    return worth.prediction_worth(
        lupom.ref("responses"),
        lupom.ref("questions"),
        lupom.ref("respondents"),
        [here.select(columns), made],
        seed=lupom.var("seed", 1),
    )
