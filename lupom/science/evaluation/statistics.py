"""What every metric is made of: sums for each respondent, and what is made of their totals."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from lupom.science.evaluation.bootstrap import Floats, Ints, person_sums, ratio

# Bins of the calibration error and of the reliability curve, of equal width.
BINS = 10
_COLUMNS = {
    "accuracy": "correct",
    "accuracy_collapsed": "collapsed_correct",
    "ordinal_error": "ordinal_error",
    "absolute_error": "absolute_error",
    "nll": "nll",
    "brier": "brier",
}
METRICS = (
    *("accuracy", "macro_f1", "macro_f1_pooled", "accuracy_collapsed", "ordinal_error"),
    *("absolute_error", "share_invalid", "nll", "brier", "calibration_error"),
    *("share_of_ceiling", "accuracy_weighted", "macro_f1_weighted", "macro_f1_pooled_weighted"),
    *("accuracy_collapsed_weighted", "ordinal_error_weighted", "absolute_error_weighted"),
    *("share_invalid_weighted", "nll_weighted", "brier_weighted"),
)


def numbers(table: pa.Table, name: str) -> Floats:
    """Return a column as floats, NaN where it is null or not there."""
    if name not in table.column_names:
        return np.full(table.num_rows, np.nan)
    column = table[name]
    if pa.types.is_boolean(column.type):
        column = column.cast(pa.int8())
    return np.array(column.cast(pa.float64()).to_numpy(), dtype=float)


@dataclass(frozen=True)
class Part:
    """The scores of one predictor as arrays, a row a pair.

    Attributes
    ----------
    values : by metric, NaN where it is not defined for the pair.
    truth, guess : option codes from 1; 0 where there is none.
    question : its number.
    confidence : probability of the answer given by the predictor, NaN without a distribution.
    ceiling : how often people give the same answer to the question again, NaN where not known.
    weight : survey weights.
    """

    values: Mapping[str, Floats]
    truth: Ints
    guess: Ints
    question: Ints
    confidence: Floats
    ceiling: Floats
    weight: Floats


def part_of(table: pa.Table, ceiling: Any = None) -> Part:
    """Return rows of `scores` as arrays.

    Parameters
    ----------
    table : truth_code, answer_code, correct, ordinal_error, nll, brier, question_id; and, where
        there are such columns, collapsed_correct, absolute_error, confidence, weight.
    ceiling : a number, or a number by question, or None.
    """
    values: dict[str, Floats] = {
        metric: numbers(table, column) for metric, column in _COLUMNS.items()
    }
    guess = np.nan_to_num(numbers(table, "answer_code")).astype(np.int64)
    valid = guess > 0
    if "valid" in table.column_names:
        valid = numbers(table, "valid") > 0
    values["share_invalid"] = np.where(valid, 0.0, 1.0)
    encoded = table["question_id"].combine_chunks().dictionary_encode()
    question = np.asarray(encoded.indices, dtype=np.int64)
    names = encoded.dictionary.to_pylist()
    if isinstance(ceiling, Mapping):
        given = [ceiling.get(name) for name in names]
    else:
        given = [ceiling] * len(names)
    of_question = np.array([np.nan if c is None else float(c) for c in given])
    weight = numbers(table, "weight")
    return Part(
        values,
        np.nan_to_num(numbers(table, "truth_code")).astype(np.int64),
        guess,
        question,
        numbers(table, "confidence"),
        of_question[question] if len(names) else np.zeros(0),
        # A respondent without a weight counts as one.
        np.where(np.isfinite(weight) & (weight >= 0), weight, 1.0),
    )


@dataclass(frozen=True)
class Statistics:
    """Sums by respondent, (people, columns), and where each metric's stand among the columns."""

    sums: Floats
    means: Mapping[str, int]
    classes: Mapping[str, tuple[int, int, tuple[Ints, ...]]]
    bins: int | None
    entered: Mapping[str, npt.NDArray[np.bool_]]

    @property
    def counts(self) -> dict[str, int]:
        """By metric, how many pairs entered."""
        return {name: int(rows.sum()) for name, rows in self.entered.items()}

    def counts_of(self, chosen: npt.NDArray[np.bool_]) -> dict[str, int]:
        """By metric, how many of the chosen pairs entered."""
        return {name: int((rows & chosen).sum()) for name, rows in self.entered.items()}

    def finish(self, totals: Floats) -> dict[str, Floats]:
        """Return by metric its value in every row of `totals` (rows, columns)."""
        out = {}
        for name, at in self.means.items():
            out[name] = ratio(totals[:, at], totals[:, at + 1])
        for ending, (at, width, groups) in self.classes.items():
            hits, sizes = totals[:, at : at + width], totals[:, at + width : at + 2 * width]
            out["macro_f1" + ending] = _f1(hits, sizes)
            pooled = [np.stack([m[:, g].sum(axis=1) for g in groups], 1) for m in (hits, sizes)]
            out["macro_f1_pooled" + ending] = _f1(*pooled)
        if self.bins is not None:
            right, sure, n = (
                totals[:, self.bins + i * BINS : self.bins + (i + 1) * BINS] for i in range(3)
            )
            out["calibration_error"] = ratio(np.abs(right - sure).sum(axis=1), n.sum(axis=1))
        return {name: out[name] for name in METRICS if name in out}


def statistics(part: Part, person: Ints, people: int) -> Statistics:
    """Return the sums of every metric that the pairs of `part` allow."""
    columns: list[Floats] = []
    means: dict[str, int] = {}
    counts: dict[str, npt.NDArray[np.bool_]] = {}
    classes: dict[str, tuple[int, int, tuple[Ints, ...]]] = {}
    right = part.values["accuracy"]

    def mean(name: str, values: Floats, weight: Floats) -> None:
        there = np.isfinite(values)
        if there.any():
            means[name], counts[name] = len(columns), there
            columns.append(person_sums(values * weight, person, people))
            columns.append(person_sums(there * weight, person, people))

    ones = np.ones(len(person))
    for name, values in part.values.items():
        mean(name, values, ones)
        mean(name + "_weighted", values, part.weight)
    known = np.isfinite(right) & (part.ceiling > 0)
    if known.any():
        means["share_of_ceiling"], counts["share_of_ceiling"] = len(columns), known
        columns.append(person_sums(np.where(known, right, 0.0), person, people))
        columns.append(person_sums(np.where(known, part.ceiling, 0.0), person, people))
    coded = (part.truth > 0) & np.isfinite(right)
    if coded.any():
        for ending, weight in (("", ones), ("_weighted", part.weight)):
            block, groups = _class_sums(part, coded, weight, person, people)
            classes[ending] = (len(columns), block.shape[1] // 2, groups)
            columns.extend(block.T)
            for name in ("macro_f1", "macro_f1_pooled"):
                counts[name + ending] = coded
    bins = None
    sure = np.isfinite(part.confidence) & np.isfinite(right)
    if sure.any():
        bins, counts["calibration_error"] = len(columns), sure
        columns.extend(bin_sums(right, part.confidence, sure, person, people).T)
    sums = np.stack(columns, axis=1) if columns else np.zeros((people, 0))
    return Statistics(sums, means, classes, bins, counts)


def bin_sums(right: Floats, confidence: Floats, there: Any, person: Ints, people: int) -> Floats:
    """Return (people, 3 x BINS): correct answers, sum of confidence and count, in each bin."""
    place = bin_of(np.where(there, confidence, 0.0))
    cell = (person * BINS + place)[there]
    out = [
        np.bincount(cell, weights=w, minlength=people * BINS).reshape(people, BINS)
        for w in (right[there], confidence[there], np.ones(int(there.sum())))
    ]
    return np.concatenate(out, axis=1)


def bin_of(confidence: Floats) -> Ints:
    """Return the bin of each confidence: (0, 0.1], (0.1, 0.2], and so on."""
    return np.clip(np.ceil(confidence * BINS - 1e-9).astype(np.int64) - 1, 0, BINS - 1)


def _class_sums(
    part: Part, coded: npt.NDArray[np.bool_], weight: Floats, person: Ints, people: int
) -> tuple[Floats, tuple[Ints, ...]]:
    """Return (people, 2 x classes) sums of twice the hits and of the sizes; classes of a code.

    F1 of a class is 2 TP / (2 TP + FP + FN): TP + FN is how often it is the truth, TP + FP how
    often the guess. A guess of 0 is of no class: a false negative of its truth and nothing else.
    """
    truth, guess = part.truth[coded], part.guess[coded]
    weight, who, base = weight[coded], person[coded], part.question[coded]
    width = int(max(truth.max(), guess.max())) + 1
    named = guess > 0
    keys = np.concatenate([base * width + truth, (base * width + guess)[named]])
    found, place = np.unique(keys, return_inverse=True)
    n = len(found)
    given, guessed = place[: len(truth)], place[len(truth) :]
    hit = truth == guess
    size = people * n
    hits = np.bincount((who * n + given)[hit], weights=2.0 * weight[hit], minlength=size)
    sizes = np.bincount(who * n + given, weights=weight, minlength=size)
    sizes += np.bincount(who[named] * n + guessed, weights=weight[named], minlength=size)
    codes = found % width
    groups = tuple(np.flatnonzero(codes == code) for code in np.unique(codes))
    return np.concatenate([hits.reshape(people, n), sizes.reshape(people, n)], axis=1), groups


def _f1(hits: Floats, sizes: Floats) -> Floats:
    """Return F1 averaged over classes that occur, of (rows, classes)."""
    f1 = np.divide(hits, sizes, out=np.zeros_like(sizes), where=sizes > 0)
    return ratio(f1.sum(axis=1), (sizes > 0).sum(axis=1).astype(float))
