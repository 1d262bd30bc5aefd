"""A split questionnaire: the block of each question, and the precision that is left."""

from lupom.science.planning import blocks


def model(lupom):
    # A plan is for people who are yet to be asked: all answers count, held-out ones too. Nothing
    # that is scored is made of it.
    lupom.config(tags=["holdout"])
    closed = lupom.ref("closed_questions")
    answers = lupom.ref("responses").join(
        closed.select("survey, question_id"), "survey, question_id"
    )
    return blocks.design_blocks(
        answers,
        lupom.ref("respondents"),
        closed.order("survey, position"),
        blocks=lupom.var("plan_blocks", 4),
        asked=lupom.var("plan_blocks_asked", 2),
        core=lupom.var("plan_core", []),
        others=lupom.ref("questions").order("survey, position"),
        people=lupom.var("plan_from", 20_000),
        seed=lupom.var("seed", 1),
        note=lupom.note,
    )
