"""Who can be asked which question, and which questions are recodes of others."""

from lupom.science.planning import questionnaire


def model(lupom):
    # All that people answered counts, held-out answers too; nothing that is scored is made of it.
    lupom.config(tags=["holdout"])
    closed = lupom.ref("closed_questions")
    return questionnaire.question_reach(
        lupom.ref("responses").join(closed.select("survey, question_id"), "survey, question_id"),
        lupom.ref("respondents"),
        closed,
    )
