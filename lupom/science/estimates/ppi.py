"""Prediction-powered means: answers of some, predictions for all, an interval that holds."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from lupom.science.estimates.design import Bools, Design, Floats, Ints

# Multiples of the mean squared singular value of the predictions; the last leaves a constant.
RIDGES = (0.0, 0.01, 0.1, 1.0, 10.0, 1e6)

# What the power of predictions among everybody counts in a group, in people. Where 10 to 19 of 200
# people of the General Social Survey are of a group, intervals are .350 wide with 20, .352 with 50,
# .355 with everybody's power alone and .357 with the group's own (.421 without predictions); they
# hold in .963, .966, .969 and .960 of draws.
OF_EVERYBODY = 50.0

# No interval of a share may be wider than the classical one by more than this.
WIDER = 1.005


@dataclass(frozen=True)
class Mean:
    """Estimated means of K values.

    Attributes
    ----------
    value : (K). variance : (K).
    parts : of the error, as `Design.mean` has them; the difference of two means has the
        difference of theirs.
    power : the weight of the predictions; 0 makes it the classical estimate.
    humans, predicted : how many people's answers and predictions entered.
    imbalance : by how many standard errors the mean prediction of those who answered differs from
        everybody's, the most of the K; None without predictions.
    """

    value: Floats
    variance: Floats
    parts: Floats
    power: float
    humans: int
    predicted: int
    imbalance: float | None = None

    def minus(self, other: Mean, design: Design) -> Mean:
        """Return the difference from another mean of people of the same survey."""
        parts = self.parts - other.parts
        used = min(self.humans, other.humans)
        together = self.humans + other.humans
        if design.simple:
            variance = self.variance + other.variance
            if (self.parts * other.parts).any():
                variance = design.variance(parts, used)
        else:
            variance = design.variance(parts, together)
        value = self.value - other.value
        return replace(
            self,
            value=value,
            variance=variance,
            parts=parts,
            humans=together,
            predicted=self.predicted + other.predicted,
            imbalance=None,
        )

    def minus_others(self, other: Mean) -> Mean:
        """Return the difference from the mean of other people, all of whom were drawn for
        themselves; it has no parts.
        """
        return Mean(
            self.value - other.value,
            self.variance + other.variance,
            np.zeros((0, len(self.value))),
            self.power,
            self.humans + other.humans,
            self.predicted + other.predicted,
        )


def has_all(predictions: Floats) -> Bools:
    """Return who has a prediction of all K values, (N)."""
    # A product is a fifth of the work of asking each number.
    return np.asarray(~np.isnan(predictions @ np.zeros(predictions.shape[1])))


def classical(values: Floats, answered: Bools, design: Design, among: Bools) -> Mean:
    """Return the weighted means (K) of those among some people who answered.

    Parameters
    ----------
    values : (N, K), read where answered. answered, among : (N).
    """
    here = answered & among
    n = int(here.sum())
    value, parts = design.mean(values, here)
    return Mean(value, design.variance(parts, n), parts, 0.0, n, 0)


def naive(predictions: Floats, design: Design, among: Bools) -> Mean:
    """Return the weighted means of predictions as if they were answers; no interval of it holds."""
    here = among & has_all(predictions)
    n = int(here.sum())
    value, parts = design.mean(predictions, here)
    return Mean(value, design.variance(parts, n), parts, 1.0, 0, n)


def powered(
    values: Floats,
    answered: Bools,
    predictions: Floats,
    design: Design,
    among: Bools,
    *,
    everybody: Mean | None = None,
    power: float | None = None,
    plain: Mean | None = None,
) -> Mean:
    """Return means of answers, corrected by how predictions of all differ from those of some.

    It is the mean answer, plus a power times what the mean prediction of everybody is above that
    of the people who answered. The power is the one that leaves least variance, so that
    predictions which know nothing change nothing (Angelopoulos, Duchi and Zrnic 2023, PPI++,
    section 4; their lambda, for people who did not answer in place of everybody, is this one times
    (n + N) / N). It is the same for all K, so that shares sum to 1, and is lowered until no
    variance is above the classical one by more than 1 %.

    Parameters
    ----------
    values : (N, K), read where answered.
    predictions : (N, K), NaN where there is none. Those of people who answered must not be made of
        their own answers; `calibrate` sees to it.
    among : (N), whose mean it is.
    everybody : the mean of everybody, where this is one of a group: the group's power is taken
        towards theirs, which counts like 50 people. A power by ten people's answers is luck.
    power : the power, in place of the tuned one.
    plain : the classical means of the same people, where they are known already.
    """
    plain = plain or classical(values, answered, design, among)
    covered = among & has_all(predictions)
    both = covered & answered
    n = int(both.sum())
    if n < 2 or int(covered.sum()) == n:
        return plain
    some, of_some = design.mean(predictions, both)
    every, of_every = design.mean(predictions, covered)
    shift = of_every - of_some
    if power is None:
        power = _tuned(plain, shift, design, n, everybody)
    parts = plain.parts + power * shift
    return Mean(
        plain.value + power * (every - some),
        design.variance(parts, plain.humans),
        parts,
        power,
        plain.humans,
        int(covered.sum()),
        _imbalance(every - some, design.variance(shift, n)),
    )


def _imbalance(difference: Floats, variance: Floats) -> float:
    error = np.sqrt(variance)
    ratios = np.divide(difference, error, out=np.zeros_like(error), where=error > 0)
    return float(np.abs(ratios).max())


def _tuned(plain: Mean, shift: Floats, design: Design, n: int, everybody: Mean | None) -> float:
    own, moved = design.sums(plain.parts), design.sums(shift)
    pairs = ((own, own), (moved, moved), (own, moved))
    variance, spread, against = (np.einsum("ij,ij->j", *both) for both in pairs)
    product = -against
    gain, cost = float(product.sum()), float(spread.sum())
    if everybody is not None:
        prior = OF_EVERYBODY / n * cost
        gain, cost = gain + prior * everybody.power, cost + prior
    if gain <= 0 or cost <= 0:
        return 0.0
    # Where variance - 2 x product + x^2 spread is what the classical one may be at most.
    allowed = (WIDER**2 - 1.0) * variance
    moves = spread > 0
    root = np.sqrt(np.square(product) + allowed * spread)[moves]
    most = (product[moves] + root) / spread[moves]
    return max(min(gain / cost, float(most.min())), 0.0)


def calibrate(
    values: Floats, answered: Bools, predictions: Floats, weights: Floats, fold: Ints
) -> Floats:
    """Return predictions on the scale of the answers, by ridge regression, cross-fitted, (N, K).

    Whoever answered is calibrated by the answers of other folds, everybody else by the mean over
    the folds (Zrnic and Candes 2024, cross-prediction-powered inference). Regressions with a
    constant of shares that sum to 1 predict shares that do.

    Parameters
    ----------
    values : (N, K), read where answered.
    predictions : (N, P), NaN where there is none; of several predictors side by side, P need not
        be K.
    fold : (N), from 0; people of one sampling unit share one.
    """
    has = has_all(predictions)
    out = np.full((len(values), values.shape[1]), np.nan)
    known, others = np.flatnonzero(has & answered), np.flatnonzero(has & ~answered)
    folds, of = np.unique(fold[known], return_inverse=True)
    if len(folds) < 2:
        return out
    x, y = predictions[known], values[known]
    # By numbers near 1, so that what is left of squares less a fold's is no rounding.
    centre, spread = x.mean(axis=0), x.std(axis=0)
    spread[spread < 1e-12] = np.inf
    level = y.mean(axis=0)
    x, y = (x - centre) / spread, y - level
    table = np.hstack([np.ones((len(x), 1)), x, y])
    products = _products(table, weights[known], of, len(folds))
    total, count = products.sum(axis=0), np.bincount(of)
    mean_shift, mean_slope = np.zeros(y.shape[1]), np.zeros((x.shape[1], y.shape[1]))
    for k in range(len(folds)):
        left = len(known) - int(count[k])
        train = total - products[k]
        if train[0, 0] <= 0:
            equal = _products(table, np.ones(len(table)), of, len(folds))
            train = equal.sum(axis=0) - equal[k]
        shift, slope = _ridge(train * (left / train[0, 0]), left, x.shape[1])
        held = np.flatnonzero(of == k)
        out[known[held]] = level + shift + x[held] @ slope
        mean_shift += shift / len(folds)
        mean_slope += slope / len(folds)
    out[others] = level + mean_shift + ((predictions[others] - centre) / spread) @ mean_slope
    return out


def _products(table: Floats, weights: Floats, of: Ints, folds: int) -> Floats:
    """Return weighted products of a table's columns within each fold, (folds, C, C)."""
    return np.array(
        [table[of == k].T @ (weights[of == k, None] * table[of == k]) for k in range(folds)]
    )


def _ridge(products: Floats, count: int, width: int) -> tuple[Floats, Floats]:
    """Return constants (K) and slopes (P, K) of a ridge regression whose penalty is best by
    generalised cross-validation (Golub, Heath and Wahba 1979).

    Parameters
    ----------
    products : of the columns 1, x (P) and y (K) of people whose weights sum to `count`.
    width : P.
    """
    centre, level = products[0, 1 : width + 1] / count, products[0, width + 1 :] / count
    own = products[1 : width + 1, 1 : width + 1] - count * np.outer(centre, centre)
    both = products[1 : width + 1, width + 1 :] - count * np.outer(centre, level)
    squares = np.diag(products)[width + 1 :] - count * np.square(level)
    spread = np.sqrt(np.maximum(np.diag(own), 0.0) / count)
    # Of a column that is the same for all of them rounding is left.
    spread[spread < 1e-7] = np.inf
    size, directions = np.linalg.eigh(own / np.outer(spread, spread))
    size = np.maximum(size, 0.0)
    # Of more columns than people no more than there are people say anything.
    typical = float(size.sum()) / max(min(count, width), 1) or 1.0
    # Shares sum to 1: one of their directions is rounding.
    inside = size > 1e-12 * max(float(size.max(initial=0.0)), 1.0)
    along = directions.T @ (both / spread[:, None])
    told = np.divide(np.square(along).sum(axis=1), size, out=np.zeros_like(size), where=inside)
    best, chosen = np.inf, np.zeros_like(size)
    for ridge in RIDGES:
        keep = np.where(inside, size / (size + ridge * typical + 1e-12), 0.0)
        left = count - 1.0 - keep.sum()
        if left <= 1:
            continue
        score = (squares.sum() - ((2.0 - keep) * keep * told).sum()) / left**2
        if score < best:
            best, chosen = score, keep
    scaled = np.divide(chosen, size, out=np.zeros_like(size), where=inside)
    slopes = (directions @ (scaled[:, None] * along)) / spread[:, None]
    return level - centre @ slopes, slopes
