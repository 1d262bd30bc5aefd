"""Mean and covariance of all answers, and what they say of the rest once some answers are known."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from lupom.science.predictors.task import HIDDEN, Bools, Floats, Ints, Task

# An option's least probability, since a conditional mean is not bounded by 0 and 1. On the General
# Social Survey .02 and .03 are alike, on 80 questions on masculinity .01 is best.
LEASTS = (0.005, 0.01, 0.02, 0.03)
# Added to the variances, times their mean and the root of the number of people. On the General
# Social Survey 20 is best (.7246 nats with 5 known answers, 5: .7307), on 80 questions on
# masculinity 5 (.6174, 20: .6263); which is best is found on the survey itself.
PENALTIES = (2.0, 5.0, 10.0, 20.0, 40.0)
# How many answers are known of a person where penalties are compared.
KNOWN = 5


@dataclass(frozen=True)
class Moments:
    """Mean and covariance of options, each a column of 0 and 1, and of attributes after them.

    Attributes
    ----------
    mean : (D). covariance : (D, D), positive definite.
    offsets : (Q + 1), where each question's options begin; what is after the last is attributes.
    least : the least probability of an option.
    """

    mean: Floats
    covariance: Floats
    offsets: Ints
    least: float

    @property
    def width(self) -> int:
        """Return the number of options of all questions."""
        return int(self.offsets[-1])

    @cached_property
    def sizes(self) -> Ints:
        """Return the number of options of each question, (Q)."""
        return np.diff(self.offsets)

    @cached_property
    def owner(self) -> Ints:
        """Return the question of each option, (options)."""
        return np.repeat(np.arange(len(self.sizes)), self.sizes)

    def columns(self, question: int) -> slice:
        """Return where a question's options are."""
        return slice(int(self.offsets[question]), int(self.offsets[question + 1]))

    def given(self, told: Bools) -> tuple[Floats, Floats]:
        """Return slopes (told columns, options) and covariance (options, options) given columns.

        Parameters
        ----------
        told : (D), which columns are known.
        """
        if not told[self.width :].all():
            return _given(self.covariance, told, self.width)
        # Attributes are known of most people, and by far most columns: they are taken once.
        first, covariance = self._by_attributes
        answers = told[: self.width]
        slope, covariance = _given(covariance, answers, self.width)
        return np.vstack([slope, first - first[:, answers] @ slope]), covariance

    @cached_property
    def _by_attributes(self) -> tuple[Floats, Floats]:
        return _given(self.covariance, np.arange(len(self.mean)) >= self.width, self.width)

    def means(self, values: Floats, told: Bools) -> Floats:
        """Return conditional means of all options, (n, options), not yet probabilities.

        Parameters
        ----------
        values : (n, D), read where told, (n, D): each person may be known by other columns.
        """
        out = np.zeros((len(values), self.width))
        for pattern, rows in patterns(told):
            slope, _ = self.given(pattern)
            known = values[np.ix_(rows, pattern)] - self.mean[pattern]
            out[rows] = self.mean[: self.width] + known @ slope
        return out

    def shares(self, means: Floats) -> Floats:
        """Return conditional means as probabilities of each question's options, (..., options)."""
        inside = np.clip(means, self.least, 1.0)
        total = np.add.reduceat(inside, self.offsets[:-1], axis=-1)
        return np.asarray(inside / np.repeat(total, self.sizes, axis=-1))


def _given(covariance: Floats, told: Bools, width: int) -> tuple[Floats, Floats]:
    """Return slopes (told, width) of the first columns on known ones, and their covariance."""
    whole = covariance[:, :width]
    if not told.any():
        return np.zeros((0, width)), whole[:width]
    slope = np.linalg.solve(covariance[np.ix_(told, told)], whole[told])
    return np.asarray(slope, dtype=np.float64), whole[:width] - whole[told].T @ slope


@dataclass(frozen=True)
class Cells:
    """What is known of people, as columns of `Moments`.

    Attributes
    ----------
    codes : (n, Q), the option given, -1 where there is none.
    values : (n, D), options and attributes as 0 and 1.
    weights : (n), survey weights. offsets : (Q + 1), as of `Moments`.
    """

    codes: Ints
    values: Floats
    weights: Floats
    offsets: Ints

    def only(self, rows: Ints | Bools) -> Cells:
        """Return some of the people."""
        return Cells(self.codes[rows], self.values[rows], self.weights[rows], self.offsets)

    def told(self, asked: Bools) -> Bools:
        """Return which columns are known where some questions, (n, Q) or (Q), were asked.

        Attributes always are; an answer is where it was asked and there is one.
        """
        answered = asked & (self.codes != HIDDEN)
        attributes = self.values.shape[1] - int(self.offsets[-1])
        owner = np.repeat(np.arange(len(self.offsets) - 1), np.diff(self.offsets))
        return np.hstack([answered[:, owner], np.ones((len(answered), attributes), dtype=bool)])

    def losses(self, shares: Floats) -> Floats:
        """Return the log loss of probabilities (n, options) in nats, (n, Q), NaN without answer."""
        at = self.offsets[:-1] + np.maximum(self.codes, 0)
        loss = -np.log(np.take_along_axis(shares, at, axis=1))
        return np.where(self.codes != HIDDEN, loss, np.nan)


def cells(task: Task, *, attributes: bool = True) -> Cells:
    """Return a task's people; without attributes nothing is known of them but answers."""
    values = np.hstack([task.known, task.attributes]) if attributes else task.known
    return Cells(task.answers, values, task.weights, task.offsets)


def patterns(told: Bools) -> list[tuple[Bools, Ints]]:
    """Return each row of told, (n, D), that occurs, and the rows like it."""
    if not told.size:
        return [(told[0], np.arange(len(told)))] if len(told) else []
    packed = np.ascontiguousarray(np.packbits(told, axis=1))
    keys = packed.view(np.dtype((np.void, packed.shape[1]))).ravel()
    _, first, place = np.unique(keys, return_index=True, return_inverse=True)
    order = np.argsort(place, kind="stable")
    ends = np.cumsum(np.bincount(place, minlength=len(first)))[:-1]
    return [(told[i], rows) for i, rows in zip(first, np.split(order, ends), strict=True)]


def fit(people: Cells, *, seed: int = 0) -> Moments:
    """Return mean and covariance of what people answered.

    A pair of columns has the covariance of the people who have both, one answer too many being
    added to no option: it is shrunk towards independence by a penalty on the diagonal, which is the
    one of `PENALTIES` by which answers of a third of the people are predicted best, five of each
    being known; the least probability is found in the same way.
    """
    n = len(people.codes)
    rng = np.random.default_rng(seed)
    held = np.zeros(n, dtype=bool)
    held[rng.permutation(n)[: n // 3]] = True
    learned = _moments(people.only(~held))
    test = people.only(held)
    luck = rng.random(test.codes.shape) + (test.codes == HIDDEN)
    asked = luck.argsort(axis=1).argsort(axis=1) < min(KNOWN, test.codes.shape[1] - 1)
    told = test.told(asked)
    best = (np.inf, PENALTIES[-1], LEASTS[-1])
    for penalty in PENALTIES if held.any() else ():
        first = _shrunk(learned, n - int(held.sum()), penalty, LEASTS[0], people.offsets)
        means = first.means(test.values, told)
        for least in LEASTS:
            loss = test.losses(replace(first, least=least).shares(means))
            loss = loss[~asked & ~np.isnan(loss)]
            if len(loss):
                best = min(best, (float(loss.mean()), penalty, least))
    return _shrunk(_moments(people), n, *best[1:], people.offsets)


def _moments(people: Cells) -> tuple[Floats, Floats]:
    there = people.told(np.ones(people.codes.shape[1], dtype=bool)).astype(np.float64)
    count = there.sum(axis=0)
    sizes = np.diff(people.offsets)
    # One answer more, spread over the options: an option nobody chose has a share all the same.
    more = np.concatenate([np.repeat(1.0 / sizes, sizes), np.zeros(there.shape[1] - sizes.sum())])
    every = np.concatenate([np.ones(sizes.sum()), np.zeros(there.shape[1] - sizes.sum())])
    mean = ((people.values * there).sum(axis=0) + more) / np.maximum(count + every, 1.0)
    centred = (people.values - mean) * there
    return mean, centred.T @ centred / np.maximum(there.T @ there, 1.0)


def _shrunk(
    moments: tuple[Floats, Floats], n: int, penalty: float, least: float, offsets: Ints
) -> Moments:
    mean, covariance = moments
    size = len(mean)
    unit = np.trace(covariance) / max(size, 1) / np.sqrt(max(n, 1)) or 1.0
    values, vectors = np.linalg.eigh(covariance)
    # Pairs that different people have need not make a covariance: what is negative is noise.
    values = np.maximum(values, 0.0) + penalty * unit
    return Moments(mean, (vectors * values) @ vectors.T, offsets, least)
