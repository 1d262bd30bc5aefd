"""Predictions of the held-out pairs by predictors that need no LLM."""

from lupom.science.predictors import baselines, fitted


def model(lupom):
    # Where there are options: number_baselines has numeric questions, and texts have no baseline.
    closed = lupom.ref("closed_questions")
    known = lupom.ref("known_responses").join(closed, "survey, question_id", how="semi")
    return baselines.predict(
        known,
        known.filter("role in ('test', 'tuning')"),
        lupom.ref("respondents"),
        closed,
        seed=lupom.var("seed", 1),
        group=lupom.var("majority_group", []),
        predictors=lupom.entry_points("lupom.predictors", "predictors"),
        states=fitted.read(lupom.ref("fitted_predictors")),
    )
