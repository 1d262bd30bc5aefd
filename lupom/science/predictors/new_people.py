"""The combination of all predictors kept, and asked with them about people who were not there."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lupom.science.inputs import arrow
from lupom.science.predictors import conformal, fitted, pool, screened, stack, states
from lupom.science.predictors.baselines import prepared, shipped
from lupom.science.predictors.task import HIDDEN, Bools, Floats, Ints, Task

FITTED_STACK = pa.schema(
    [
        ("survey", pa.string()),
        ("predictor", pa.string()),
        ("parts", pa.list_(pa.string())),
        ("n", pa.int64()),
        ("size", pa.int64()),
        ("state", pa.binary()),
    ]
)
STACK = "stack_plain"
KNOWN, NEW = "known", "new_respondent"


def fit_stack(
    baselines: Any, tuning: Any, questions: Any, *, seed: int = 0, level: float = 0.9
) -> pa.Table:
    """Return weights of the combination and thresholds of its sets, to be kept.

    They are those that `stack.stack` and `conformal.prediction_sets` find.

    Parameters
    ----------
    baselines, tuning, questions, seed : as `stack.stack` takes them.
    level : the share of sets that are to hold the answer.

    Returns
    -------
    A row for each survey with pairs of known respondents: predictor ('stack_plain'), parts (the
    predictors it is of), n (tuning pairs), size (of the state in bytes) and state
    (`states.to_bytes`).
    """
    table = arrow(baselines)
    rows = []
    for survey in sorted(pc.unique(table["survey"]).to_pylist()):
        own = table.filter(pc.equal(table["survey"], survey))
        found = _combined(own, tuning, questions, seed, level)
        if found is not None:
            data = states.to_bytes(found)
            row = (survey, STACK, found["parts"], found["n"], len(data), data)
            rows.append(dict(zip(FITTED_STACK.names, row, strict=True)))
    return pa.Table.from_pylist(rows, schema=FITTED_STACK)


def _combined(
    baselines: pa.Table, tuning: Any, questions: Any, seed: int, level: float
) -> dict[str, Any] | None:
    """Return weights and thresholds of the combination as a state; None without tuning pairs."""
    nobody = baselines.slice(0, 0)
    out: dict[str, Any] = {"level": level}
    for one in stack.fit_all(baselines, nobody, tuning, questions, seed=seed):
        pairs = one.pairs
        luck = luck_of(pairs.respondents.tolist(), [pairs.questions[c] for c in pairs.columns])
        scores = conformal.scores_of(one.plain, luck)
        for fit in one.fits:
            if fit.scenario not in (KNOWN, NEW):
                continue
            here = pairs.scenarios == fit.scenario
            groups = np.unique(pairs.columns[here])
            out["parts"] = list(fit.parts)
            out["n"] = max(int(out.get("n", 0)), fit.n)
            out[f"{fit.scenario}.common"] = fit.weights.common
            out[f"{fit.scenario}.groups"] = fit.weights.groups
            out[f"{fit.scenario}.questions"] = [pairs.questions[c] for c in groups]
            learned = here & (pairs.roles == "tuning") & (pairs.truth >= 0)
            if learned.sum() >= conformal.ENOUGH:
                reached = scores[learned, pairs.truth[learned]]
                out[f"{fit.scenario}.thresholds"] = [
                    _finite(conformal.threshold(reached, pairs.columns[learned] == q, level))
                    for q in range(len(pairs.questions))
                ]
                out[f"{fit.scenario}.of"] = list(pairs.questions)
    return out if f"{KNOWN}.common" in out else None


def _finite(value: float) -> float | None:
    # JSON has no infinity: a set of all options.
    return value if np.isfinite(value) else None


@dataclass(frozen=True)
class Predicted:
    """What is predicted of a task's pairs.

    Attributes
    ----------
    parts : (P, width) by predictor. combined : (P, width); None where it could not be kept.
    inside : (P, width), which options are in each pair's set; None where there are none.
    level : the share of sets that are to hold the answer. pairs : tuning pairs of the combination.
    """

    parts: Mapping[str, Floats]
    combined: Floats | None
    inside: np.ndarray[Any, np.dtype[np.bool_]] | None
    level: float
    pairs: int = 0


@dataclass(frozen=True)
class Fitted:
    """A survey's fitted predictors.

    Attributes
    ----------
    predictors : by name. states : what each learned. stack : weights and thresholds, or None.
    """

    predictors: Mapping[str, Any]
    states: Mapping[str, Mapping[str, Any]]
    stack: Mapping[str, Any] | None

    @property
    def frame(self) -> tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]:
        """Return the questions and their options that were learned of."""
        state = self.states[states.STAND_IN]
        options = tuple(tuple(o) for o in state[states.OURS + "options"])
        return tuple(state[states.OURS + "questions"]), options

    @property
    def attributes(self) -> dict[str, tuple[str, ...]]:
        """Return the values of each attribute that were learned of."""
        state = self.states[states.STAND_IN]
        names, values = state[states.OURS + "traits"], state[states.OURS + "values"]
        return {name: tuple(told) for name, told in zip(names, values, strict=True)}

    @property
    def reads_answers(self) -> bool:
        """Return whether any predictor looks at answers."""
        return any(self.predictors[name].answers for name in self.states)

    @property
    def layers(self) -> list[screened.Layer]:
        """Return the filters that are predicted without what hangs on them, by layers."""
        return max((screened.kept_in(state) for state in self.states.values()), key=len)

    def predict(self, task: Task, *, every: bool = True, left: Floats | None = None) -> Predicted:
        """Return what all predictors, and their combination, say of a task's pairs.

        Without `every` those that are no part of the combination are not asked.

        Parameters
        ----------
        left : (P, width), by which options are multiplied before each pair's are divided by their
            sum: what else is known rules some out.
        """
        if not len(task.rows):
            return Predicted({}, None, None, 0.0)
        needed = set(self.states)
        if not every and self.stack is not None:
            needed = {*self.stack["parts"], states.STAND_IN}
        asked = {name: state for name, state in self.states.items() if name in needed}
        said = states.predict(self.predictors, asked, task)
        ones = np.ones((len(task.rows), task.width)) if left is None else left
        parts = said if left is None else {name: _of(p * left) for name, p in said.items()}
        if self.stack is None:
            return Predicted(parts, None, None, 0.0)
        sizes = np.array([len(o) for o in task.options], dtype=np.int64)[task.columns]
        options = np.arange(task.width)[None, :] < sizes[:, None]
        logs = np.stack(
            [np.log(np.maximum(said[name], stack.FLOOR)) for name in self.stack["parts"]], axis=2
        )
        blank = screened.untold(task, self.layers)
        combined = np.zeros((len(task.rows), task.width))
        inside = np.zeros(combined.shape, dtype=bool)
        names = [task.questions[c] for c in task.columns]
        luck = luck_of([task.respondents[r] for r in task.rows], names)
        holds = f"{KNOWN}.thresholds" in self.stack
        for scenario, here in ((KNOWN, ~blank), (NEW, blank)):
            if not here.any():
                continue
            at = np.flatnonzero(here)
            alone = f"{scenario}.common" not in self.stack
            if alone:
                scenario = KNOWN
            of = {q: i for i, q in enumerate(self.stack[f"{scenario}.questions"])}
            weights = pool.Weights(
                np.asarray(self.stack[f"{scenario}.common"]),
                np.asarray(self.stack[f"{scenario}.groups"]),
            )
            group = np.array([of.get(names[i], len(of)) for i in at], dtype=np.int64)
            combined[at] = pool.pooled(logs[at], options[at], weights.of(group))
            if alone:
                # All parts say the same of whom nothing is known: by weights for parts that differ
                # they would be made surer than they are.
                combined[at] = said[states.STAND_IN][at]
            combined[at] = _of(combined[at] * ones[at])
            wanted = self.stack.get(f"{scenario}.thresholds") or self.stack.get(
                f"{KNOWN}.thresholds"
            )
            if wanted is None:
                continue
            asked = self.stack.get(f"{scenario}.of") or self.stack[f"{KNOWN}.of"]
            limit = dict(zip(asked, wanted, strict=True))
            limits = np.array([_infinite(limit.get(names[i])) for i in at])
            scores = conformal.scores_of(combined[at], luck[at])
            inside[at] = (scores <= limits[:, None]) & options[at]
            # As `prediction_sets`: never empty.
            inside[at, combined[at].argmax(axis=1)] = True
        return Predicted(
            parts,
            combined,
            inside if holds else None,
            float(self.stack["level"]),
            int(self.stack["n"]),
        )


def _of(p: Floats) -> Floats:
    return np.asarray(p / p.sum(axis=1, keepdims=True))


def _infinite(value: float | None) -> float:
    return float("inf") if value is None else float(value)


def luck_of(respondents: Sequence[str], questions: Sequence[str]) -> Floats:
    """Return a number from 0 to 1 by ids, as `conformal` has it, (P)."""
    keys = (f"{r}|{q}" for r, q in zip(respondents, questions, strict=True))
    return np.array([zlib.crc32(key.encode()) / 2.0**32 for key in keys])


def read(
    fitted_predictors: Any,
    fitted_stack: Any,
    survey: str,
    predictors: Mapping[str, Any] | None = None,
) -> Fitted:
    """Return a survey's fitted predictors and their combination.

    The latter is left out where one of its parts was not kept.

    Parameters
    ----------
    fitted_predictors, fitted_stack : as `fitted.fit` and `fit_stack` return them.
    predictors : by name, those that are installed; those that LUPoM ships are known.

    Raises
    ------
    ValueError : where nothing was fitted, and for a predictor that is no longer installed.
    """
    kept = fitted.read(fitted_predictors).get(survey)
    if not kept:
        raise ValueError(f"nothing was fitted for the survey {survey}")
    given = prepared({**shipped(), **(predictors or {})})
    strange = sorted(set(kept) - set(given))
    if strange:
        raise ValueError(f"the predictor {strange[0]} is no longer installed")
    rows = [r for r in arrow(fitted_stack).to_pylist() if r["survey"] == survey]
    combined = states.from_bytes(rows[0]["state"]) if rows else None
    if combined is not None and not set(combined["parts"]) <= set(kept):
        combined = None
    return Fitted({name: given[name] for name in kept}, kept, combined)


def task_of(
    kept: Fitted,
    survey: str,
    ids: Sequence[str],
    answers: Ints,
    attributes: Sequence[Mapping[str, str]],
    wanted: Ints,
    left_out: Bools | None = None,
) -> Task:
    """Return the task of new people: all that is asked for and not answered.

    Parameters
    ----------
    answers : (n, Q), options by the questions of `Fitted.frame`, -1 where not known.
    attributes : of each person, value by name; what is blank or left out is blank.
    wanted : places of the questions to predict. left_out : (n, Q), those that are not.
    """
    questions, options = kept.frame
    names = tuple(kept.attributes)
    values = tuple(kept.attributes.values())
    traits = np.full((len(ids), len(names)), HIDDEN, dtype=np.int64)
    told: list[tuple[str, ...]] = []
    for column, (name, known) in enumerate(zip(names, values, strict=True)):
        given = [one.get(name) or "" for one in attributes]
        # A value that nobody had is one of its own, and `states` takes it for none.
        all_values = (*known, *sorted(set(given) - set(known) - {""}))
        place = {value: code for code, value in enumerate(all_values)}
        traits[:, column] = [place.get(value, HIDDEN) for value in given]
        told.append(all_values)
    asked = np.zeros(len(questions), dtype=bool)
    asked[wanted] = True
    wanting = (answers == HIDDEN) & asked
    if left_out is not None:
        wanting &= ~left_out
    columns, rows = np.nonzero(wanting.T)
    n = len(rows)
    return Task(
        survey,
        tuple(ids),
        questions,
        options,
        answers,
        np.zeros(len(ids), dtype=bool),
        np.zeros((len(ids), 0)),
        rows,
        columns,
        np.full(n, "test", dtype=object),
        np.full(n, KNOWN, dtype=object),
        np.ones(len(ids)),
        traits,
        names,
        tuple(told),
    )
