"""Conditional probability tables: Dirichlet posterior means over observed configurations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lupom.science.bayes.counting import Codes, Configurations, Floats, Ints, family_counts
from lupom.science.bayes.scores import Score

# Far below anything that counts, and enough to keep every probability above 0.
_LEAST = 1e-12


class ConditionalTable:
    """The distribution of a child given its parents; made from probabilities, or by `fit`.

    Parameters
    ----------
    cardinalities : number of values of each dimension.
    child, parents : columns; the parents in the order that `configurations` keeps.
    configurations : (k, parents) codes of the configurations with probabilities of their own,
        each once; every other configuration gives every value 1 / r.
    probabilities : (k, r) probabilities of the child's values; each row sums to 1. None is taken
        below 1e-12, so that evidence that is impossible under the network has a posterior too.
    counts : (k, r) how many respondents they stand on; zeros when left out.

    Attributes
    ----------
    configurations, counts : as given, ordered by configuration.
    probabilities : (k + 1, r); the last row stands for all other configurations.

    Raises
    ------
    ValueError : for a configuration that appears twice.
    """

    def __init__(
        self,
        cardinalities: Sequence[int],
        child: int,
        parents: Sequence[int],
        configurations: NDArray[Any],
        probabilities: NDArray[Any],
        counts: NDArray[Any] | None = None,
    ) -> None:
        self.child = child
        self.parents = tuple(parents)
        self.members = (*self.parents, child)
        self.cardinality = int(cardinalities[child])
        k, r = len(probabilities), self.cardinality
        columns = list(np.asarray(configurations, dtype=np.int32).T)
        cards = [int(cardinalities[p]) for p in self.parents]
        if not self.parents:
            columns, cards = [np.zeros(k, dtype=np.int32)], [1]
        self._configurations = Configurations(columns, cards)
        if self._configurations.count != k:
            raise ValueError(f"a configuration of the parents of dimension {child} appears twice")
        order = np.argsort(self._configurations.index)
        self.configurations: Codes = np.asarray(configurations, dtype=np.int32)[order]
        self.probabilities: Floats = np.full((k + 1, r), 1.0 / r)
        self.probabilities[:k] = np.maximum(np.asarray(probabilities, dtype=np.float64), _LEAST)[
            order
        ]
        self.counts: Floats = np.zeros((k, r))
        if counts is not None:
            self.counts[:] = np.asarray(counts)[order]
        self._logs: Floats | None = None

    @classmethod
    def fit(
        cls,
        codes: Codes,
        cardinalities: Sequence[int],
        child: int,
        parents: Sequence[int],
        score: Score,
        *,
        copies: int = 1,
    ) -> ConditionalTable:
        """Estimate a table under the prior of a score.

        theta_jk = (n_jk + a_jk) / (n_j + a_j), with the Dirichlet weights a_jk of the score: 1 for
        k2, iss / (r q) for bdeu, iss / (r q~) for bds and bic (q~ observed configurations, as in
        `scores`). Counts are over available cases, the rows in which the whole family is known.

        Parameters
        ----------
        codes : (n, d) checked code matrix, -1 where missing.
        child, parents : columns.
        score : whose prior is used.
        copies : how many completions of the same respondents the rows hold.
        """
        found, seen, complete = family_counts(codes, cardinalities, child, parents)
        counts = found / copies
        k, r = counts.shape
        q = 1.0
        for parent in parents:
            q = min(q * int(cardinalities[parent]), 1e300)
        if score.name == "k2":
            weight = 1.0
        elif score.name == "bdeu":
            weight = score.iss / (q * r)
        else:
            weight = score.iss / (max(k, 1) * r)
        weight = max(weight, _LEAST)
        probabilities = (counts + weight) / (counts.sum(axis=1, keepdims=True) + weight * r)
        rows = codes if complete.all() else codes[complete]
        first = np.zeros(k, dtype=np.int64)
        if len(rows):
            # The last row of each configuration; which one does not matter.
            first[seen.index] = np.arange(len(rows))
        return cls(
            cardinalities, child, parents, rows[first][:, list(parents)], probabilities, counts
        )

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
