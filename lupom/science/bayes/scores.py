"""Scores of one family: a child's counts within each configuration of its parents.

All scores are natural logarithms (larger is better) and sum over families to the score of a
network. With n_jk the count of child value k under parent configuration j, n_j their sum, r the
child's cardinality, q the number of possible parent configurations and q~ of those observed:

- bic: sum n_jk log(n_jk / n_j) - log(n) / 2 * q (r - 1)            Schwarz 1978
- K2, BDeu and BDs are the Dirichlet marginal likelihood
  sum_j [lgamma(a_j) - lgamma(a_j + n_j) + sum_k lgamma(a_jk + n_jk) - lgamma(a_jk)]
  with a_j = r a_jk, the sum over observed j, and
  - k2:   a_jk = 1                                   Cooper and Herskovits 1992, eq. 12
  - bdeu: a_jk = iss / (r q)                         Heckerman, Geiger and Chickering 1995, eq. 38
  - bds:  a_jk = iss / (r q~)                        Scutari 2017, PMLR 73, eq. 9

`iss` is the imaginary sample size. An unobserved configuration adds nothing to any of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lupom.science.bayes.counting import Floats

NAMES = ("bic", "bdeu", "bds", "k2")


@dataclass(frozen=True)
class Score:
    """A score by name.

    Parameters
    ----------
    name : 'bic', 'bdeu', 'bds' or 'k2'.
    iss : imaginary sample size of bdeu and bds, in respondents; above 0. The others ignore it.

    Raises
    ------
    ValueError : for another name or an iss that is not above 0.
    """

    name: str
    iss: float = 10.0

    def __post_init__(self) -> None:
        if self.name not in NAMES:
            raise ValueError(f"unknown score {self.name!r}; known are {', '.join(NAMES)}")
        if not (self.iss > 0 and np.isfinite(self.iss)):
            raise ValueError(f"iss must be a number above 0, got {self.iss!r}")

    def family(self, counts: ArrayLike, configurations: float | None = None) -> float:
        """Return the score of one family.

        Parameters
        ----------
        counts : (k, r) counts n_jk; rows of zeros are allowed and count as unobserved.
        configurations : q, how many parent configurations are possible; k when left out.
        """
        table = np.asarray(counts)
        if table.ndim != 2:
            raise ValueError(f"counts must be a matrix (configurations, values), got {table.shape}")
        cells = table[table > 0]
        rows = table.sum(axis=1)
        rows = rows[rows > 0]
        scores = self.families(
            cells,
            np.zeros(len(cells), dtype=np.intp),
            rows,
            np.zeros(len(rows), dtype=np.intp),
            cardinality=table.shape[1],
            configurations=np.array([table.shape[0] if configurations is None else configurations]),
        )
        return float(scores[0])

    def families(
        self,
        cells: NDArray[Any],
        cell_family: NDArray[np.intp],
        rows: NDArray[Any],
        row_family: NDArray[np.intp],
        *,
        cardinality: int,
        configurations: NDArray[Any],
    ) -> Floats:
        """Return the scores of many families of one child at once, from counts above 0.

        Parameters
        ----------
        cells : counts n_jk above 0 of all families, one after another in any order.
        cell_family : number of the family of each cell, 0 to f - 1.
        rows : counts n_j above 0 of all families.
        row_family : number of the family of each row.
        cardinality : r, number of values of the child.
        configurations : (f,) q of each family; a float, since it may exceed any integer type.
        """
        # Here, since it takes .2 s to import, and what is fitted predicts without it.
        from scipy.special import gammaln, xlogy

        q = np.asarray(configurations, dtype=np.float64)
        f = len(q)
        r = float(cardinality)

        def total(values: Floats, family: NDArray[np.intp]) -> Floats:
            sums: Floats = np.bincount(family, weights=values, minlength=f).astype(np.float64)
            return sums

        if self.name == "bic":
            likelihood = total(xlogy(cells, cells), cell_family) - total(
                xlogy(rows, rows), row_family
            )
            n = np.bincount(row_family, weights=rows, minlength=f)
            return likelihood - 0.5 * np.log(np.maximum(n, 1.0)) * q * (r - 1.0)
        if self.name == "k2":
            row_sum = gammaln(r) - gammaln(r + rows)
            return total(row_sum, row_family) + total(gammaln(1.0 + cells), cell_family)
        observed = np.bincount(row_family, minlength=f)
        shared = q if self.name == "bdeu" else np.maximum(observed, 1).astype(np.float64)
        a_j = self.iss / shared
        a_jk = a_j / r
        n_cells = np.bincount(cell_family, minlength=f)
        result: Floats = (
            observed * gammaln(a_j)
            - total(gammaln(a_j[row_family] + rows), row_family)
            + total(gammaln(a_jk[cell_family] + cells), cell_family)
            - n_cells * gammaln(a_jk)
        )
        return result
