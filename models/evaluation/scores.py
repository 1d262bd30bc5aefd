"""One row per prediction of a test pair, beside the answer that was given."""

from lupom.science.evaluation import scores


def model(lupom):
    # The one place where predictions meet the held-out answers.
    lupom.config(tags=["holdout"])
    columns = (
        "survey, respondent_id, question_id, predictor, llm, answer, probabilities, missing_mass, "
        "status, call_id"
    )
    predictions = lupom.ref("baselines").select(columns)
    predictions = predictions.union(lupom.ref("predictions").select(columns))
    predictions = predictions.union(lupom.ref("persona_predictions").select(columns))
    predictions = predictions.union(lupom.ref("stacked").select(columns))
    # What has options is scored by them; number_scores has numeric questions.
    closed = lupom.ref("closed_questions")
    predictions = predictions.join(closed, "survey, question_id", how="semi")
    numeric = lupom.ref("questions").filter("kind = 'numeric'").select("survey, question_id")
    numbers = (
        "survey, respondent_id, question_id, predictor, llm, cast(value as varchar) as answer, "
        "null::map(varchar, double) as probabilities, null::double as missing_mass, status, "
    )
    asked = lupom.ref("predictions").join(numeric, "survey, question_id", how="semi")
    predictions = predictions.union(asked.select(numbers + "call_id"))
    medians = lupom.ref("number_baselines")
    predictions = predictions.union(medians.select(numbers + "null::varchar as call_id"))
    return scores.score(
        predictions,
        lupom.ref("holdout"),
        lupom.ref("questions"),
        lupom.ref("llm_pairs"),
        lupom.ref("respondents"),
    )
