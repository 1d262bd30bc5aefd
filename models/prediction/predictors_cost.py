"""What each predictor that needs no LLM costs on a survey, and what the combination has of it."""

from lupom.science.predictors import contributions


def model(lupom):
    return contributions.predictors_cost(
        lupom.ref("baselines").filter("role = 'tuning'"),
        lupom.ref("tuning_answers"),
        lupom.ref("closed_questions"),
        lupom.ref("fitted_predictors").select("survey, predictor, size, seconds"),
        lupom.ref("predictors"),
        seed=lupom.var("seed", 1),
    )
