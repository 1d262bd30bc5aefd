"""The measures of one predictor, in every draw of the bootstrap."""

from __future__ import annotations

from typing import Any

import numpy as np

from lupom.science.evaluation.bootstrap import Draws, Floats, Ints
from lupom.science.evaluation.sample import Judged

# Bins of a predicted probability, of equal width, for the calibration error.
BINS = 10
# Where a smaller share than this of people's counts of classes is not 0, only these are added up.
_DENSE = 0.03

# Means over predictions that have the number.
MEANS = ("ordinal_error", "absolute_error", "nll", "brier", "expected_rank_error", "rps")

Measured = dict[str, tuple[Floats, int]]

# The number a prediction needs to enter a measure; the others are over all predictions, or, where
# they are of options, over those of questions that have some.
_NEEDS = {
    **{name: name for name in MEANS},
    "calibration_error": "confidence",
    **dict.fromkeys(
        ("collapsed_accuracy", "ordinal_coverage", "macro_f1", "macro_f1_pooled"), "truth_code"
    ),
}


def measures(
    judged: Judged, draws: Draws, weights: Floats | None = None, *, f1: bool = True
) -> Measured:
    """Return each measure in every draw, (1 + resamples), and how many predictions entered.

    A measure that no prediction has what it needs for is left out. See `metrics.metrics` for what
    they are.
    """
    n = len(judged.person)
    if not n:
        return {}
    out: Measured = {}
    correct = judged.numbers["correct"]
    coded = ~np.isnan(judged.numbers["truth_code"])
    columns: dict[str, Floats] = {
        "accuracy": correct,
        "share_invalid": (~judged.valid).astype(float),
        **{name: judged.numbers[name] for name in MEANS},
    }
    if coded.any():
        columns["collapsed_accuracy"] = judged.numbers["collapsed_correct"]
        columns["ordinal_coverage"] = np.where(
            coded, (~np.isnan(judged.numbers["ordinal_error"])).astype(float), np.nan
        )
    for name, (values, count) in _means(columns, judged.person, draws, weights).items():
        if name != "ordinal_coverage" or values[0] > 0:
            out[name] = (values, count)
    confidence = judged.numbers["confidence"]
    if (sure := ~np.isnan(confidence)).any():
        bins = calibration_sums(judged, draws, weights)
        out["calibration_error"] = (_calibration_error(bins), int(sure.sum()))
    if f1 and coded.any():
        out |= _f1(judged, coded, draws, weights)
    return out


def effective(judged: Judged, measure: str, weights: Floats | None, people: int) -> float:
    """Return how many people with an equal say would carry a measure as far (Kish 1965).

    (sum c)^2 / sum c^2 over people, c being a person's weight times the predictions that enter: 1
    where one person decides all, the number of people where all count the same.
    """
    needed = _NEEDS.get(measure)
    there = slice(None) if needed is None else ~np.isnan(judged.numbers[needed])
    return kish(np.bincount(judged.person[there], minlength=people), weights)


def kish(counts: Ints, weights: Floats | None) -> float:
    """Return the effective number of people, each with so many predictions and a weight."""
    say = counts.astype(float) if weights is None else counts * weights
    squares = float(np.square(say).sum())
    return float(say.sum()) ** 2 / squares if squares > 0 else 0.0


def _means(
    columns: dict[str, Floats], person: Ints, draws: Draws, weights: Floats | None
) -> Measured:
    people = draws.counts.shape[1]
    sums, names, counts = [], [], {}
    for name, values in columns.items():
        there = ~np.isnan(values)
        if not there.any():
            continue
        names.append(name)
        counts[name] = int(there.sum())
        sums.append(np.bincount(person[there], weights=values[there], minlength=people))
        sums.append(np.bincount(person[there], minlength=people).astype(float))
    drawn = draws.sums(np.stack(sums, axis=1), weights)
    return {
        name: (ratio(drawn[:, 2 * i], drawn[:, 2 * i + 1]), counts[name])
        for i, name in enumerate(names)
    }


def calibration_sums(judged: Judged, draws: Draws, weights: Floats | None = None) -> Floats:
    """Return what a reliability curve is made of, (1 + resamples, 3, BINS).

    In each bin of the probability given to the answer: the number of predictions, the sum of these
    probabilities, and how many were right.
    """
    people = draws.counts.shape[1]
    confidence = judged.numbers["confidence"]
    there = np.flatnonzero(~np.isnan(confidence))
    cell = judged.person[there] * BINS + bin_of(confidence[there])
    parts = [None, confidence[there], judged.numbers["correct"][there]]
    stacked = [
        np.bincount(cell, weights=part, minlength=people * BINS).reshape(people, BINS)
        for part in parts
    ]
    by_person = np.concatenate(stacked, axis=1).astype(float)
    return draws.sums(by_person, weights).reshape(-1, 3, BINS)


def bin_of(confidence: Floats) -> Ints:
    """Return the bin of each probability, from 0; 1 is in the last."""
    return np.minimum((confidence * BINS).astype(np.int64), BINS - 1)


def _calibration_error(sums: Floats) -> Floats:
    number, sure, right = sums[:, 0], sums[:, 1], sums[:, 2]
    return ratio(np.abs(sure - right).sum(axis=1), number.sum(axis=1))


def _f1(judged: Judged, coded: np.ndarray, draws: Draws, weights: Floats | None) -> Measured:
    truth = judged.numbers["truth_code"][coded].astype(np.int64)
    guess = np.nan_to_num(judged.numbers["answer_code"][coded]).astype(np.int64)
    person, question = judged.person[coded], judged.question[coded]
    # Codes begin at 1 and 0 is an invalid prediction, so a question's classes need one place more.
    base = question * (int(max(truth.max(), guess.max())) + 1)
    invalid = guess == 0
    n = len(truth)
    single = np.where(invalid, -1, base + guess)
    pooled = np.where(invalid, -1, guess)
    return {
        "macro_f1": (_macro_f1(base + truth, single, person, draws, weights), n),
        "macro_f1_pooled": (_macro_f1(truth, pooled, person, draws, weights), n),
    }


def _macro_f1(
    truth: Ints, guess: Ints, person: Ints, draws: Draws, weights: Floats | None
) -> Floats:
    """Return macro-F1 in every draw: 2 TP / (2 TP + FP + FN), averaged over classes that occur.

    A guess of -1 is of no class: it is a false negative of its truth and nothing else.
    """
    classes, place = np.unique(np.concatenate([truth, guess[guess >= 0]]), return_inverse=True)
    people, width = draws.counts.shape[1], len(classes)
    given, guessed = place[: len(truth)], place[len(truth) :]
    hit = np.flatnonzero(truth == guess)
    # TP + FN is how often a class is the truth, TP + FP how often it is the guess.
    cells = np.concatenate(
        [
            person[hit] * 2 * width + given[hit],
            person * 2 * width + width + given,
            person[guess >= 0] * 2 * width + width + guessed,
        ]
    )
    amount = np.concatenate([np.full(len(hit), 2.0), np.ones(len(cells) - len(hit))])
    if len(cells) > _DENSE * people * 2 * width:
        flat = np.bincount(cells, weights=amount, minlength=people * 2 * width)
        by_person: Any = flat.reshape(people, 2 * width)
        if weights is None:
            # Whole numbers below 2^24: float32 is exact, and twice as fast.
            by_person = by_person.astype(np.float32)
        drawn = draws.sums(by_person, weights).T
    else:
        who, place = cells // (2 * width), cells % (2 * width)
        amount = amount if weights is None else amount * weights[who]
        drawn = draws.of_cells(place, who, amount, 2 * width)
    hits, sizes = drawn[:width], drawn[width:]
    there = sizes > 0
    scores = np.divide(hits, sizes, out=np.zeros_like(sizes), where=there)
    return ratio(scores.sum(axis=0), there.sum(axis=0).astype(float))


def ratio(above: Floats, below: Floats) -> Floats:
    """Return above / below, NaN where below is 0."""
    out: Floats = np.full(np.shape(above), np.nan)
    return np.divide(above, below, out=out, where=below > 0)
