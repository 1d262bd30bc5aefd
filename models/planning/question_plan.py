"""Which questions tell most of the others: a short form, and what 1, 3, 5, 10 questions buy."""

from lupom.science.planning import question_plan


def model(lupom):
    # A plan is for people who are yet to be asked: all answers count, held-out ones too. Nothing
    # that is scored is made of it.
    lupom.config(tags=["holdout"])
    closed = lupom.ref("closed_questions")
    return question_plan.question_plan(
        lupom.ref("responses").join(closed.select("survey, question_id"), "survey, question_id"),
        lupom.ref("respondents"),
        closed,
        most=lupom.var("plan_questions", 10),
        attributes=lupom.var("group_attributes", None),
        known_attributes=lupom.var("plan_attributes_known", True),
        smallest=lupom.var("plan_smallest", 100),
        people=lupom.var("plan_from", 20_000),
        seed=lupom.var("seed", 1),
        note=lupom.note,
    )
