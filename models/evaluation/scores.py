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
    closed = lupom.ref("questions").filter("kind not in ('numeric', 'text')")
    predictions = predictions.join(
        closed.select("survey, question_id"), "survey, question_id", how="semi"
    )
    return scores.score(
        predictions,
        lupom.ref("holdout"),
        lupom.ref("questions"),
        lupom.ref("llm_pairs"),
        lupom.ref("respondents"),
    )
