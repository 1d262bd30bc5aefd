"""Whether predictions, taken together, look like the people they stand for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import pyarrow as pa

from lupom.science.blas import one_thread
from lupom.science.evaluation.bootstrap import Draws, Floats, Ints, interval, rounded
from lupom.science.evaluation.groups import SMALLEST, attributes_of, groups
from lupom.science.evaluation.measures import kish, ratio
from lupom.science.evaluation.sample import Judged, Sample, samples
from lupom.science.evaluation.scores import (
    Options,
    distributions_of,
    options_of,
    question_of,
)
from lupom.science.inputs import arrow, require

DISTRIBUTION_METRICS = pa.schema(
    [
        ("survey", pa.string()),
        ("scenario", pa.string()),
        ("pairs", pa.string()),
        ("predictor", pa.string()),
        ("llm", pa.string()),
        ("question_id", pa.string()),
        ("attribute", pa.string()),
        ("group", pa.string()),
        ("metric", pa.string()),
        ("value", pa.float64()),
        ("low", pa.float64()),
        ("high", pa.float64()),
        ("n", pa.int64()),
        ("n_eff", pa.float64()),
    ]
)
_SPREAD = ("survey", "respondent_id", "question_id", "predictor", "probabilities")
# Fewer respondents who were asked both questions, and their association is noise.
BOTH = 30


@dataclass(frozen=True)
class _Question:
    """A question's options: labels, and positions from 0 to 1 (None where they have no order)."""

    labels: tuple[str, ...]
    positions: Floats | None


@dataclass(frozen=True)
class _Counted:
    """One question's answers in every draw, (1 + resamples, options) each.

    Attributes
    ----------
    truth : given answers; spread : predicted probabilities; answer : predicted answers.
    people : the predictions of each person, (people).
    """

    truth: Floats
    spread: Floats
    answer: Floats
    people: Ints

    @property
    def n(self) -> int:
        return int(self.people.sum())


@one_thread()
def distribution_metrics(
    scores: Any,
    questions: Any,
    respondents: Any = None,
    *,
    attributes: Sequence[str] | None = None,
    seed: int = 0,
    resamples: int = 200,
    level: float = 0.95,
    smallest: int = SMALLEST,
) -> pa.Table:
    """Return how close predicted distributions are to those of the answers given.

    Parameters
    ----------
    scores : a table as `scores.score` returns it.
    questions : survey, question_id, options, ordinal.
    respondents : survey, respondent_id, attributes, for the groups; None for none.
    smallest : groups of fewer respondents, and questions with fewer predictions in a group, are
        left out.

    Returns
    -------
    Rows by predictor (n predictions, n_eff as in `metrics.metrics`), for one question (question_id)
    or all together (null), for one group (attribute, group) or everyone (null). All are weighted by
    survey weights; refusals are not answers, so that they are apart. The metrics:
        similarity : 1 minus the Wasserstein distance of the predicted and the given distribution,
            positions scaled to 0 to 1; 1 minus the total variation distance where options have no
            order. A prediction without probabilities counts as its answer.
        representativeness : the mean of that over questions (OpinionQA: Santurkar et al. 2023,
            section 3).
        variance_ratio : variance of the predicted answers over that of the given ones, positions
            as above (1 minus the sum of squared shares where there is no order); over all
            questions, sums of both. Below 1 predicted people are more alike than people.
        association_given, association_predicted, association_error : mean over pairs of questions
            that at least 30 respondents have predictions of: Cramer's V of the given answers, of
            the predicted ones, and the mean absolute difference.

    Raises ValueError for a missing column.
    """
    table = arrow(scores)
    known = _questions(questions)
    options = options_of(arrow(questions))
    people = {} if respondents is None else attributes_of(respondents)
    rows: list[dict[str, Any]] = []
    for sample in samples(table):
        words = (sample.survey, sample.scenario, sample.pairs)
        draws = Draws(len(sample.people), resamples, seed, words)
        asked = [known.get((sample.survey, name)) for name in sample.questions]
        names = people.get(sample.survey, {})
        every = attributes or sorted({a for person in names.values() for a in person})
        divided = [(a, g, m) for a in every for g, m in groups(sample, names, a, smallest)]
        for judged in sample.judged:
            head = sample.named(judged)
            spreads = _spreads(table, judged, asked, options)
            whole = _counted(sample, judged, asked, spreads, draws, sample.weights)
            rows += _rows(head, sample, asked, whole, sample.weights, level, questions_too=True)
            rows += _associations(head, judged, asked, level)
            for attribute, group, mask in divided:
                of_group = {**head, "attribute": attribute, "group": group}
                some, own = draws.of(mask), judged.of(mask)
                kept = mask[judged.person]
                part = {q: s[kept[judged.question == q]] for q, s in spreads.items()}
                own_weights = sample.weights[mask]
                found = _counted(sample, own, asked, part, some, own_weights)
                rows += _rows(of_group, sample, asked, found, own_weights, level, smallest=smallest)
    return pa.Table.from_pylist(rows, schema=DISTRIBUTION_METRICS)


def _questions(questions: Any) -> dict[tuple[str, str], _Question]:
    table = arrow(questions)
    require(table, ("survey", "question_id", "options", "ordinal"), "questions")
    out = {}
    for row in table.select(["survey", "question_id", "options", "ordinal"]).to_pylist():
        labels = tuple(row["options"] or ())
        given = [np.nan if p is None else float(p) for p in row["ordinal"] or ()]
        positions = np.array([*given, *[np.nan] * (len(labels) - len(given))], dtype=float)
        span = np.nanmax(positions) - np.nanmin(positions) if np.isfinite(positions).any() else 0.0
        scaled = (positions - np.nanmin(positions)) / span if span > 0 else None
        out[row["survey"], row["question_id"]] = _Question(labels, scaled)
    return out


def _spreads(
    table: pa.Table, judged: Judged, asked: Sequence[_Question | None], options: Options
) -> dict[int, Floats]:
    """Return predicted probabilities by question, (predictions, options), rows of 0 for invalid."""
    own = table.select(_SPREAD).take(pa.array(judged.rows))
    spread, has = distributions_of(own, question_of(own, options), options)
    guess = np.nan_to_num(judged.numbers["answer_code"]).astype(np.int64) - 1
    spread[guess < 0] = 0.0
    bare = np.flatnonzero((guess >= 0) & ~has)
    spread[bare, guess[bare]] = 1.0
    out = {}
    for q, question in enumerate(asked):
        if question is not None and question.labels:
            out[q] = spread[judged.question == q, : len(question.labels)]
    return out


def _counted(
    sample: Sample,
    judged: Judged,
    asked: Sequence[_Question | None],
    spreads: dict[int, Floats],
    draws: Draws,
    weights: Floats,
) -> dict[int, _Counted]:
    people = draws.counts.shape[1]
    out = {}
    for q, spread in spreads.items():
        rows = np.flatnonzero(judged.question == q)
        if not len(rows):
            continue
        width = spread.shape[1]
        # Of a thousand pairs a question has forty: those who were not asked it add nothing.
        there, person = np.unique(judged.person[rows], return_inverse=True)
        by_person = np.zeros((len(there), 3 * width))
        truth = judged.numbers["truth_code"][rows].astype(np.int64) - 1
        guess = np.nan_to_num(judged.numbers["answer_code"][rows]).astype(np.int64) - 1
        np.add.at(by_person, (person, truth), 1.0)
        np.add.at(by_person[:, width : 2 * width], person, spread)
        valid = guess >= 0
        np.add.at(by_person, (person[valid], 2 * width + guess[valid]), 1.0)
        sums = draws.of(there).sums(by_person, weights[there]).reshape(-1, 3, width)
        shares = ratio(sums, np.broadcast_to(sums.sum(axis=2, keepdims=True), sums.shape))
        asked_of = np.bincount(judged.person[rows], minlength=people)
        out[q] = _Counted(shares[:, 0], shares[:, 1], shares[:, 2], asked_of)
    return out


def _compared(
    asked: Sequence[_Question | None], counted: dict[int, _Counted]
) -> dict[int, tuple[Floats, Floats, Floats]]:
    """Return similarity and the variances of given and of predicted answers, (draws), by question.

    Questions whose options have the same places are compared at once: with 24 questions, 25 groups
    and 24 predictors most of the time went into calls of NumPy.
    """
    alike: dict[tuple[int, bytes], list[int]] = {}
    for q, found in counted.items():
        question = asked[q]
        assert question is not None
        places = b"" if question.positions is None else question.positions.tobytes()
        alike.setdefault((found.truth.shape[1], places), []).append(q)
    out: dict[int, tuple[Floats, Floats, Floats]] = {}
    for together in alike.values():
        one = asked[together[0]]
        assert one is not None
        truth, spread, answer = (
            np.stack([getattr(counted[q], name) for q in together])
            for name in ("truth", "spread", "answer")
        )
        values = (
            similarity(truth, spread, one.positions),
            variance(truth, one.positions),
            variance(answer, one.positions),
        )
        out |= {q: (values[0][i], values[1][i], values[2][i]) for i, q in enumerate(together)}
    return out


def similarity(given: Floats, predicted: Floats, positions: Floats | None) -> Floats:
    """Return 1 minus the distance of two distributions over a question's options, (..., draws).

    Parameters
    ----------
    given, predicted : shares, (..., draws, options).
    positions : (options) from 0 to 1, NaN for options outside of the order, which are left out;
        None for options without an order.
    """
    if positions is None:
        return np.asarray(1.0 - np.abs(given - predicted).sum(axis=-1) / 2.0)
    there = np.flatnonzero(np.isfinite(positions))
    there = there[np.argsort(positions[there], kind="stable")]
    one, other = _renormalised(given[..., there]), _renormalised(predicted[..., there])
    steps = np.diff(positions[there])
    apart = np.abs(np.cumsum(one, axis=-1) - np.cumsum(other, axis=-1))[..., :-1]
    return np.asarray(1.0 - apart @ steps)


def variance(shares: Floats, positions: Floats | None) -> Floats:
    """Return the variance of answers, (..., draws): of positions, or 1 minus the squared shares."""
    if positions is None:
        return np.asarray(1.0 - np.square(shares).sum(axis=-1))
    there = np.isfinite(positions)
    kept = _renormalised(shares[..., there])
    mean = kept @ positions[there]
    return np.asarray(kept @ np.square(positions[there]) - np.square(mean))


def _renormalised(shares: Floats) -> Floats:
    return ratio(shares, np.broadcast_to(shares.sum(axis=-1, keepdims=True), shares.shape))


def _rows(
    head: dict[str, Any],
    sample: Sample,
    asked: Sequence[_Question | None],
    counted: dict[int, _Counted],
    weights: Floats,
    level: float,
    *,
    questions_too: bool = False,
    smallest: int = 0,
) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    close, one, other = [], [], []
    everyone: Ints = np.zeros(len(weights), dtype=np.int64)
    compared = _compared(asked, counted)
    for q, found in counted.items():
        alike, given, predicted = compared[q]
        if np.isfinite(alike[0]):
            close.append(alike)
            one.append(predicted)
            other.append(given)
            everyone = everyone + found.people
        if questions_too or found.n >= smallest > 0:
            of = {**head, "question_id": sample.questions[q], **_carried(found.people, weights)}
            rows.append(_row(of, "similarity", alike, level))
            rows.append(_row(of, "variance_ratio", ratio(predicted, given), level))
    if close:
        head = {**head, **_carried(everyone, weights)}
        # In a draw without anybody who counts no question has a value, and so the mean has none.
        known = np.isfinite(close).sum(axis=0).astype(np.float64)
        mean = ratio(np.nansum(close, axis=0), known)
        rows.append(_row(head, "representativeness", mean, level))
        both = ratio(np.nansum(one, axis=0), np.nansum(other, axis=0))
        rows.append(_row(head, "variance_ratio", both, level))
    return [row for row in rows if row["value"] is not None]


def _carried(people: Ints, weights: Floats) -> dict[str, Any]:
    return {"n": int(people.sum()), "n_eff": rounded(kish(people, weights))}


def _row(head: dict[str, Any], metric: str, values: Floats, level: float) -> dict[str, Any]:
    low, high = interval(values, level)
    return {**head, "metric": metric, "value": rounded(values[0]), "low": low, "high": high}


def _associations(
    head: dict[str, Any], judged: Judged, asked: Sequence[_Question | None], level: float
) -> list[dict[str, Any]]:
    """Return how far associations between questions are kept; no intervals, few pairs allow any."""
    cells: dict[int, dict[int, tuple[int, int]]] = {}
    truth = np.nan_to_num(judged.numbers["truth_code"]).astype(np.int64)
    guess = np.nan_to_num(judged.numbers["answer_code"]).astype(np.int64)
    for person, question, t, g in zip(judged.person, judged.question, truth, guess, strict=True):
        if t > 0 and g > 0:
            cells.setdefault(int(question), {})[int(person)] = (int(t), int(g))
    given, predicted = [], []
    for a, b in combinations(sorted(cells), 2):
        shared = sorted(cells[a].keys() & cells[b].keys())
        if len(shared) < BOTH:
            continue
        first = np.array([cells[a][person] for person in shared])
        second = np.array([cells[b][person] for person in shared])
        given.append(cramers_v(first[:, 0], second[:, 0]))
        predicted.append(cramers_v(first[:, 1], second[:, 1]))
    if not given:
        return []
    found = {
        "association_given": np.mean(given),
        "association_predicted": np.mean(predicted),
        "association_error": np.mean(np.abs(np.subtract(given, predicted))),
    }
    return [
        {**head, "metric": name, "value": rounded(float(value)), "n": len(given)}
        for name, value in found.items()
    ]


def cramers_v(one: Ints, other: Ints) -> float:
    """Return Cramer's V of two columns of codes, 0 where one of them has a single value."""
    a, first = np.unique(one, return_inverse=True)
    b, second = np.unique(other, return_inverse=True)
    if min(len(a), len(b)) < 2:
        return 0.0
    table = np.zeros((len(a), len(b)))
    np.add.at(table, (first, second), 1.0)
    expected = table.sum(axis=1, keepdims=True) @ table.sum(axis=0, keepdims=True) / table.sum()
    chi = (np.square(table - expected) / expected).sum()
    return float(np.sqrt(chi / (table.sum() * (min(table.shape) - 1))))
