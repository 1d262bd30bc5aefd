"""Answers to what people were not asked, drawn several times: multiple imputation."""

import pyarrow as pa

from lupom.science.planning import imputed


def model(lupom):
    # All that people answered counts, held-out answers too; nothing that is scored is made of it.
    lupom.config(tags=["holdout"])
    closed = lupom.ref("closed_questions")
    parts = imputed.imputations_in_parts(
        lupom.ref("responses").join(closed.select("survey, question_id"), "survey, question_id"),
        lupom.ref("respondents"),
        closed,
        sets=lupom.var("imputation_sets", 0),
        only=lupom.var("imputation_questions", None),
        gaps=lupom.var("imputation_gaps", ["lot"]),
        seed=lupom.var("seed", 1),
        note=lupom.note,
    )
    return pa.RecordBatchReader.from_batches(imputed.IMPUTATIONS, parts)
