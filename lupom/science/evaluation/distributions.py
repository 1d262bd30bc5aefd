"""Whether predictions of many people are spread and hang together as the answers do."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from lupom.science.evaluation.bootstrap import Floats, Ints
from lupom.science.evaluation.groups import members
from lupom.science.evaluation.parts import Judged, judged
from lupom.science.evaluation.statistics import numbers
from lupom.science.inputs import arrow, require

DISTRIBUTIONS = pa.schema(
    [
        ("survey", pa.string()),
        ("scenario", pa.string()),
        ("pairs", pa.string()),
        ("predictor", pa.string()),
        ("llm", pa.string()),
        ("metric", pa.string()),
        ("attribute", pa.string()),
        ("group_value", pa.string()),
        ("question_id", pa.string()),
        ("other_question_id", pa.string()),
        ("value", pa.float64()),
        ("predicted", pa.float64()),
        ("truth", pa.float64()),
        ("n", pa.int64()),
    ]
)
# With fewer pairs a distribution of answers is mostly chance.
ENOUGH = 10
# With fewer respondents who have both questions, so is an association.
ENOUGH_BOTH = 30


@dataclass(frozen=True)
class _Question:
    """One question's predictions by one predictor: a row a pair."""

    name: str
    positions: Floats  # (options,), NaN where an option has none
    truth: Ints
    guess: Ints  # -1 where invalid
    spread: Floats  # (pairs, options), rows of NaN without a distribution
    weight: Floats
    person: Ints


def distribution_metrics(
    scores: Any,
    questions: Any,
    respondents: Any = None,
    *,
    attributes: Any = None,
    enough: int = ENOUGH,
    enough_both: int = ENOUGH_BOTH,
) -> pa.Table:
    """Return how alike the distributions of predictions and of answers are.

    Parameters
    ----------
    scores : a table as `scores.score` returns it, with probabilities and weight.
    questions : survey, question_id, options, ordinal.
    respondents : survey, respondent_id, attributes, to tell groups apart.
    attributes : which attributes; all without.
    enough, enough_both : how many pairs of a question, and how many respondents who have both of
        two questions, a figure needs.

    Returns
    -------
    Rows by metric; attribute and group_value are null where all respondents count. Distributions
    are weighted by survey weights, over options with a position where there are any (refusals
    stand apart, as in OpinionQA, Santurkar et al. 2023).
        similarity : 1 - Wasserstein distance of the mean predicted distribution and that of the
            answers, over the distance of the scale's ends; without positions 1 - total variation.
            For each question. Predictions without a distribution count as their answer.
        similarity_answers : the same of the answers predicted, not their probabilities.
        representativeness : mean of similarity over questions (question_id null).
        representativeness_answers : the same of similarity_answers.
        refusals_predicted : share of predicted probability on options without a position, beside
            the share of answers (`predicted`, `truth`; value is their difference).
        variance_ratio : variance of predicted answers in positions over that of answers given. Less
            than 1: predicted people are more alike than people are. For each question, and for all
            as the ratio of the means of variances in units of the scale.
        association : for two questions, Cramer's V of predicted answers less that of answers given
            (`predicted`, `truth`), over respondents with both.
        association_kept : correlation of the two over all such couples of questions.

    Raises
    ------
    ValueError : for a missing column.
    """
    asked = arrow(questions)
    require(asked, ("survey", "question_id", "options", "ordinal"), "questions")
    known: dict[tuple[str, str], tuple[list[str], Floats]] = {}
    for row in asked.to_pylist():
        labels = list(row["options"] or ())
        given = list(row["ordinal"] or ()) + [None] * len(labels)
        places = [np.nan if p is None else float(p) for p in given[: len(labels)]]
        known[row["survey"], row["question_id"]] = labels, np.array(places)
    rows: list[dict[str, Any]] = []
    for part in judged(scores, resamples=1):
        groups: list[tuple[str | None, str | None, npt.NDArray[np.bool_]]] = [
            (None, None, np.ones(len(part.people), dtype=bool))
        ]
        if respondents is not None:
            for attribute, values, member in members(part, arrow(respondents), attributes):
                groups += [(attribute, v, member == i) for i, v in enumerate(values)]
        for name, one, person in part.predictors():
            own = list(_questions(part, one, person, known))
            for group, value, chosen in groups:
                where = {"attribute": group, "group_value": value}
                for row in _alike(own, chosen, enough):
                    rows.append({**part.key, **name, **where, **row})
            for row in _together(own, enough_both):
                rows.append({**part.key, **name, **row})
    return pa.Table.from_pylist(rows, schema=DISTRIBUTIONS)


def _questions(
    part: Judged, table: pa.Table, person: Ints, known: dict[tuple[str, str], Any]
) -> Iterator[_Question]:
    names = np.array(table["question_id"].to_pylist(), dtype=object)
    truth = np.nan_to_num(numbers(table, "truth_code")).astype(np.int64) - 1
    guess = np.nan_to_num(numbers(table, "answer_code")).astype(np.int64) - 1
    weight = numbers(table, "weight")
    weight = np.where(np.isfinite(weight) & (weight >= 0), weight, 1.0)
    has = "probabilities" in table.column_names
    maps = table["probabilities"].to_pylist() if has else [None] * table.num_rows
    for name in sorted(set(names.tolist())):
        labels, positions = known.get((part.survey, name), ([], np.zeros(0)))
        at = np.flatnonzero((names == name) & (truth >= 0))
        if not labels or not at.size:
            continue
        place = {label: i for i, label in enumerate(labels)}
        spread = np.full((len(at), len(labels)), np.nan)
        for row, i in enumerate(at):
            given: Any = maps[i]
            if given and guess[i] >= 0:
                spread[row] = 0.0
                for label, p in dict(given).items():
                    spread[row, place[label]] = p
                total = spread[row].sum()
                spread[row] = spread[row] / total if total > 0 else np.nan
        yield _Question(name, positions, truth[at], guess[at], spread, weight[at], person[at])


def _alike(
    questions: list[_Question], chosen: npt.NDArray[np.bool_], enough: int
) -> Iterator[dict[str, Any]]:
    """Yield similarity, representativeness, refusals and variance of the chosen respondents."""
    found: dict[str, list[tuple[float, int]]] = {"": [], "_answers": []}
    variances = []
    for q in questions:
        rows = chosen[q.person] & (q.guess >= 0)
        n = int(rows.sum())
        if n < max(enough, 1) or not q.weight[rows].sum() > 0:
            continue
        eye = np.eye(len(q.positions))
        weight = q.weight[rows] / q.weight[rows].sum()
        hard = eye[q.guess[rows]]
        soft = np.where(np.isnan(q.spread[rows]), hard, q.spread[rows])
        true = weight @ eye[q.truth[rows]]
        for ending, given in (("", soft), ("_answers", hard)):
            value = similarity(weight @ given, true, q.positions)
            if value is not None:
                found[ending].append((value, n))
                yield {
                    "metric": "similarity" + ending,
                    **{"question_id": q.name, "value": value, "n": n},
                }
        apart = ~np.isfinite(q.positions)
        if apart.any() and not apart.all():
            guessed, given_share = float((weight @ soft)[apart].sum()), float(true[apart].sum())
            yield {
                **{"metric": "refusals_predicted", "question_id": q.name, "n": n},
                **{"predicted": guessed, "truth": given_share, "value": guessed - given_share},
            }
        pair = _variances(q, rows, enough)
        if pair is not None:
            predicted, truth, count = pair
            variances.append(pair)
            if truth > 0:
                yield {
                    **{"metric": "variance_ratio", "question_id": q.name, "n": count},
                    **{"value": predicted / truth, "predicted": predicted, "truth": truth},
                }
    for ending, values in found.items():
        if values:
            yield {
                "metric": "representativeness" + ending,
                "value": float(np.mean([v for v, _ in values])),
                "n": sum(n for _, n in values),
            }
    if variances:
        predicted, truth = (float(np.mean([v[i] for v in variances])) for i in (0, 1))
        if truth > 0:
            yield {
                **{"metric": "variance_ratio", "n": sum(v[2] for v in variances)},
                **{"value": predicted / truth, "predicted": predicted, "truth": truth},
            }


def similarity(predicted: Floats, truth: Floats, positions: Floats) -> float | None:
    """Return 1 - the distance of two distributions, as a share of the greatest possible.

    Parameters
    ----------
    predicted, truth : (options,) masses.
    positions : (options,) positions, NaN for options that stand apart. Where two or more have one,
        the distance is Wasserstein's over those, each distribution divided by its sum there; where
        none has, it is total variation over all options.

    Returns
    -------
    A share, or None where a distribution has no mass on the options that count.
    """
    placed = np.isfinite(positions)
    if not placed.any():
        a, b = predicted / max(predicted.sum(), 1e-300), truth / max(truth.sum(), 1e-300)
        return 1.0 - 0.5 * float(np.abs(a - b).sum())
    order = np.argsort(positions[placed], kind="stable")
    at = positions[placed][order]
    a, b = predicted[placed][order], truth[placed][order]
    if at[-1] == at[0] or not a.sum() > 0 or not b.sum() > 0:
        return None
    apart = np.abs(np.cumsum(a / a.sum()) - np.cumsum(b / b.sum()))[:-1]
    return 1.0 - float((apart * np.diff(at)).sum() / (at[-1] - at[0]))


def _variances(
    q: _Question, rows: npt.NDArray[np.bool_], enough: int
) -> tuple[float, float, int] | None:
    """Return the variances of predictions and answers in units of the scale, and of how many."""
    guess, truth = q.positions[q.guess[rows]], q.positions[q.truth[rows]]
    both = np.isfinite(guess) & np.isfinite(truth)
    ends = q.positions[np.isfinite(q.positions)]
    if both.sum() < max(enough, 2) or ends.max() == ends.min():
        return None
    weight, width = q.weight[rows][both], ends.max() - ends.min()

    def variance(values: Floats) -> float:
        mean = np.average(values, weights=weight)
        return float(np.average((values - mean) ** 2, weights=weight)) / float(width) ** 2

    if not weight.sum() > 0:
        return None
    return variance(guess[both]), variance(truth[both]), int(both.sum())


def _together(questions: list[_Question], enough: int) -> Iterator[dict[str, Any]]:
    """Yield the association of every two questions that enough respondents have."""
    kept = []
    for a, b in combinations(questions, 2):
        _, at_a, at_b = np.intersect1d(a.person, b.person, return_indices=True)
        valid = (a.guess[at_a] >= 0) & (b.guess[at_b] >= 0)
        at_a, at_b = at_a[valid], at_b[valid]
        if len(at_a) < max(enough, 2):
            continue
        truth = cramers_v(a.truth[at_a], b.truth[at_b])
        predicted = cramers_v(a.guess[at_a], b.guess[at_b])
        if truth is None:
            continue
        # Who predicts one answer for all predicts no association.
        value = 0.0 if predicted is None else predicted
        kept.append((value, truth, len(at_a)))
        yield {
            **{"metric": "association", "question_id": a.name, "other_question_id": b.name},
            **{"value": value - truth, "predicted": value, "truth": truth, "n": len(at_a)},
        }
    if len(kept) > 2:
        predicted_all, truth_all, counts = (np.array(column) for column in zip(*kept, strict=True))
        if predicted_all.std() > 0 and truth_all.std() > 0:
            yield {
                "metric": "association_kept",
                "value": float(np.corrcoef(predicted_all, truth_all)[0, 1]),
                **{"predicted": float(predicted_all.mean()), "truth": float(truth_all.mean())},
                "n": int(counts.sum()),
            }


def cramers_v(a: Ints, b: Ints) -> float | None:
    """Return Cramer's V of two codes, 0 to 1, None where one of them does not vary."""
    x, y = np.unique(a, return_inverse=True)[1], np.unique(b, return_inverse=True)[1]
    rows, columns = int(x.max()) + 1, int(y.max()) + 1
    if min(rows, columns) < 2:
        return None
    table = np.bincount(x * columns + y, minlength=rows * columns).reshape(rows, columns)
    n = table.sum()
    expected = np.outer(table.sum(axis=1), table.sum(axis=0)) / n
    chi2 = float(((table - expected) ** 2 / expected).sum())
    return float(np.sqrt(chi2 / (n * (min(rows, columns) - 1))))
