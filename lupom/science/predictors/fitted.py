"""What predictors learned of every survey, as a table of states."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from lupom.science.inputs import arrow, require
from lupom.science.predictors import baselines, states
from lupom.science.predictors.learners import logistic_demographics
from lupom.science.predictors.predictor import State
from lupom.science.predictors.task import tasks

FITTED = pa.schema(
    [
        ("survey", pa.string()),
        ("predictor", pa.string()),
        ("n", pa.int64()),
        ("size", pa.int64()),
        ("seconds", pa.float64()),
        ("state", pa.binary()),
    ]
)


def fit(
    answers: Any,
    respondents: Any,
    questions: Any,
    *,
    seed: int = 0,
    group: Sequence[str] | Mapping[str, Sequence[str]] = (),
    predictors: Mapping[str, Any] | None = None,
) -> pa.Table:
    """Fit every predictor that has something to keep to every survey.

    Parameters
    ----------
    answers : survey, respondent_id, question_id, answer of reference respondents.
    respondents : survey, respondent_id, attributes of these, and weight where there is one.
    questions : survey, question_id, options.
    seed, group, predictors : as `baselines.predict` takes them.

    Returns
    -------
    A row for each survey and predictor: n (reference respondents), size (of the state in bytes),
    seconds (of CPU that the fit took on this thread, which another time is another) and state, as
    `states.to_bytes` writes it. A predictor without fit has none. The state of
    logistic_demographics, which stands in for others, is there whatever the predictors are.

    Raises
    ------
    ValueError : as `task.tasks` does.
    """
    known = arrow(answers)
    require(known, ("survey", "respondent_id", "question_id", "answer"), "answers")
    known = known.append_column("role", pa.repeat("known", known.num_rows))
    given = baselines.prepared(predictors)
    rows = []
    for task in tasks(known, None, respondents, questions):
        chosen = {
            states.STAND_IN: logistic_demographics,
            **baselines.grouped(given, group, task.survey),
        }
        for name, one in chosen.items():
            if one.fit is not None:
                # Of this thread: other models are built at the same time.
                begun = time.thread_time()
                state = states.fit(one, task, seed)
                seconds = round(time.thread_time() - begun, 3)
                data = states.to_bytes(state)
                n = len(task.respondents)
                rows.append((task.survey, name, n, len(data), seconds, data))
    columns = zip(*rows, strict=True) if rows else ([] for _ in FITTED)
    return pa.table([pa.array(c, f.type) for c, f in zip(columns, FITTED, strict=True)], FITTED)


def read(fitted: Any) -> dict[str, dict[str, State]]:
    """Return the states of a table as `fit` returns it, by survey and predictor."""
    table = arrow(fitted)
    require(table, ("survey", "predictor", "state"), "fitted predictors")
    out: dict[str, dict[str, State]] = {}
    columns = (table[name].to_pylist() for name in ("survey", "predictor", "state"))
    for survey, name, data in zip(*columns, strict=True):
        out.setdefault(survey, {})[name] = states.from_bytes(data)
    return out
