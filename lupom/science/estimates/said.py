"""What predictors say of people, by question and by predictor."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lupom.science.inputs import arrow, require

PREDICTION = (
    *("survey", "respondent_id", "question_id", "predictor", "llm", "answer", "probabilities"),
    "status",
)


def joined(predictions: Any) -> pa.Table:
    """Return one table of predictions, or a list of them, as one with the columns PREDICTION.

    Texts are texts and probabilities a map from options. Raises ValueError for a missing column.
    """
    tables = [arrow(t) for t in (predictions if isinstance(predictions, list) else [predictions])]
    for table in tables:
        require(table, PREDICTION, "predictions")
    spread = pa.map_(pa.string(), pa.float64())
    types = [spread if name == "probabilities" else pa.string() for name in PREDICTION]
    schema = pa.schema(list(zip(PREDICTION, types, strict=True)))
    return pa.concat_tables([table.select(PREDICTION).cast(schema) for table in tables])


def by_question(said: pa.Table) -> dict[str, pa.Table]:
    """Return predictions by question, each in the order of rows."""
    names = said["question_id"].combine_chunks().dictionary_encode()
    code = np.asarray(pc.fill_null(names.indices, -1), dtype=np.int64)
    order = np.argsort(code, kind="stable")
    starts = np.searchsorted(code[order], np.arange(len(names.dictionary) + 1))
    return {
        name: said.take(pa.array(order[starts[i] : starts[i + 1]]))
        for i, name in enumerate(names.dictionary.to_pylist())
    }


def by_predictor(said: pa.Table) -> Iterator[tuple[str, str | None, pa.Table]]:
    """Yield predictor, LLM (None where there is none) and their rows, in the order of names."""
    names = said.select(["predictor", "llm"]).group_by(["predictor", "llm"]).aggregate([])
    order = [("predictor", "ascending"), ("llm", "ascending")]
    for name in names.sort_by(order).to_pylist():
        llm = name["llm"]
        of_llm = pc.is_null(said["llm"]) if llm is None else pc.equal(said["llm"], llm)
        rows = pc.and_(pc.equal(said["predictor"], name["predictor"]), pc.fill_null(of_llm, False))
        yield name["predictor"], llm, said.filter(rows)
