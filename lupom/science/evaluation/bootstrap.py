"""The bootstrap: respondents are drawn, each with all of their pairs."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from functools import cached_property

import numpy as np
import numpy.typing as npt

from lupom.science.significance import student

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

# Draws multiplied at one time: at 50,000 respondents 25 MB of numbers.
_CHUNK = 64
# Counts that are kept as floats: 64 MB. Of a survey's test people they are made once for all
# predictors and groups, where making them was two thirds of a sparse product's time.
_KEPT = 8_000_000
# Draws of a sparse product at one time where they are not.
_FEW = 256


class Draws:
    """How often each respondent is in each draw; the first draw is the sample itself.

    The answers of one person hang together, so that pairs are not drawn one by one (a cluster
    bootstrap: Davison and Hinkley 1997, section 3.8). All predictors are judged on the same draws.
    """

    def __init__(self, people: int, resamples: int, seed: int, words: Sequence[str] = ()) -> None:
        """Draw `resamples` times; `words` name the sample, so that no two have the same draws.

        Raises ValueError for fewer than one resample.
        """
        if resamples < 1:
            raise ValueError(f"resamples must be at least 1, not {resamples}")
        rng = np.random.default_rng([seed, *(zlib.crc32(word.encode()) for word in words)])
        # A respondent is in a draw once on average, and never 255 times.
        self.counts = np.ones((resamples + 1, people), dtype=np.uint8)
        self._kept = self.counts.size <= _KEPT
        for row in self.counts[1:]:
            row[:] = np.bincount(rng.integers(people, size=people), minlength=people)

    def of(self, members: npt.NDArray[np.bool_] | Ints) -> Draws:
        """Return the same draws of some of the people, by a mask or their places."""
        some = object.__new__(Draws)
        some.counts = self.counts[:, members]
        # All groups' are held at once: together they are no more than everybody's.
        some._kept = self._kept
        return some

    def sums(self, by_person: Floats, weights: Floats | None = None) -> Floats:
        """Return the sums of columns in each draw.

        Parameters
        ----------
        by_person : (people, columns), float64, or float32 for counts that are whole numbers.
        weights : (people), how much each counts.

        Returns
        -------
        (1 + resamples, columns), float64.
        """
        if weights is not None:
            by_person = by_person * weights[:, None].astype(by_person.dtype)
        if self._floats is not None and by_person.dtype == np.float64:
            return np.asarray(self._floats.T @ by_person)
        out = np.empty((len(self.counts), by_person.shape[1]))
        for start in range(0, len(self.counts), _CHUNK):
            part = self.counts[start : start + _CHUNK].astype(by_person.dtype)
            out[start : start + _CHUNK] = part @ by_person
        return out

    def of_cells(self, cell: Ints, person: Ints, amount: Floats, count: int) -> Floats:
        """Return the sums of `count` cells in each draw, (count, 1 + resamples).

        Where a person adds to few cells of many this is faster than `sums`, whose work is people
        times cells.

        Parameters
        ----------
        cell, person, amount : (n), what a person adds to a cell.
        """
        from scipy.sparse import coo_array

        draws, people = self.counts.shape
        matrix = coo_array((amount, (cell, person)), shape=(count, people)).tocsr()
        if self._floats is not None:
            return np.asarray(matrix @ self._floats)
        out = np.empty((count, draws))
        for start in range(0, draws, _FEW):
            part = np.ascontiguousarray(self.counts[start : start + _FEW].T, dtype=np.float64)
            out[:, start : start + _FEW] = matrix @ part
        return out

    @cached_property
    def _floats(self) -> Floats | None:
        """Return the counts as (people, 1 + resamples), None where they are many."""
        if not self._kept:
            return None
        return np.ascontiguousarray(self.counts.T, dtype=np.float64)


def interval(values: Floats, level: float = 0.95) -> tuple[float | None, float | None]:
    """Return the percentile interval of all draws but the first; None where none is a number."""
    found = values[1:][np.isfinite(values[1:])]
    if not found.size:
        return None, None
    tail = (1.0 - level) / 2.0
    low, high = np.quantile(found, [tail, 1.0 - tail])
    return rounded(low), rounded(high)


def intervals(values: Floats, level: float = 0.95) -> list[tuple[float | None, float | None]]:
    """Return the intervals of several (rows, draws), as `interval` does one by one."""
    out: list[tuple[float | None, float | None]] = [(None, None)] * len(values)
    whole = np.asarray(np.isfinite(values[:, 1:]).all(axis=1) & (values.shape[1] > 1))
    if whole.any():
        tail = (1.0 - level) / 2.0
        ends = np.quantile(values[whole, 1:], [tail, 1.0 - tail], axis=1)
        for row, low, high in zip(np.flatnonzero(whole), *ends, strict=True):
            out[row] = rounded(low), rounded(high)
    for row in np.flatnonzero(~whole):
        out[row] = interval(values[row], level)
    return out


def p_value(differences: Floats, people: int) -> float:
    """Return the two-sided p-value of no difference, by Student's t with the bootstrap's error.

    Counting draws on either side of 0 gives no p below 2 / (1 + resamples), which a correction for
    a hundred comparisons would raise above any level; the standard error of the draws has no such
    floor (Efron and Tibshirani 1993, chapter 12). There are `people` - 1 degrees of freedom.
    """
    drawn = differences[1:][np.isfinite(differences[1:])]
    if len(drawn) < 2 or people < 2 or not np.isfinite(differences[0]):
        return 1.0
    error = float(drawn.std(ddof=1))
    if error == 0.0:
        return 1.0 if differences[0] == 0.0 else 0.0
    return student(differences[0] / error, people - 1)


def rounded(value: float) -> float | None:
    """Return a number to nine digits: sums differ in the last ones by the order of rows."""
    return float(f"{value:.9g}") if np.isfinite(value) else None
