"""How the people of a survey were drawn, and the variance that follows from it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Design:
    """The design of a sample of N people.

    Attributes
    ----------
    weights : (N), survey weights.
    clusters, strata : (N), from 0: each person's sampling unit, and the stratum that it is in; None
        where every person is a unit, and there is one stratum.
    replicates : (N, R), replicate weights, if the survey has them; variances then come from these.
    scale : what the sum of the replicates' squared deviations is multiplied by: 1 / R for balanced
        repeated replication and the bootstrap, (R - 1) / R for the jackknife.
    """

    weights: Floats
    clusters: Ints | None = None
    strata: Ints | None = None
    replicates: Floats | None = None
    scale: float = 1.0

    @property
    def simple(self) -> bool:
        """Whether every person is a sampling unit of the same stratum, and stays one."""
        return self.clusters is None and self.strata is None and self.replicates is None

    @cached_property
    def _units(self) -> tuple[Ints, Ints]:
        """Return each person's unit, numbered over all strata, and each unit's stratum."""
        n = len(self.weights)
        cluster = np.arange(n) if self.clusters is None else self.clusters
        stratum = np.zeros(n, dtype=np.int64) if self.strata is None else self.strata
        both = np.stack([stratum, cluster], axis=1)
        units, place = np.unique(both, axis=0, return_inverse=True)
        return place.reshape(-1), units[:, 0]

    @property
    def units(self) -> Ints:
        """Return the number of each person's sampling unit, (N)."""
        return np.arange(len(self.weights)) if self.simple else self._units[0]

    def mean(self, values: Floats, here: Bools) -> tuple[Floats, Floats]:
        """Return weighted means (K) of some people's values, and the parts of their error.

        Parameters
        ----------
        values : (N, K), read of the people `here`, (N).

        Returns
        -------
        The parts are (N, K), what each person adds to the error (the influence function); with
        replicate weights (R, K), the deviation of each replicate times the root of the scale. What
        is linear in means has parts that are linear in theirs.
        """
        rows = np.flatnonzero(here)
        told, weights = values.take(rows, axis=0), self.weights.take(rows)
        total = weights.sum()
        if total <= 0:
            nothing = np.zeros((len(values), values.shape[1]))
            return np.full(values.shape[1], np.nan), nothing[: self._parts]
        value = np.asarray(weights @ told / total)
        if self.replicates is not None:
            again = self.replicates[here]
            sums = again.sum(axis=0)[:, None]
            means = np.divide(
                again.T @ told, sums, out=np.tile(value, (len(sums), 1)), where=sums > 0
            )
            return value, np.sqrt(self.scale) * _gaps(means, value, told)
        parts = np.zeros(values.shape)
        parts[rows] = weights[:, None] * _gaps(told, value, told) / total
        return value, parts

    @property
    def _parts(self) -> int:
        return len(self.weights) if self.replicates is None else self.replicates.shape[1]

    def sums(self, parts: Floats) -> Floats:
        """Return the sums of parts (N, K) by sampling unit; those of replicates as they are."""
        if (self.clusters is None and self.strata is None) or self.replicates is not None:
            return parts
        place, stratum = self._units
        out = np.zeros((len(stratum), parts.shape[1]))
        np.add.at(out, place, parts)
        return out

    def variance(self, parts: Floats, used: int) -> Floats:
        """Return the variance of a statistic by the parts of its error, see `mean`, (K).

        Sums over sampling units vary around the mean of their stratum; units without anybody whom
        the statistic is about add 0, and count (Lumley 2010, Complex Surveys, section 2.4). A
        stratum of one unit is taken to vary around 0, which errs to the wide side.

        Parameters
        ----------
        used : how many people the statistic was learned from; the number of units where each
            person is one.
        """
        if self.replicates is not None:
            return np.asarray(np.square(parts).sum(axis=0))
        if self.simple:
            # Influences sum to 0.
            return np.asarray(np.einsum("ij,ij->j", parts, parts) * used / max(used - 1, 1))
        sums, stratum = self.sums(parts), self._units[1]
        count = np.bincount(stratum).astype(np.float64)
        mean = np.zeros((len(count), parts.shape[1]))
        np.add.at(mean, stratum, sums)
        mean /= np.maximum(count, 1.0)[:, None]
        mean[count < 2] = 0.0
        factor = np.where(count > 1, count / np.maximum(count - 1.0, 1.0), 1.0)
        return np.asarray((np.square(sums - mean[stratum]) * factor[stratum, None]).sum(axis=0))

    def degrees(self, among: Bools) -> float:
        """Return the degrees of freedom of a variance of some people: units less strata."""
        if self.replicates is not None:
            return float(self.replicates.shape[1] - 1)
        if self.simple:
            return float((among & (self.weights > 0)).sum() - 1)
        place, stratum = self._units
        units = np.unique(place[among & (self.weights > 0)])
        return float(len(units) - len(np.unique(stratum[units])))

    def tells(self, among: Bools) -> bool:
        """Say whether some people tell a variance: of one sampling unit alone none is known.

        The parts of a unit's error sum to 0 if all people are in it, whatever they answered.
        """
        if self.replicates is not None:
            return True
        if self.simple:
            return int((among & (self.weights > 0)).sum()) > 1
        return len(np.unique(self.units[among & (self.weights > 0)])) > 1

    def size(self, among: Bools) -> float:
        """Return how many people with an equal say would carry as far (Kish 1965)."""
        weights = self.weights[among]
        squares = float(np.square(weights).sum())
        return float(weights.sum()) ** 2 / squares if squares > 0 else 0.0


def _gaps(values: Floats, mean: Floats, told: Floats) -> Floats:
    """Return how far values are from their mean; where that is rounding, 0.

    Where all answered alike the mean is off by a rounding, and an interval by it would be of the
    width of one.
    """
    gaps = values - mean
    # Of few long columns the largest is found ten times as fast where each is in one piece.
    least = 1e-12 * np.abs(np.ascontiguousarray(told.T)).max(axis=1, initial=0.0)
    return np.asarray(np.where(np.abs(gaps) <= least, 0.0, gaps))
