"""Shares from all imputed sets together, by Rubin's rules."""

from lupom.science.planning import imputed


def model(lupom):
    lupom.config(tags=["holdout"])
    closed = lupom.ref("closed_questions")
    return imputed.estimates(
        lupom.ref("responses").join(closed.select("survey, question_id"), "survey, question_id"),
        lupom.ref("respondents"),
        closed,
        lupom.ref("imputations"),
        attributes=lupom.var("group_attributes", None),
    )
