"""Mean and covariance of all answers, and what they say of the rest once some answers are known."""

from __future__ import annotations

from collections.abc import Iterator
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
# Numbers in the matrices that are solved at one time: 16 MB of them.
AT_ONCE = 2**21


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
        width = self.width
        start, covariance = np.tile(self.mean, (len(values), 1)), self.covariance
        if told[:, width:].all():
            # As in `given`: attributes are taken once.
            first, covariance = self._by_attributes
            start = start[:, :width] + (values[:, width:] - self.mean[width:]) @ first
            values, told = values[:, :width], told[:, :width]
        # What each known column counts for, (n, columns): the inverse times the surprises.
        counts = np.zeros(told.shape)
        surprise = np.where(told, values - start, 0.0)
        for people, of, at in _systems(told):
            if not at.shape[1]:
                continue
            known = covariance[at[:, :, None], at[:, None, :]]
            wanted = at[of]
            given = np.take_along_axis(surprise[people], wanted, axis=1)[:, :, None]
            # An inverse takes as long as solving for three people.
            if 3 * len(at) < len(people):
                solved = np.linalg.inv(known)[of] @ given
            else:
                solved = np.linalg.solve(known[of], given)
            counts[people[:, None], wanted] = solved[:, :, 0]
        used = told.any(axis=0)
        return np.asarray(start[:, :width] + counts[:, used] @ covariance[used, :width])

    def covariances(self, told: Bools) -> Iterator[tuple[Ints, Ints, Floats]]:
        """Yield people, which covariance each has, and covariances of options given what is known.

        Parameters
        ----------
        told : (n, D), by which columns each person is known, attributes always. Covariances
            (m, options, options) are as few as people differ in what is known.
        """
        width = self.width
        _, covariance = self._by_attributes
        for rows, of, at in _systems(told[:, :width], width):
            known = covariance[at[:, :, None], at[:, None, :]]
            whole = covariance[at]
            yield rows, of, covariance - whole.transpose(0, 2, 1) @ np.linalg.solve(known, whole)

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

    def losses(self, moments: Moments, means: Floats, rows: Ints | None = None) -> Floats:
        """Return the log loss of conditional means in nats, (n, Q), NaN where there is no answer.

        Parameters
        ----------
        means : (n, options). rows : the people they are of; all by default.
        """
        codes, given = self.codes, self._given
        if rows is not None:
            codes, given = codes[rows], given[rows]
        inside = np.clip(means, moments.least, 1.0)
        return self._losses(inside, np.take_along_axis(inside, given, axis=1), codes)

    def losses_and_right(self, shares: Floats) -> tuple[Floats, Bools]:
        """Return log losses of probabilities, (n, options), in nats, and which are right, (n, Q).

        The option given is the likeliest there. Losses are NaN where there is no answer.
        """
        given = np.take_along_axis(shares, self._given, axis=1)
        right = given >= np.maximum.reduceat(shares, self.offsets[:-1], axis=1)
        return np.where(self.codes != HIDDEN, -np.log(given), np.nan), right

    def _losses(self, inside: Floats, given: Floats, codes: Ints) -> Floats:
        loss = -np.log(given / np.add.reduceat(inside, self.offsets[:-1], axis=1))
        return np.where(codes != HIDDEN, loss, np.nan)

    @cached_property
    def _given(self) -> Ints:
        """Return the option given of each question, (n, Q), the first where there is none."""
        return np.asarray(self.offsets[:-1] + np.maximum(self.codes, 0))


def cells(task: Task, *, attributes: bool = True) -> Cells:
    """Return a task's people; without attributes nothing is known of them but answers."""
    values = np.hstack([task.known, task.attributes]) if attributes else task.known
    return Cells(task.answers, values, task.weights, task.offsets)


def patterns(told: Bools) -> list[tuple[Bools, Ints]]:
    """Return each row of told, (n, D), that occurs, and the rows like it."""
    first, place = _distinct(told)
    order = np.argsort(place, kind="stable")
    ends = np.cumsum(np.bincount(place, minlength=len(first)))[:-1]
    return [(told[i], rows) for i, rows in zip(first, np.split(order, ends), strict=True)]


def _distinct(told: Bools) -> tuple[Ints, Ints]:
    """Return the first of the rows that are alike, and which of these each row is like, (n)."""
    if not told.size:
        return np.arange(min(len(told), 1)), np.zeros(len(told), dtype=np.int64)
    packed = np.ascontiguousarray(np.packbits(told, axis=1))
    keys = packed.view(np.dtype((np.void, packed.shape[1]))).ravel()
    _, first, place = np.unique(keys, return_index=True, return_inverse=True)
    return first, place


def _systems(told: Bools, least: int = 1) -> Iterator[tuple[Ints, Ints, Ints]]:
    """Yield rows with as many known columns, so that they can be solved for at one time.

    Yields rows, which system each has, and the known columns of each system, (systems, k). So many
    systems come at a time as have `AT_ONCE` numbers, k or `least` squared each.
    """
    first, place = _distinct(told)
    sizes = told[first].sum(axis=1)
    for k in np.unique(sizes):
        own = np.flatnonzero(sizes == k)
        step = max(AT_ONCE // max(int(k), least) ** 2, 1)
        for begin in range(0, len(own), step):
            systems = own[begin : begin + step]
            number = np.full(len(first), -1, dtype=np.int64)
            number[systems] = np.arange(len(systems))
            rows = np.flatnonzero(number[place] >= 0)
            at = np.nonzero(told[first[systems]])[1].reshape(len(systems), int(k))
            yield rows, number[place[rows]], at


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
        first = learned.shrunk(penalty, LEASTS[0])
        means = first.means(test.values, told)
        for least in LEASTS:
            loss = test.losses(replace(first, least=least), means)
            loss = loss[~asked & ~np.isnan(loss)]
            if len(loss):
                best = min(best, (float(loss.mean()), penalty, least))
    return _moments(people).shrunk(*best[1:])


@dataclass(frozen=True)
class _Raw:
    """Mean and covariance of people's columns, before any penalty; parts as of `Moments`."""

    mean: Floats
    covariance: Floats
    offsets: Ints
    people: int

    def shrunk(self, penalty: float, least: float) -> Moments:
        size = len(self.mean)
        scale = np.trace(self.covariance) / max(size, 1) / np.sqrt(max(self.people, 1)) or 1.0
        covariance = self._positive.copy()
        covariance[np.diag_indices(size)] += penalty * scale
        return Moments(self.mean, covariance, self.offsets, least)

    @cached_property
    def _positive(self) -> Floats:
        # Pairs that different people have need not make a covariance: what is negative is noise.
        values, vectors = np.linalg.eigh(self.covariance)
        return np.asarray((vectors * np.maximum(values, 0.0)) @ vectors.T)


def _moments(people: Cells) -> _Raw:
    n, count = people.codes.shape
    width, size = int(people.offsets[-1]), people.values.shape[1]
    sizes = np.diff(people.offsets)
    # Columns of a question are known of the same people, attributes of everybody.
    answered = np.hstack([people.codes != HIDDEN, np.ones((n, 1), dtype=bool)]).astype(np.float64)
    own = np.repeat(np.arange(count + 1), [*sizes, size - width])
    both = (answered.T @ answered)[np.ix_(own, own)]
    there = answered[:, own]
    # One answer more, spread over the options: an option nobody chose has a share all the same.
    more = np.concatenate([np.repeat(1.0 / sizes, sizes), np.zeros(size - width)])
    every = np.concatenate([np.ones(width), np.zeros(size - width)])
    mean = ((people.values * there).sum(axis=0) + more) / np.maximum(np.diag(both) + every, 1.0)
    centred = (people.values - mean) * there
    return _Raw(mean, centred.T @ centred / np.maximum(both, 1.0), people.offsets, n)
