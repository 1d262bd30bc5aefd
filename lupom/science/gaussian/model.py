"""The Gaussian: fitted by EM with a ridge, and conditional on whatever is known of a person."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from lupom.blas import one_thread
from lupom.science.gaussian.encoding import Bools, Encoding, Floats, Ints

# What is added to every column's variance: this many times the mean variance, divided by the root
# of the number of people. Log loss on tuning pairs of the General Social Survey (four draws) with
# 15, 30 and 60: .685, .683 and .686; zero correlations shrink so without a search.
RIDGE = 30.0
# EM starts from unknown cells at their means; the log loss moves by less than .0003 after three.
SWEEPS = 3
# Columns from which a Cholesky factor is worth scipy's import, which takes .2 s: to predict 1,000
# people by as many takes NumPy's solver .3 s more.
WIDE = 150
# An option's least probability: a conditional mean is not bounded by 0 and 1.
LEAST = 0.02


@dataclass(frozen=True)
class Gaussian:
    """A multivariate normal over columns of 0 and 1, each less its share.

    Attributes
    ----------
    encoding : what the columns are.
    shares : (D), each column's share among those of whom it is known.
    mean, covariance : (D) and (D, D), of the columns less their shares.
    ridge : added to each column's variance in every conditional.
    n : how many people it was fitted to.
    """

    encoding: Encoding
    shares: Floats
    mean: Floats
    covariance: Floats
    ridge: float
    n: int

    @property
    def precision(self) -> Floats:
        """Return the inverse of the covariance with the ridge, (D, D)."""
        return _inverse(self._total)

    def expected(self, answers: Ints, attributes: Floats | None = None) -> Floats:
        """Return the conditional mean of every column given what is known of a person, (n, D).

        Parameters as of `Encoding.values`. A column that is known is what it is; of a question's
        options that are not the values sum to 1, and need not lie between 0 and 1.
        """
        there = self.encoding.there(answers)
        values = self.encoding.values(answers, attributes) - self.shares
        values = np.where(there, values, 0.0)
        return _completed(values, there, self.mean, self._total)[0] + self.shares

    @property
    def _total(self) -> Floats:
        """Return the covariance with the ridge, (D, D)."""
        return np.asarray(self.covariance + self.ridge * np.eye(len(self.mean)))

    def probabilities(self, answers: Ints, attributes: Floats | None = None) -> Floats:
        """Return the probability of every option given what is known of a person.

        Shape (n, sum of options); conditional means, at least .02, divided by their sum over the
        question's options. Parameters as of `Encoding.values`.
        """
        ends = self.encoding.offsets
        values = np.maximum(self.expected(answers, attributes)[:, : int(ends[-1])], LEAST)
        totals = np.add.reduceat(values, ends[:-1], axis=1) if len(ends) > 1 else values
        return np.asarray(values / np.repeat(totals, self.encoding.sizes, axis=1))

    def conditional(self, known: Bools) -> Floats:
        """Return the covariance of the columns that are not known given those that are, (U, U).

        Parameters
        ----------
        known : (D), which columns are. What they say has no part in it: for a normal distribution
            the conditional covariance is the same whatever was answered.
        """
        total = self._total
        unknown = ~known
        out = total[np.ix_(unknown, unknown)]
        if known.any():
            from scipy.linalg import cho_factor, cho_solve

            across = total[np.ix_(known, unknown)]
            with one_thread():
                factor = cho_factor(total[np.ix_(known, known)], lower=True)
                out = out - across.T @ cho_solve(factor, across)
        return np.asarray(out - self.ridge * np.eye(len(out)))


def fit(
    encoding: Encoding,
    answers: Ints,
    attributes: Floats | None = None,
    *,
    weights: Floats | None = None,
    ridge: float = RIDGE,
    sweeps: int = SWEEPS,
) -> Gaussian:
    """Fit the Gaussian by EM (Dempster, Laird and Rubin 1977, 4.1), unknown cells left out.

    In each sweep unknown columns are completed by their conditional mean and covariance given the
    person's known ones, of people with the same cells unknown together: 5,000 people with 600
    columns, 15 % of them unknown, take 2 s a sweep.

    Parameters
    ----------
    encoding, answers, attributes : as `Encoding.values` takes them.
    weights : (n), what each person counts; 1 when left out.
    ridge : as `RIDGE`, in mean variances times the root of n.
    sweeps : of EM.
    """
    there = encoding.there(answers)
    raw = encoding.values(answers, attributes)
    say = np.ones(len(raw)) if weights is None else weights * len(raw) / weights.sum()
    seen = say @ there
    # Of a column nobody's value is known of there is nothing to centre.
    shares = (say @ (raw * there)) / np.maximum(seen, 1e-12)
    values = np.where(there, raw - shares, 0.0)
    total = max(float(say.sum()), 1.0)
    width = encoding.width
    mean = np.zeros(width)
    covariance = (values.T * say) @ values / total
    effective = float(say.sum()) ** 2 / max(float(np.square(say).sum()), 1e-12)

    def noise(matrix: Floats) -> float:
        level = float(np.trace(matrix)) / max(width, 1)
        return max(ridge * level / float(np.sqrt(max(effective, 1.0))), 1e-6)

    for _ in range(sweeps):
        extra = noise(covariance)
        full, spread = _completed(values, there, mean, covariance + extra * np.eye(width), say)
        # The ridge is no covariance.
        spread[np.diag_indices(width)] -= extra * (say @ ~there)
        mean = say @ full / total
        covariance = ((full.T * say) @ full + spread) / total - np.outer(mean, mean)
    return Gaussian(encoding, shares, mean, covariance, noise(covariance), len(raw))


def _inverse(matrix: Floats) -> Floats:
    from scipy.linalg import cho_factor, cho_solve

    factor = cho_factor(matrix, lower=True)
    # LAPACK's columns are one after another.
    return np.ascontiguousarray(cho_solve(factor, np.eye(len(matrix))))


def _completed(
    values: Floats, there: Bools, mean: Floats, total: Floats, weights: Floats | None = None
) -> tuple[Floats, Floats]:
    """Return values with unknown ones at their conditional mean, and the sum of covariances.

    The latter, (D, D), are those of the unknown ones given the known ones; zero without weights. Of
    a person whichever are fewer are solved for, what is known or what is not.
    """
    if not _light(total, weights):
        # Its BLAS must be loaded when that is kept to one thread: 1,000 people by 600 columns took
        # 7 CPU seconds in place of 5, on a busy machine 40.
        import scipy.linalg  # noqa: F401
    # By rows: these are taken of it for each person, of columns in 28 times the time.
    total = np.ascontiguousarray(total)
    few = 2 * there.sum(axis=1) < there.shape[1]
    out, spread = np.empty_like(values), np.zeros(total.shape)
    with one_thread():
        for some, solved in ((few, _by_known), (~few, _by_unknown)):
            if some.any():
                say = None if weights is None else weights[some]
                out[some], part = solved(values[some], there[some], mean, total, say)
                spread += part
    return out, spread


def _by_unknown(
    values: Floats, there: Bools, mean: Floats, total: Floats, weights: Floats | None
) -> tuple[Floats, Floats]:
    """Return what `_completed` does, from the precision P of all columns.

    Unknown ones have the conditional mean m_u - inv(P_uu) P_uo (x_o - m_o) and covariance
    inv(P_uu), so that only a matrix of the unknown columns is solved.
    """
    light = _light(total, weights)
    precision: Floats = np.asarray(np.linalg.inv(total)) if light else _inverse(total)
    out = values.copy()
    spread = np.zeros(precision.shape)
    # What each person's known columns pull at all others, of everybody in one product.
    pull = np.where(there, values - mean, 0.0) @ precision
    for rows, known in _patterns(there):
        unknown = np.flatnonzero(~known)
        if not len(unknown):
            continue
        solved, factor = _solved(precision, unknown, pull[np.ix_(rows, unknown)], weights)
        out[np.ix_(rows, unknown)] = mean[unknown] - solved
        if weights is not None:
            _add_inverse(spread, factor, unknown, float(weights[rows].sum()))
    return out, _whole(spread)


def _by_known(
    values: Floats, there: Bools, mean: Floats, total: Floats, weights: Floats | None
) -> tuple[Floats, Floats]:
    """Return what `_completed` does, from the covariance C of all columns.

    Unknown ones have the conditional mean m_u + C_uo inv(C_oo) (x_o - m_o) and covariance
    C_uu - C_uo inv(C_oo) C_ou, so that only a matrix of the known columns is solved. Of known ones
    C - C_.o inv(C_oo) C_o. is 0, so everybody's is one product: where 1,200 people were asked a
    quarter of 120 questions, EM takes 2.7 s, by what is unknown 27.
    """
    counts, inverses = np.zeros_like(values), np.zeros(total.shape)
    surprise = np.where(there, values - mean, 0.0)
    for rows, which in _patterns(there):
        known = np.flatnonzero(which)
        if not len(known):
            continue
        solved, factor = _solved(total, known, surprise[np.ix_(rows, known)], weights)
        counts[np.ix_(rows, known)] = solved
        if weights is not None:
            _add_inverse(inverses, factor, known, float(weights[rows].sum()))
    out = np.where(there, values, mean + counts @ total)
    if weights is None:
        return out, inverses
    return out, weights.sum() * total - total @ _whole(inverses) @ total


def _light(matrix: Floats, weights: Floats | None) -> bool:
    """Tell whether NumPy's solver is to do: nothing is fitted, and columns are few."""
    return weights is None and len(matrix) < WIDE


def _solved(
    matrix: Floats, some: Ints, right: Floats, weights: Floats | None
) -> tuple[Floats, Floats]:
    """Return what solves some rows and columns for each right side, (n, S), and their factor."""
    if _light(matrix, weights):
        part = matrix.take(some, axis=0).take(some, axis=1)
        return np.asarray(np.linalg.solve(part, right.T).T), part
    from scipy.linalg import lapack

    factor = _factor(matrix, some)
    solved, _ = lapack.dpotrs(factor, right.T, lower=1)
    return solved.T, factor


def _add_inverse(to: Floats, factor: Floats, some: Ints, times: float) -> None:
    """Add the inverse of what was factored to some rows and columns, its upper half alone."""
    from scipy.linalg import lapack

    own, _ = lapack.dpotri(factor, lower=1, overwrite_c=1)
    # In the order of memory of both: LAPACK's lower half is NumPy's upper one.
    to.ravel()[some[:, None] * len(to) + some] += times * own.T


def _whole(upper: Floats) -> Floats:
    """Return the symmetric matrix whose upper half this is."""
    return np.asarray(np.triu(upper) + np.triu(upper, 1).T)


def _factor(matrix: Floats, some: Ints) -> Floats:
    """Return the lower Cholesky factor of some rows and columns; above it is anything."""
    from scipy.linalg import lapack

    # Rows before columns: a third of the time of single cells. LAPACK is called as it is, since
    # with people of whom the same is known by ones and twos scipy's checks are a fifth of it.
    factor, wrong = lapack.dpotrf(
        matrix.take(some, axis=0).take(some, axis=1).T, lower=1, clean=0, overwrite_a=1
    )
    if wrong:
        raise np.linalg.LinAlgError("the covariance is not positive definite")
    return np.asarray(factor)


def _patterns(there: Bools) -> Iterator[tuple[Ints, Bools]]:
    """Yield the people of whom the same columns are known, with which those are."""
    packed = np.packbits(there, axis=1)
    keys = np.ascontiguousarray(packed).view(np.dtype((np.void, packed.shape[1]))).ravel()
    _, first, place = np.unique(keys, return_index=True, return_inverse=True)
    order = np.argsort(place, kind="stable")
    ends = np.searchsorted(place[order], np.arange(len(first) + 1))
    for i, row in enumerate(first):
        yield order[ends[i] : ends[i + 1]], there[row]
