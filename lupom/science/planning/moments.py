"""Mean and covariance of all answers, and what they say of the rest once some answers are known."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from lupom.science.planning.options import Options, Singles
from lupom.science.predictors.task import HIDDEN, Bools, Floats, Ints, Task

# An option's least probability, since a conditional mean is not bounded by 0 and 1. On the General
# Social Survey .02 and .03 are alike (.7274, .7269 nats with 5 known answers), on 81 questions on
# masculinity .01 to .03 (.6701, .6698, .6702).
LEASTS = (0.005, 0.01, 0.02, 0.03)
# Added to the variances, times their mean and the root of the number of people. On the General
# Social Survey 20 is best (.7269 nats with 5 known answers, 5: .7319), and so it is on 81 questions
# on masculinity (.6698, 5: .6729); which is best is found on the survey itself.
PENALTIES = (2.0, 5.0, 10.0, 20.0, 40.0)
# How many answers are known of a person where penalties are compared.
KNOWN = 5
# Numbers in the matrices that are solved at one time: 16 MB of them.
AT_ONCE = 2**21
# So many people of one system are worth a product of matrices of their own.
MANY = 20
# An eigenvalue of a covariance that is negative by less, in mean variances, is rounding.
ROUNDING = 1e-5


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

    @cached_property
    def options(self) -> Options:
        """Return sums over each question's options."""
        return Options(self.offsets)

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

    @cached_property
    def single(self) -> Singles:
        """Return the covariance of options given attributes, (options, options)."""
        return self._by_attributes[1].astype(np.float32)

    def start(self, people: Cells) -> Singles:
        """Return means of all options by people's attributes, (n, options)."""
        width = self.width
        slope = self._by_attributes[0].astype(np.float32)
        mean = self.mean.astype(np.float32)
        return np.asarray(mean[:width] + (people.values[:, width:] - mean[width:]) @ slope)

    def means(self, start: Singles, answers: Singles, told: Bools) -> Singles:
        """Return conditional means of all options, (n, options), not yet probabilities.

        Parameters
        ----------
        start : (n, options), by attributes. answers : (n, options), read where told, (n, options):
            each person may be known by other answers.
        """
        # What each known column counts for, (n, columns): the inverse times the surprises.
        counts = np.zeros((len(told), self.width + 1), dtype=np.float32)
        surprise = np.zeros(counts.shape)
        surprise[:, :-1] = (answers - start) * told
        for people, of, at in _systems(told):
            wanted = at[of]
            given = np.take_along_axis(surprise[people], wanted, axis=1)
            counts[people[:, None], wanted] = _solved(self._known(at), of, given)
        used = np.flatnonzero(told.any(axis=0))
        return np.asarray(start + counts[:, used] @ self.single[used])

    def covariances(self, told: Bools) -> Iterator[tuple[Ints, Ints, Singles]]:
        """Yield people, which covariance each has, and covariances of options given what is known.

        Parameters
        ----------
        told : (n, options), by which answers each person is known, attributes always. Covariances
            (m, options, options) are as few as people differ in what is known.
        """
        more = np.vstack([self.single, np.zeros((1, self.width), dtype=np.float32)])
        for rows, of, at in _systems(told, self.width):
            whole = more[at]
            slopes = np.linalg.solve(self._known(at).astype(np.float32), whole)
            left = self.single - whole.transpose(0, 2, 1) @ slopes
            yield rows, of, np.asarray(left, dtype=np.float32)

    def _known(self, at: Ints) -> Floats:
        """Return covariances of columns given attributes, (systems, k, k), by `_systems`."""
        width = self.width
        covariance = np.zeros((width + 1, width + 1))
        covariance[:width, :width] = self._by_attributes[1]
        known = covariance[at[:, :, None], at[:, None, :]]
        # What is no column is by itself, and of variance 1.
        row, place = np.nonzero(at == width)
        known[row, place, place] = 1.0
        return known

    def inside(self, means: Singles) -> Singles:
        """Return conditional means between the least probability of an option and 1."""
        return np.clip(means, np.float32(self.least), np.float32(1))

    def shares(self, means: Singles) -> Singles:
        """Return conditional means as probabilities of each question's options, (..., options)."""
        inside = self.inside(means)
        return np.asarray(inside / self.options.each(self.options.total(inside)))


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
    values: Singles
    weights: Floats
    offsets: Ints

    def only(self, rows: Ints | Bools) -> Cells:
        """Return some of the people."""
        return Cells(self.codes[rows], self.values[rows], self.weights[rows], self.offsets)

    @property
    def answers(self) -> Singles:
        """Return the options of all questions, (n, options), as 0 and 1."""
        return self.values[:, : int(self.offsets[-1])]

    @cached_property
    def there(self) -> Bools:
        """Return which answers there are, (n, Q)."""
        return np.asarray(self.codes != HIDDEN)

    def told(self, asked: Bools) -> Bools:
        """Return which options are known, (n, options), where some questions were asked.

        Parameters
        ----------
        asked : (n, Q) or (Q). An answer is known where it was asked and there is one.
        """
        return np.repeat(asked & self.there, np.diff(self.offsets), axis=1)

    @cached_property
    def given(self) -> Ints:
        """Return where in (n, options), laid out flat, the option given of each is, (n, Q).

        It is the first option of a question where there is no answer.
        """
        first = np.arange(len(self.codes))[:, None] * int(self.offsets[-1]) + self.offsets[:-1]
        return np.asarray(first + np.maximum(self.codes, 0))


def cells(task: Task, *, attributes: bool = True) -> Cells:
    """Return a task's people; without attributes nothing is known of them but answers."""
    values = np.hstack([task.known, task.attributes]) if attributes else task.known
    return Cells(task.answers, values.astype(np.float32), task.weights, task.offsets)


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
    """Yield people whose known columns are systems that can be solved at one time.

    Yields rows, which system each has, and the known columns of each system, (systems, k), filled
    up with the number of all columns. So many systems come at a time as have `AT_ONCE` numbers, k
    or `least` squared each.
    """
    first, place = _distinct(told)
    system, column = np.nonzero(told[first])
    sizes = np.bincount(system, minlength=len(first))
    k = int(sizes.max(initial=0))
    at = np.full((len(first), k), told.shape[1])
    at[system, np.arange(len(system)) - np.repeat(sizes.cumsum() - sizes, sizes)] = column
    step = max(AT_ONCE // max(k, least, 1) ** 2, 1)
    for begin in range(0, len(first), step):
        rows = np.flatnonzero((place >= begin) & (place < begin + step))
        yield rows, place[rows] - begin, at[begin : begin + step]


def _solved(systems: Floats, of: Ints, given: Floats) -> Floats:
    """Return each person's system's inverse times what is given of them, (n, k).

    Parameters
    ----------
    systems : (m, k, k), symmetric. of : (n), the system of each. given : (n, k).
    """
    # An inverse takes as long as solving for three people.
    if 3 * len(systems) >= len(of):
        return np.asarray(np.linalg.solve(systems[of], given[:, :, None])[:, :, 0])
    inverse = np.linalg.inv(systems)
    if MANY * len(systems) >= len(of):
        return np.asarray((inverse[of] @ given[:, :, None])[:, :, 0])
    out = np.empty(given.shape)
    order = np.argsort(of, kind="stable")
    ends = np.bincount(of, minlength=len(systems)).cumsum()[:-1]
    for rows, one in zip(np.split(order, ends), inverse, strict=True):
        out[rows] = given[rows] @ one
    return out


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
    counted = test.there & ~asked
    for penalty in PENALTIES if counted.any() else ():
        moments = learned.shrunk(penalty, LEASTS[0])
        means = moments.means(moments.start(test), test.answers, told)
        for least in LEASTS:
            inside = replace(moments, least=least).inside(means)
            ratio = moments.options.total(inside) / inside.ravel()[test.given]
            best = min(best, (float(np.log(ratio[counted]).mean()), penalty, least))
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
        size = len(self.mean)
        least = ROUNDING * np.trace(self.covariance) / max(size, 1)
        try:
            np.linalg.cholesky(self.covariance + least * np.eye(size))
        except np.linalg.LinAlgError:
            values, vectors = np.linalg.eigh(self.covariance)
            return np.asarray((vectors * np.maximum(values, 0.0)) @ vectors.T)
        return self.covariance


def _moments(people: Cells) -> _Raw:
    n, count = people.codes.shape
    width, size = int(people.offsets[-1]), people.values.shape[1]
    sizes = np.diff(people.offsets)
    # Columns of a question are known of the same people, attributes of everybody.
    answered = np.hstack([people.there, np.ones((n, 1), dtype=bool)]).astype(np.float32)
    own = np.repeat(np.arange(count + 1), [*sizes, size - width])
    both = (answered.T @ answered).astype(np.float64)[np.ix_(own, own)]
    there = answered[:, own]
    # One answer more, spread over the options: an option nobody chose has a share all the same.
    more = np.concatenate([np.repeat(1.0 / sizes, sizes), np.zeros(size - width)])
    every = np.concatenate([np.ones(width), np.zeros(size - width)])
    counts = (people.values * there).sum(axis=0, dtype=np.float64)
    mean = (counts + more) / np.maximum(np.diag(both) + every, 1.0)
    centred = (people.values - mean.astype(np.float32)) * there
    return _Raw(mean, centred.T @ centred / np.maximum(both, 1.0), people.offsets, n)
