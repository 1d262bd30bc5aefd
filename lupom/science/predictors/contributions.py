"""What each predictor costs on a survey, and what the stack has of it, from tuning pairs alone."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lupom.science.blas import one_thread
from lupom.science.inputs import arrow, require
from lupom.science.predictors import centres, stack
from lupom.science.predictors.distributions import Pairs, of_survey, pairs_of
from lupom.science.predictors.pool import losses
from lupom.science.predictors.router import MIN_GAIN, clustered_variance
from lupom.science.predictors.task import Floats, Ints

# Nats an answer that are too few to pay for: no change of LUPoM's own may cost more.
LITTLE = 0.001
# What costs less than so many seconds of CPU, or than such a share of all fits, may as well stay.
SECONDS, SHARE = 0.5, 0.1
# The scenario that all surveys have, and most tuning pairs are of.
SCENARIO = "known"
LEVEL = 0.95

COSTS = pa.schema(
    [
        ("survey", pa.string()),
        ("predictor", pa.string()),
        ("title", pa.string()),
        ("part", pa.bool_()),
        ("n", pa.int64()),
        ("accuracy", pa.float64()),
        ("nll", pa.float64()),
        ("accuracy_gain", pa.float64()),
        ("accuracy_gain_low", pa.float64()),
        ("accuracy_gain_high", pa.float64()),
        ("nll_gain", pa.float64()),
        ("nll_gain_low", pa.float64()),
        ("nll_gain_high", pa.float64()),
        ("size", pa.int64()),
        ("seconds", pa.float64()),
    ]
)
_BASELINES = (
    *("respondent_id", "question_id", "predictor", "answer", "probabilities"),
    *("status", "role", "scenario", "survey"),
)


@dataclass(frozen=True)
class Gain:
    """The mean of paired differences with its 95 % interval; None without pairs, or one person."""

    mean: float | None = None
    low: float | None = None
    high: float | None = None


def predictors_cost(
    baselines: Any,
    tuning: Any,
    questions: Any,
    fitted: Any,
    described: Any,
    *,
    seed: int = 0,
    left_out: Collection[str] = centres.LEFT_OUT,
) -> pa.Table:
    """Say what every predictor costs on a survey and what the stack loses without it.

    The stack is fitted once more without each part, and with each predictor that is none, to the
    tuning pairs of people and questions that are known otherwise; both stacks predict each of these
    pairs by weights that were fitted to other respondents.

    Parameters
    ----------
    baselines : table as `baselines.predict` returns it; test pairs are not looked at.
    tuning : survey, respondent_id, question_id, answer of the tuning pairs.
    questions : survey, question_id, options.
    fitted : survey, predictor, size, seconds, as `fitted.fit` returns them.
    described : predictor, title, as `baselines.described` returns them.
    seed, left_out : as `stack.stack` takes them.

    Returns
    -------
    Rows survey, predictor, title, part (whether it is one of the stack's), n (tuning pairs),
    accuracy and nll (its own on them), accuracy_gain and nll_gain (of the stack with it over the
    stack without it; more is better) with 95 % intervals *_low and *_high (Student's t, clustered
    on respondents), size (bytes of what it learned), seconds (of CPU to fit it). Null is what is
    not known: a gain where there is no stack without it, size and seconds of a predictor that
    keeps nothing.

    Raises
    ------
    ValueError : for a missing column, and an answer or question that does not fit.
    """
    whole = arrow(baselines)
    require(whole, _BASELINES, "baselines")
    costs, titles = _costs(fitted), _titles(described)
    rows = []
    for survey in sorted(pc.unique(whole["survey"]).to_pylist()):
        own = of_survey(whole, _BASELINES, "baselines", survey)
        names = [name for name in titles if name in set(pc.unique(own["predictor"]).to_pylist())]
        told = ("survey", "respondent_id", "question_id", "answer")
        pairs, own = _tuning(
            survey,
            own,
            of_survey(tuning, told, "tuning answers", survey),
            of_survey(questions, ("survey", "question_id", "options"), "questions", survey),
        )
        alone = {name: pairs.said(own, name) for name in names}
        rows += [
            {
                "survey": survey,
                "predictor": name,
                "title": titles[name],
                "n": len(pairs.truth),
                **row,
                **costs.get((survey, name), {"size": None, "seconds": None}),
            }
            for name, row in _added(pairs, alone, seed, left_out)
        ]
    return pa.Table.from_pylist(rows, schema=COSTS)


def _tuning(
    survey: str, predictions: pa.Table, tuning: pa.Table, questions: pa.Table
) -> tuple[Pairs, pa.Table]:
    """Return the tuning pairs of known people and questions, and the predictions of these."""
    there = pc.and_(
        pc.equal(predictions["role"], "tuning"), pc.equal(predictions["scenario"], SCENARIO)
    )
    own = predictions.filter(there)
    pairs = pairs_of(survey, own, tuning, questions)
    return pairs.only(pairs.truth >= 0), own


def _added(
    pairs: Pairs, alone: Mapping[str, Floats], seed: int, left_out: Collection[str]
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield of each predictor how good it is and what the stack has of it."""
    parts = stack.parts_of(alone.keys(), left_out)
    _, person = np.unique(pairs.respondents.astype(str), return_inverse=True)
    with one_thread():
        base = _stacked(pairs, {name: alone[name] for name in parts}, seed)
        for name, p in alone.items():
            others = [part for part in parts if part != name]
            if name in parts:
                without = _stacked(pairs, {other: alone[other] for other in others}, seed)
                both = base, without
            else:
                both = _stacked(pairs, {n: alone[n] for n in sorted([*parts, name])}, seed), base
            right, loss = _judged(pairs, p)
            row: dict[str, Any] = {
                "part": name in parts,
                "accuracy": _mean(right),
                "nll": _mean(loss),
            }
            for measure, gain in _gains(pairs, both, person).items():
                row[f"{measure}_gain"] = gain.mean
                row[f"{measure}_gain_low"], row[f"{measure}_gain_high"] = gain.low, gain.high
            yield name, row


def _stacked(pairs: Pairs, parts: Mapping[str, Floats], seed: int) -> Floats | None:
    """Return the stack's cross-fitted probabilities; None where nothing is there to be pooled."""
    if not parts or not len(pairs.truth):
        return None
    return stack.pooled(pairs, parts, seed, fitted=False)[0]


def _judged(pairs: Pairs, p: Floats) -> tuple[Floats, Floats]:
    """Return whether each pair's likeliest option is right, and its log loss, (P)."""
    return (p.argmax(axis=1) == pairs.truth).astype(float), losses(p, pairs.truth)


def _gains(
    pairs: Pairs, both: tuple[Floats | None, Floats | None], person: Ints
) -> dict[str, Gain]:
    """Return what the first of two stacks gains over the second."""
    having, without = both
    if having is None or without is None:
        return {"accuracy": Gain(), "nll": Gain()}
    right, loss = _judged(pairs, having)
    right_without, loss_without = _judged(pairs, without)
    return {
        "accuracy": _gain(right - right_without, person),
        "nll": _gain(loss_without - loss, person),
    }


def _gain(values: Floats, person: Ints) -> Gain:
    """Return the mean of values with Student's interval, clustered on persons."""
    # As scipy.stats has it, which takes a second to import.
    from scipy.special import stdtrit

    mean = float(values.mean())
    error2 = clustered_variance(values, person)
    if not np.isfinite(error2):
        return Gain(mean)
    half = float(stdtrit(person.max(), (1 + LEVEL) / 2) * np.sqrt(error2))
    return Gain(mean, mean - half, mean + half)


def _mean(values: Floats) -> float | None:
    return float(values.mean()) if len(values) else None


def to_leave_out(rows: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """Return the row of the predictor that one survey does best without; None where there is none.

    It is one that takes half a second of CPU and a tenth of all, and without which the stack loses
    less than .001 nats an answer: no more than chance may be, and less than .005 for sure. Of
    several it is the dearest, and no other: two that repeat each other add nothing as long as the
    other is there.

    Parameters
    ----------
    rows : of one survey, as `predictors_cost` returns them.
    """
    total = sum(row["seconds"] or 0.0 for row in rows)
    idle = [
        row
        for row in rows
        if None not in (row["seconds"], row["nll_gain"], row["nll_gain_low"], row["nll_gain_high"])
        and row["seconds"] >= max(SECONDS, SHARE * total)
        and row["nll_gain"] < LITTLE
        and row["nll_gain_low"] <= 0
        and row["nll_gain_high"] < MIN_GAIN
    ]
    return max(idle, key=lambda row: (row["seconds"], row["predictor"]), default=None)


def _costs(fitted: Any) -> dict[tuple[str, str], dict[str, Any]]:
    table = arrow(fitted)
    require(table, ("survey", "predictor", "size", "seconds"), "fitted predictors")
    rows = table.select(["survey", "predictor", "size", "seconds"]).to_pylist()
    return {
        (r["survey"], r["predictor"]): {"size": r["size"], "seconds": r["seconds"]} for r in rows
    }


def _titles(described: Any) -> dict[str, str]:
    table = arrow(described)
    require(table, ("predictor", "title"), "predictors")
    return dict(zip(table["predictor"].to_pylist(), table["title"].to_pylist(), strict=True))
