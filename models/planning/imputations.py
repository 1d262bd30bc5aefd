"""Answers to what people were not asked, drawn several times: multiple imputation."""

from lupom.science.planning import imputed


def model(lupom):
    # All that people answered counts, held-out answers too; nothing that is scored is made of it.
    lupom.config(tags=["holdout"])
    closed = lupom.ref("closed_questions")
    return imputed.imputations(
        lupom.ref("responses").join(closed.select("survey, question_id"), "survey, question_id"),
        lupom.ref("respondents"),
        closed,
        sets=lupom.var("imputation_sets", 0),
        seed=lupom.var("seed", 1),
    )
