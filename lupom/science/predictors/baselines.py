"""All predictors that need no LLM, as one table of predictions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from lupom.science.predictors.learners import (
    forest_answers,
    logistic_answers,
    logistic_demographics,
    majority,
)
from lupom.science.predictors.neighbours import neighbours_answers
from lupom.science.predictors.task import Floats, Task, tasks

Predictor = Callable[[Task, int], Floats]

BASELINES: Mapping[str, Predictor] = {
    "majority": majority,
    "logistic_demographics": logistic_demographics,
    "neighbours_answers": neighbours_answers,
    "logistic_answers": logistic_answers,
    "forest_answers": forest_answers,
}

PREDICTIONS = pa.schema(
    [
        ("survey", pa.string()),
        ("respondent_id", pa.string()),
        ("question_id", pa.string()),
        ("predictor", pa.string()),
        ("llm", pa.string()),
        ("answer", pa.string()),
        ("probabilities", pa.map_(pa.string(), pa.float64())),
        ("missing_mass", pa.float64()),
        ("status", pa.string()),
        ("call_id", pa.string()),
    ]
)


def predict(
    known: Any,
    pairs: Any,
    respondents: Any,
    questions: Any,
    *,
    seed: int = 0,
    predictors: Mapping[str, Predictor] = BASELINES,
) -> pa.Table:
    """Predict every pair by every predictor, from the known answers alone.

    A model is fitted for each question on the known answers of reference respondents and sees of a
    test respondent their known answers and attributes.

    Parameters
    ----------
    known, pairs, respondents, questions : tables as `task.tasks` takes them.
    seed : for the forest; the others draw nothing.
    predictors : name and function, a Task and a seed to probabilities (P, width).

    Returns
    -------
    One row per pair and predictor, columns as `predictions` has them: answer is the likeliest
    option (the first of equals), probabilities holds all of the question's options; llm and
    call_id are null, missing_mass is 0, status is 'valid'.

    Raises
    ------
    ValueError : as `task.tasks` does; among others when the answer to a pair is known.
    """
    parts = []
    for task in tasks(known, pairs, respondents, questions):
        for name, predictor in predictors.items():
            parts.append(table(task, name, predictor(task, seed)))
    return pa.concat_tables(parts).combine_chunks() if parts else PREDICTIONS.empty_table()


def table(task: Task, name: str, probabilities: Floats) -> pa.Table:
    """Return a predictor's probabilities (P, width) as rows of predictions."""
    n = len(task.rows)
    sizes = np.array([len(o) for o in task.options], dtype=np.int64)[task.columns]
    inside = np.arange(task.width) < sizes[:, None]
    best = np.argmax(np.where(inside, probabilities, -1.0), axis=1)
    labels = [label for column in task.columns for label in task.options[column]]
    offsets = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int32)
    maps = pa.MapArray.from_arrays(
        pa.array(offsets), pa.array(labels, pa.string()), pa.array(probabilities[inside])
    )
    return pa.table(
        [
            pa.repeat(task.survey, n),
            pa.array([task.respondents[row] for row in task.rows], pa.string()),
            pa.array([task.questions[column] for column in task.columns], pa.string()),
            pa.repeat(name, n),
            pa.nulls(n, pa.string()),
            pa.array(
                [task.options[c][b] for c, b in zip(task.columns, best, strict=True)], pa.string()
            ),
            maps,
            pa.array(np.zeros(n)),
            pa.repeat("valid", n),
            pa.nulls(n, pa.string()),
        ],
        schema=PREDICTIONS,
    )
