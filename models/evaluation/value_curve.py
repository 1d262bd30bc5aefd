"""Accuracy by the number of reference respondents, with the LLM and without."""

from lupom.science.evaluation import value_curve
from lupom.science.predictors import fitted


def model(lupom):
    lupom.config(tags=["holdout"])
    closed = lupom.ref("closed_questions")
    known = lupom.ref("known_responses").join(closed, "survey, question_id", how="semi")
    return value_curve.value_curve(
        known,
        known.filter("role in ('test', 'tuning')"),
        lupom.ref("respondents"),
        lupom.ref("learning_questions"),
        lupom.ref("predictions").join(closed, "survey, question_id", how="semi"),
        lupom.ref("tuning_answers").join(closed, "survey, question_id", how="semi"),
        lupom.ref("holdout"),
        sizes=lupom.var("value_curve_sizes", [30, 100, 300, 1000]),
        seed=lupom.var("seed", 1),
        states=fitted.read(lupom.ref("fitted_predictors")),
        learners=lupom.ref("learning_respondents").select("survey, respondent_id"),
    )
