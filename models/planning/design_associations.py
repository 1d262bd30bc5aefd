"""What a split questionnaire leaves of the precision of associations."""

from lupom.science.planning import blocks


def model(lupom):
    # A plan is for people who are yet to be asked: all answers count, held-out ones too. Nothing
    # that is scored is made of it.
    lupom.config(tags=["holdout"])
    closed = lupom.ref("closed_questions")
    answers = lupom.ref("responses").join(
        closed.select("survey, question_id"), "survey, question_id"
    )
    found = blocks.design_associations(
        answers,
        lupom.ref("respondents"),
        closed,
        lupom.ref("design_blocks"),
        people=lupom.var("plan_from", 20_000),
        seed=lupom.var("seed", 1),
    )
    for note in blocks.bases(found):
        lupom.note(note)
    return found
