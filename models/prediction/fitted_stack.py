"""The combination's weights, its sets' thresholds and the filters: `lupom predict` asks them."""

from lupom.science.planning import questionnaire, screening
from lupom.science.predictors import new_people


def model(lupom):
    closed = lupom.ref("closed_questions")
    combined = new_people.fit_stack(
        lupom.ref("baselines"),
        lupom.ref("tuning_answers"),
        closed,
        seed=lupom.var("seed", 1),
        level=lupom.var("set_level", 0.9),
    )
    reach = questionnaire.question_reach(
        lupom.ref("unscored_responses").join(
            closed.select("survey, question_id"), "survey, question_id"
        ),
        lupom.ref("respondents"),
        closed,
        people=lupom.var("plan_from", 20_000),
        seed=lupom.var("seed", 1),
    )
    return screening.beside(combined, reach)
