"""For each prediction, the options among which the answer is nine times in ten."""

from lupom.science.predictors import conformal


def model(lupom):
    columns = (
        "survey, respondent_id, question_id, predictor, llm, answer, probabilities, status, role, "
        "scenario"
    )
    predictions = lupom.ref("baselines").select(columns)
    predictions = predictions.union(lupom.ref("predictions").select(columns))
    predictions = predictions.union(lupom.ref("persona_predictions").select(columns))
    predictions = predictions.union(lupom.ref("stacked").select(columns))
    closed = lupom.ref("closed_questions")
    return conformal.prediction_sets(
        predictions.join(closed.select("survey, question_id"), "survey, question_id", how="semi"),
        lupom.ref("tuning_answers"),
        closed,
        level=lupom.var("set_level", 0.9),
    )
