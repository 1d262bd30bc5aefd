"""Answers to what people were not asked, drawn several times: multiple imputation."""

import pyarrow as pa

from lupom.science.planning import imputed


def model(lupom):
    # All that people answered counts, held-out answers too; nothing that is scored is made of it.
    lupom.config(tags=["holdout"])
    closed, responses = lupom.ref("closed_questions"), lupom.ref("responses")
    numeric = lupom.ref("questions").filter("kind = 'numeric'").select("survey, question_id")
    parts = imputed.imputations_in_parts(
        responses.join(closed.select("survey, question_id"), "survey, question_id"),
        lupom.ref("respondents"),
        closed,
        sets=lupom.var("imputation_sets", 0),
        only=lupom.var("imputation_questions", None),
        gaps=lupom.var("imputation_gaps", ["lot"]),
        numbers=responses.join(numeric, "survey, question_id"),
        seed=lupom.var("seed", 1),
        note=lupom.note,
    )
    return pa.RecordBatchReader.from_batches(imputed.IMPUTATIONS, parts)
