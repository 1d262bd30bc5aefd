"""Conditional probability tables: Dirichlet posterior means over observed configurations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lupom.science.bayes.counting import Codes, Floats, Ints, family_counts
from lupom.science.bayes.scores import Score


class ConditionalTable:
    """The distribution of a child given its parents.

    theta_jk = (n_jk + a_jk) / (n_j + a_j), with the Dirichlet weights a_jk of the score: 1 for k2,
    iss / (r q) for bdeu, iss / (r q~) for bds and bic (q~ observed configurations, as in `scores`).
    A configuration that was never observed gives every value 1 / r. Counts are over available
    cases, the rows in which the whole family is known.

    Parameters
    ----------
    codes : (n, d) checked code matrix, -1 where missing.
    cardinalities : number of values of each dimension.
    child, parents : columns; the parents in the order that `configurations` keeps.
    score : whose prior is used.

    Attributes
    ----------
    counts : (k, r) counts of the k observed configurations.
    probabilities : (k + 1, r); the last row stands for all unobserved configurations.
    """

    def __init__(
        self,
        codes: Codes,
        cardinalities: Sequence[int],
        child: int,
        parents: Sequence[int],
        score: Score,
    ) -> None:
        self.child = child
        self.parents = tuple(parents)
        self.members = (*self.parents, child)
        self.cardinality = int(cardinalities[child])
        counts, self._configurations, complete = family_counts(
            codes, cardinalities, child, self.parents
        )
        self.counts: Ints = counts
        k, r = counts.shape
        q = 1.0
        for parent in self.parents:
            q = min(q * int(cardinalities[parent]), 1e300)
        if score.name == "k2":
            weight = 1.0
        elif score.name == "bdeu":
            weight = score.iss / (q * r)
        else:
            weight = score.iss / (max(k, 1) * r)
        # Far below anything that counts, and enough to keep every probability above 0.
        weight = max(weight, 1e-12)
        self.probabilities: Floats = np.full((k + 1, r), 1.0 / r)
        if k:
            known = (counts + weight) / (counts.sum(axis=1, keepdims=True) + weight * r)
            self.probabilities[:k] = known
        self._logs: Floats | None = None
        rows = codes if complete.all() else codes[complete]
        first = np.zeros(k, dtype=np.int64)
        if len(rows):
            _, first = np.unique(self._configurations.index, return_index=True)
        self.configurations: Codes = rows[first][:, list(self.parents)]
        """(k, parents) codes of the observed configurations."""

    def rows(self, values: Mapping[int, NDArray[Any]]) -> Ints:
        """Return the row of `probabilities` for the parents' values, which may broadcast."""
        if not self.parents:
            return np.zeros((), dtype=np.int64)
        return self._configurations.lookup([values[p] for p in self.parents])

    def likelihood(self, values: Mapping[int, NDArray[Any]], *, log: bool = False) -> Floats:
        """Return the (log) probability of the child's value given its parents'.

        Parameters
        ----------
        values : codes of child and parents, none missing; they broadcast against each other.
        """
        if log and self._logs is None:
            self._logs = np.log(self.probabilities)
        table = self._logs if log and self._logs is not None else self.probabilities
        at = self.rows(values) * self.cardinality + values[self.child]
        found: Floats = table.reshape(-1)[at]
        return found
