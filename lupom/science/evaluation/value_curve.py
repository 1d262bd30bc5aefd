"""What more people are worth: accuracy by how many people are learned from, with an LLM or without.

The question it answers is how many people a survey has to ask before predictions are good, and
whether an LLM takes the place of some of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lupom.science.evaluation.bootstrap import Draws, interval
from lupom.science.inputs import arrow, require
from lupom.science.predictors import baselines, stack
from lupom.science.predictors.predictor import State
from lupom.science.predictors.screened import screened
from lupom.science.predictors.task import Bools, Task, tasks

SIZES = (30, 100, 300, 1000)

# Those that are fitted in a tenth of a second: with them the General Social Survey's curve takes
# 1.5 s of CPU. Forests alone would take ten.
CHEAP = ("majority", "neighbours_answers", "factors_answers", "logistic_answers")

# Of few people it matters which: accuracies there are means over this many draws of them.
FEW, DRAWS = 100, 3

CURVE = pa.schema(
    [
        ("survey", pa.string()),
        ("respondents", pa.int64()),
        ("predictor", pa.string()),
        ("llm", pa.string()),
        ("pairs", pa.string()),
        ("accuracy", pa.float64()),
        ("low", pa.float64()),
        ("high", pa.float64()),
        ("n", pa.int64()),
    ]
)

Pair = tuple[str, str]


@dataclass(frozen=True)
class _Point:
    """A predictor that learned from so many people: how often each pair was right, by pair."""

    respondents: int
    predictor: str
    llm: str | None
    right: Mapping[Pair, float]


def value_curve(
    known: Any,
    pairs: Any,
    respondents: Any,
    questions: Any,
    predictions: Any,
    tuning: Any,
    holdout: Any,
    *,
    predictors: Sequence[str] = CHEAP,
    sizes: Sequence[int] = SIZES,
    seed: int = 0,
    resamples: int = 400,
    states: Mapping[str, Mapping[str, State]] | None = None,
    learners: Any = None,
) -> pa.Table:
    """Return the accuracy of predictors fitted to some of the reference respondents, and to all.

    Plain predictors, their combination (stack_plain) and that with each LLM (stack) are fitted
    anew to the first 30, 100, 300, ... of the reference respondents in an order drawn by the seed,
    those whose tuning pairs an LLM predicted before the others: answers and tuning pairs of the
    rest are left out. Only pairs of known questions and respondents count.

    Parameters
    ----------
    known, pairs, respondents, questions : as `baselines.predict` takes them.
    predictions : of LLMs, as `stack.stack` takes them.
    tuning : survey, respondent_id, question_id, answer of the tuning pairs.
    holdout : survey, respondent_id, question_id, role, answer: what test pairs are judged by.
    predictors : names of shipped ones.
    sizes : numbers of respondents; those that are not there are left out.
    states : what predictors learned of all reference respondents, as `fitted.read` returns it;
        without it they are fitted to all of them here, too.
    learners : as for `task.tasks`.

    Returns
    -------
    Rows survey, respondents (how many were learned from), predictor, llm, pairs ('all' test pairs,
    or those 'llm' predicted, of stack_plain and stack), accuracy, low, high (95 %, bootstrap over
    test respondents), n.

    Raises
    ------
    ValueError : for a missing column, and as `baselines.predict` does.
    """
    holdout = arrow(holdout)
    require(holdout, ("survey", "respondent_id", "question_id", "role", "answer"), "held-out pairs")
    shipped = baselines.shipped()
    chosen = {name: screened(shipped[name]) for name in predictors if name in shipped}
    rows: list[dict[str, Any]] = []
    for task in tasks(known, pairs, respondents, questions, learners=learners):
        usual = task.only(np.flatnonzero(task.scenarios == "known"))
        here = holdout.filter(
            pc.and_(pc.equal(holdout["survey"], task.survey), pc.equal(holdout["role"], "test"))
        )
        told = here.select(["respondent_id", "question_id", "answer"]).to_pylist()
        truth = {(r["respondent_id"], r["question_id"]): r["answer"] for r in told}
        points = _points(
            *(usual, chosen, arrow(predictions), arrow(tuning), questions, truth, sizes, seed),
            (states or {}).get(task.survey),
        )
        rows += _judged(task.survey, points, seed, resamples)
    return pa.Table.from_pylist(rows, schema=CURVE)


def _points(
    task: Task,
    predictors: Mapping[str, Any],
    predictions: pa.Table,
    tuning: pa.Table,
    questions: Any,
    truth: Mapping[Pair, Any],
    sizes: Sequence[int],
    seed: int,
    states: Mapping[str, State] | None,
) -> list[_Point]:
    reference = np.flatnonzero(task.reference)
    if not len(reference) or not (task.roles == "test").any():
        return []
    predictions = predictions.filter(pc.equal(predictions["survey"], task.survey))
    tuning = tuning.filter(pc.equal(tuning["survey"], task.survey))
    asked = set(pc.unique(predictions["respondent_id"]).to_pylist())
    by_llm = np.array([task.respondents[row] in asked for row in reference])
    wanted = sorted({size for size in sizes if 0 < size < len(reference)} | {len(reference)})
    points = []
    for size in wanted:
        sums: dict[tuple[str, str | None], dict[Pair, float]] = {}
        draws = DRAWS if size <= FEW and size < len(reference) else 1
        for draw in range(draws):
            order = np.random.default_rng([seed, draw]).permutation(len(reference))
            order = order[np.argsort(~by_llm[order], kind="stable")]
            learned = np.zeros(len(task.respondents), dtype=bool)
            learned[reference[order[:size]]] = True
            made = _predicted(
                *(task, learned, predictors, predictions, tuning, questions, seed),
                states if size == len(reference) else None,
            )
            for person, question, *of, answer in zip(
                *(column.to_pylist() for column in made.columns), strict=True
            ):
                pair = (person, question)
                if pair in truth:
                    right = sums.setdefault((of[0], of[1]), {})
                    right[pair] = right.get(pair, 0.0) + float(answer == truth[pair]) / draws
        points += [_Point(size, name, llm, right) for (name, llm), right in sums.items()]
    return points


def _predicted(
    task: Task,
    learned: Bools,
    predictors: Mapping[str, Any],
    predictions: pa.Table,
    tuning: pa.Table,
    questions: Any,
    seed: int,
    states: Mapping[str, State] | None,
) -> pa.Table:
    """Return predictions of the test pairs by what some respondents are known to have answered."""
    kept = np.flatnonzero((task.roles == "test") | learned[task.rows])
    # A new object: what the task has worked out is of all reference respondents.
    part = replace(task.only(kept), reference=learned)
    found = baselines.probabilities_of(part, predictors, seed, states)
    plain = pa.concat_tables([baselines.table(part, name, p) for name, p in found.items()])
    people = pa.array(sorted({task.respondents[row] for row in part.rows}), pa.string())
    combined = stack.stack(
        plain,
        predictions.filter(pc.is_in(predictions["respondent_id"], people)),
        tuning.filter(pc.is_in(tuning["respondent_id"], people)),
        questions,
        seed=seed,
        left_out=(),
    )
    combined = combined.filter(pc.not_equal(combined["predictor"], "routed"))
    both = pa.concat_tables([plain, combined.select(plain.column_names)])
    return both.filter(pc.equal(both["role"], "test")).select(
        ["respondent_id", "question_id", "predictor", "llm", "answer"]
    )


def _judged(
    survey: str, points: Sequence[_Point], seed: int, resamples: int
) -> list[dict[str, Any]]:
    rows = []
    plain = [p for p in points if p.llm is None]
    sets: list[tuple[str, str | None, list[_Point], set[Pair]]] = []
    if plain:
        sets.append(("all", None, plain, set(plain[0].right)))
    for llm in sorted({p.llm for p in points if p.llm is not None}):
        own = [p for p in points if p.llm == llm]
        asked = set.intersection(*(set(p.right) for p in own))
        without = [p for p in plain if p.predictor == "stack_plain"]
        sets.append(("llm", llm, [*without, *own], asked))
    for pairs, alias, some, asked in sets:
        if not asked:
            continue
        words = (survey, pairs, alias or "")
        found = _intervals(some, sorted(asked), words, seed, resamples)
        for point, (value, low, high) in zip(some, found, strict=True):
            rows.append(
                {
                    **{"survey": survey, "respondents": point.respondents},
                    **{"predictor": point.predictor, "llm": alias, "pairs": pairs},
                    **{"accuracy": value, "low": low, "high": high, "n": len(asked)},
                }
            )
    return rows


def _intervals(
    points: Sequence[_Point], pairs: Sequence[Pair], words: Sequence[str], seed: int, resamples: int
) -> list[tuple[float, float | None, float | None]]:
    """Return the accuracy of each point on some pairs and its interval over respondents."""
    people, unit = np.unique([respondent for respondent, _ in pairs], return_inverse=True)
    columns = [np.bincount(unit, minlength=len(people)).astype(float)]
    for point in points:
        right = np.array([point.right[pair] for pair in pairs])
        columns.append(np.bincount(unit, weights=right, minlength=len(people)))
    sums = Draws(len(people), resamples, seed, words).sums(np.stack(columns, axis=1))
    with np.errstate(invalid="ignore", divide="ignore"):
        accuracy = sums[:, 1:] / sums[:, :1]
    return [(float(drawn[0]), *interval(drawn)) for drawn in accuracy.T]
