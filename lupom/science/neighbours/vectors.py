"""Persona vectors: codes as features whose products add up to agreement."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from lupom.science.neighbours import planes
from lupom.science.neighbours.planes import Layout

Floats = NDArray[np.float64]

# Above this many features a dense matrix of them costs more than a sparse one.
_DENSE = 4096


class PersonaVectors:
    """Features of some respondents, such that the product of two rows is their agreement.

    Agreement is the sum over dimensions of weight * a, with a = 1 for the same value and 0 for
    another ('onehot'), or a = 1 - |i - j| / (r - 1) for values number i and j of r in order
    ('ordinal'). A missing value agrees with nothing. Similarity is agreement divided by
    sqrt(known_a * known_b), known being the weights of a respondent's known dimensions: the cosine
    of one-hot vectors. So two who share few known dimensions are not alike by having nothing to
    disagree on. With a certainty c for every value, an agreement counts c_a * c_b and a known
    dimension c * c: still the cosine, of vectors that are shorter where a value is doubtful.

    Parameters
    ----------
    codes : (n, d) integers, -1 where missing.
    cardinalities : number of values of each dimension.
    ordinal : (d) whether a dimension's values are in order; none when left out.
    weights : (d) weight of each dimension, 0 to leave it out; 1 when left out.
    certainty : (n, d) from 0 to 1, how certain each value is; 1 when left out. One of 0 is unknown.

    Attributes
    ----------
    known : (n,) sum of the weights of the known dimensions.
    binary : whether agreements are whole numbers: one-hot, of whole weights, nothing doubtful.
    """

    def __init__(
        self,
        codes: ArrayLike,
        cardinalities: Sequence[int],
        *,
        ordinal: Sequence[bool] | None = None,
        weights: ArrayLike | None = None,
        certainty: ArrayLike | None = None,
    ) -> None:
        matrix = np.asarray(codes)
        d = matrix.shape[1]
        w = np.ones(d) if weights is None else np.asarray(weights, dtype=np.float64)
        if len(cardinalities) != d or w.shape != (d,):
            raise ValueError(f"{d} columns need {d} cardinalities and weights")
        if d and (w.min() < 0 or not np.isfinite(w).all()):
            raise ValueError("weights must be numbers from 0")
        used = [int(j) for j in np.flatnonzero(w > 0)]
        self._codes = matrix if len(used) == d else matrix[:, used]
        self._certainty: Floats | None = None
        if certainty is not None:
            sure = np.asarray(certainty, dtype=np.float64)
            if sure.shape != matrix.shape:
                raise ValueError(f"certainty must have the shape of the codes, {matrix.shape}")
            sure = sure[:, used]
            there = self._codes >= 0
            if there.any() and not ((sure[there] >= 0) & (sure[there] <= 1)).all():
                raise ValueError("certainty must be from 0 to 1 wherever there is a value")
            self._codes = np.where(there & (sure > 0), self._codes, -1)
            self._certainty = np.where(self._codes >= 0, sure, 0.0)
        self._cards = [int(cardinalities[j]) for j in used]
        self._weights = w[used]
        self._ordered = [bool(ordinal[j]) if ordinal is not None else False for j in used]
        self._offsets = np.concatenate([[0], np.cumsum(self._cards)]).astype(np.int64)
        # A dimension at a time: all at once would be a matrix of float64.
        self.known: Floats = np.zeros(len(matrix))
        for j, weight in enumerate(self._weights.tolist()):
            if self._certainty is None:
                self.known += weight * (self._codes[:, j] >= 0)
            else:
                self.known += weight * self._certainty[:, j] ** 2
        # Whole numbers below 2^24 are exact in float32, whatever order they are added in.
        self.binary = (
            self._certainty is None
            and not any(self._ordered)
            and bool((self._weights == np.rint(self._weights)).all())
        )
        self._dtype: Any = np.float32 if self.binary else np.float64

    def __len__(self) -> int:
        return len(self._codes)

    def rows(self, rows: NDArray[np.int64]) -> Any:
        """Return the (m, features) one-hot features of some respondents, dense or sparse."""
        part = self._codes[rows]
        at, dimension = np.nonzero(part >= 0)
        place = self._offsets[dimension] + part[at, dimension]
        shape = (len(rows), int(self._offsets[-1]))
        length = np.ones(len(at), dtype=self._dtype)
        if self._certainty is not None:
            length = self._certainty[rows[at], dimension]
        if shape[1] <= _DENSE:
            dense = np.zeros(shape, dtype=self._dtype)
            dense[at, place] = length
            return dense
        return sparse.csr_matrix((length, (at, place)), shape=shape)

    def bits(self, rows: NDArray[np.int64]) -> NDArray[np.uint8]:
        """Return one-hot features as packed bits (m, bytes), a dimension of weight w w times.

        The bits in which two rows differ are known_a + known_b - 2 * agreement.
        """
        part = self._codes[rows]
        repeats = self._weights.astype(np.int64)
        width = np.asarray(self._cards, dtype=np.int64) * repeats
        offsets = np.concatenate([[0], np.cumsum(width)])
        out = np.zeros((len(rows), (int(offsets[-1]) + 7) // 8), dtype=np.uint8)
        for j, times in enumerate(repeats.tolist()):
            here = np.flatnonzero(part[:, j] >= 0)
            for again in range(times):
                place = offsets[j] + part[here, j] * times + again
                out[here, place // 8] |= (1 << (place % 8)).astype(np.uint8)
        return out

    def targets(self, rows: NDArray[np.int64]) -> Any:
        """Return the (features, m) weighted other side of the product with `rows`."""
        features = self.rows(rows)
        if not self._cards:
            return features.T
        kernel = sparse.block_diag(
            [
                w * (_closeness(r) if ordered else sparse.eye_array(r))
                for w, r, ordered in zip(self._weights, self._cards, self._ordered, strict=True)
            ],
            format="csr",
            dtype=self._dtype,
        )
        product = kernel @ features.T
        return product if sparse.issparse(features) else np.ascontiguousarray(product)

    @property
    def layout(self) -> Layout | None:
        """How codes stand in words of bits, where agreements are counted for less so."""
        features = int(self._offsets[-1])
        # A dimension of weight w stands there w times: of large weights that never pays.
        if not self.binary or not len(self) or not 0 < self._weights.sum() <= 2 * features:
            return None
        found = planes.layout(self._cards, self._weights)
        return found if found.pays(features) else None

    def words(self, rows: NDArray[np.int64], layout: Layout) -> list[NDArray[np.uint64]]:
        """Return some respondents' codes as `planes.packed` does."""
        return planes.packed(self._codes[rows], layout)

    @property
    def gaps(self) -> bool:
        """Return whether any value is missing, so that two may have no dimension in common."""
        return bool((self._codes < 0).any())

    def overlap(self, rows: NDArray[np.int64], others: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return which pairs know at least one dimension in common, (m, others)."""
        mine, theirs = ((self._codes[of] >= 0).astype(np.float32) for of in (rows, others))
        return np.asarray(mine @ theirs.T > 0)


def _closeness(r: int) -> Any:
    """Return 1 - |i - j| / (r - 1) for every two of r values in order."""
    place = np.arange(r)
    return sparse.coo_array(1.0 - np.abs(place[:, None] - place[None, :]) / max(r - 1, 1))


def informative(codes: ArrayLike, *, max_skew: float | None = 10.0) -> NDArray[np.bool_]:
    """Return which dimensions tell respondents apart.

    Parameters
    ----------
    codes : (n, d) integers, -1 where missing.
    max_skew : the largest ratio of the most common to the second most common value; a dimension
        above it is dropped. None keeps all in which two values occur. One with a single value, or
        none, is always dropped.
    """
    matrix = np.asarray(codes)
    out = np.zeros(matrix.shape[1], dtype=bool)
    for j in range(matrix.shape[1]):
        column = matrix[:, j]
        counts = np.sort(np.bincount(column[column >= 0], minlength=2))
        out[j] = counts[-2] > 0 and (max_skew is None or counts[-1] <= max_skew * counts[-2])
    return out
