"""What predictors learned of every survey, as a table of states."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lupom import entry_points
from lupom.batches import Map, in_batches
from lupom.science.inputs import arrow, require
from lupom.science.predictors import baselines, states
from lupom.science.predictors.learners import logistic_demographics
from lupom.science.predictors.predictor import GROUP, Predictor, State
from lupom.science.predictors.task import Task, tasks

FITTED = pa.schema(
    [
        ("survey", pa.string()),
        ("predictor", pa.string()),
        ("n", pa.int64()),
        ("size", pa.int64()),
        ("seconds", pa.float64()),
        ("inputs", pa.string()),
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
    before: Any = None,
    through: Map = in_batches,
) -> pa.Table:
    """Fit every predictor that has something to keep to every survey.

    Parameters
    ----------
    answers : survey, respondent_id, question_id, answer of reference respondents.
    respondents : survey, respondent_id, attributes of these, and weight where there is one.
    questions : survey, question_id, options.
    seed, group, predictors : as `baselines.predict` takes them.
    before : a table as it was returned with the same predictors, of which what was learned of a
        survey that is still the same is taken; of one that changed what a predictor that reuses
        states finds the same.
    through : works a predictor at a time, here or elsewhere; see `lupom.batches`.

    Returns
    -------
    A row for each survey and predictor: n (reference respondents), size (of the state in bytes),
    seconds (of CPU that the fit took on this thread, which another time is another, and less where
    parts were there), inputs (a hash
    of all that it was made of) and state, as `states.to_bytes` writes it. A predictor without fit
    has none. The state of logistic_demographics, which stands in for others, is there whatever the
    predictors are.

    Raises
    ------
    ValueError : as `task.tasks` does.
    """
    known = arrow(answers)
    require(known, ("survey", "respondent_id", "question_id", "answer"), "answers")
    known = known.append_column("role", pa.repeat("known", known.num_rows))
    given = baselines.prepared(predictors)
    names = [
        name
        for name, one in {states.STAND_IN: logistic_demographics, **given}.items()
        if one.fit is not None
    ]
    jobs = [
        {"survey": survey, "predictor": name}
        for survey in sorted(pc.unique(known["survey"]).to_pylist())
        for name in names
    ]
    if not jobs:
        return FITTED.empty_table()
    people, asked = arrow(respondents), arrow(questions)
    standing = _standing(before)
    earlier = _reused(before, [name for name, one in given.items() if one.reuses])
    if not registered(predictors):
        # What nobody registered others do not find.
        fitter = Fitter(known, people, asked, seed, group, given, list(standing), earlier)
        rows = pa.concat_tables([fitter.fitted(**job) for job in jobs])
        return _with(standing, rows)
    # What takes longest stands last, and is begun first.
    order = pa.array(range(len(jobs) - 1, -1, -1))
    found = through(
        Fitter,
        pa.Table.from_pylist(jobs).take(order),
        shared={
            "known": known,
            "respondents": people,
            "questions": asked,
            "seed": seed,
            "group": group,
            "predictors": list(given),
            "standing": [list(key) for key in standing],
            "earlier": earlier,
        },
        batch_rows=1,
    )
    return _with(standing, found.take(order))


def _standing(before: Any) -> dict[tuple[str, str, str], pa.Table]:
    """Return the rows of an earlier table by survey, predictor and inputs."""
    if before is None:
        return {}
    table = arrow(before)
    require(table, FITTED.names, "fitted predictors")
    table = table.select(FITTED.names).cast(FITTED)
    keys = zip(*(table[n].to_pylist() for n in ("survey", "predictor", "inputs")), strict=True)
    return {key: table.slice(i, 1) for i, key in enumerate(keys)}


def _reused(before: Any, names: Sequence[str]) -> pa.Table:
    """Return what some predictors learned earlier, whatever of."""
    table = FITTED.empty_table() if before is None else arrow(before)
    table = table.filter(pc.is_in(table["predictor"], pa.array(names, pa.string())))
    return table.select(["survey", "predictor", "state"])


def _with(standing: Mapping[tuple[str, str, str], pa.Table], found: pa.Table) -> pa.Table:
    """Return rows, those that say no state being of an earlier table."""
    parts = []
    for i, row in enumerate(found.select(["survey", "predictor", "inputs"]).to_pylist()):
        one = found.slice(i, 1)
        there = one["state"].null_count == 0
        parts.append(one if there else standing[row["survey"], row["predictor"], row["inputs"]])
    return pa.concat_tables(parts).combine_chunks()


class Fitter:
    """Fits predictors to surveys, each by its name; a survey's task is made once.

    `predictors` are names of those that are registered, or predictors by name, prepared; `standing`
    (survey, predictor and hash of its inputs) what was learned before and is not made again;
    `earlier` (survey, predictor, state) what some learned of what may be other inputs.
    """

    def __init__(
        self,
        known: Any,
        respondents: Any,
        questions: Any,
        seed: int,
        group: Sequence[str] | Mapping[str, Sequence[str]],
        predictors: Sequence[str] | Mapping[str, Predictor],
        standing: Sequence[Sequence[str]] = (),
        earlier: pa.Table | None = None,
    ) -> None:
        self._tables = known, respondents, questions
        rows = [] if earlier is None else earlier.select(["survey", "predictor"]).to_pylist()
        self._earlier = {(row["survey"], row["predictor"]): i for i, row in enumerate(rows)}
        self._states = earlier
        self._standing = {tuple(key) for key in standing}
        self._seed, self._group = seed, group
        if isinstance(predictors, Mapping):
            self._given = dict(predictors)
        else:
            self._given = baselines.prepared(
                {name: entry_points.find(GROUP, name).load() for name in predictors}
            )
        self._tasks: dict[str, tuple[Task, str]] = {}

    def __call__(self, batch: pa.Table) -> pa.Table:
        return pa.concat_tables([self.fitted(**job) for job in batch.to_pylist()])

    def fitted(self, survey: str, predictor: str) -> pa.Table:
        """Return a row of `FITTED`, without a state where one of the same inputs stands."""
        if survey not in self._tasks:
            known, respondents, questions = self._tables
            mine = known.filter(pc.equal(known["survey"], survey))
            (task,) = tasks(mine, None, respondents, questions)
            self._tasks[survey] = task, _hashed(task, self._seed, self._group)
        task, inputs = self._tasks[survey]
        if (survey, predictor, inputs) in self._standing:
            return _row(survey, predictor, 0, 0, 0.0, inputs, None)
        chosen = {
            states.STAND_IN: logistic_demographics,
            **baselines.grouped(self._given, self._group, survey),
        }
        # Of this thread: other models are built at the same time.
        begun = time.thread_time()
        place = self._earlier.get((survey, predictor))
        before = None
        if self._states is not None and place is not None:
            before = states.from_bytes(self._states["state"][place].as_py())
        state = states.fit(chosen[predictor], task, self._seed, before)
        seconds = round(time.thread_time() - begun, 3)
        data = states.to_bytes(state)
        return _row(survey, predictor, len(task.respondents), len(data), seconds, inputs, data)


def _row(*values: Any) -> pa.Table:
    columns = [pa.array([value], f.type) for value, f in zip(values, FITTED, strict=True)]
    return pa.table(columns, FITTED)


def _hashed(task: Task, seed: int, group: Any) -> str:
    """Return a hash of all that a fit is made of: a task without pairs, seed and groups."""
    made = hashlib.blake2b(digest_size=16)
    for field in fields(task):
        value = getattr(task, field.name)
        if isinstance(value, np.ndarray):
            made.update(f"{field.name} {value.dtype} {value.shape}".encode())
            if value.dtype != object:
                # Objects are texts of pairs, and there are none.
                made.update(np.ascontiguousarray(value).data)
        else:
            made.update(f"{field.name} {value!r}".encode("utf-8", "surrogatepass"))
    made.update(repr((seed, group)).encode("utf-8", "surrogatepass"))
    return made.hexdigest()


def registered(predictors: Mapping[str, Any] | None) -> bool:
    """Tell whether predictors are those that installed packages register under their names."""
    offered = entry_points.offers(GROUP)
    return predictors is None or all(
        name in offered and offered[name].load() is one for name, one in predictors.items()
    )


def read(fitted: Any) -> dict[str, dict[str, State]]:
    """Return the states of a table as `fit` returns it, by survey and predictor."""
    table = arrow(fitted)
    require(table, ("survey", "predictor", "state"), "fitted predictors")
    out: dict[str, dict[str, State]] = {}
    columns = (table[name].to_pylist() for name in ("survey", "predictor", "state"))
    for survey, name, data in zip(*columns, strict=True):
        out.setdefault(survey, {})[name] = states.from_bytes(data)
    return out
