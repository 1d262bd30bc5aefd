"""The reference respondents most similar to each respondent."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lupom.science.neighbours.vectors import PersonaVectors

# Pairs whose similarity is held at once: 32 MB of float64.
_BLOCK = 1 << 22
# Similarities are compared to nine digits, so that rounding does not decide between equals.
_DIGITS = 1_000_000_000


def nearest(
    codes: ArrayLike,
    cardinalities: Sequence[int],
    reference: ArrayLike,
    k: int,
    *,
    ordinal: Sequence[bool] | None = None,
    weights: ArrayLike | None = None,
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return the k reference respondents most similar to each respondent, never itself.

    Of equally similar ones the earlier row counts as nearer, so rows in the order of respondent ids
    break ties by id. Someone who shares no known dimension with a respondent is no neighbour of
    theirs. Memory is bounded: some 100 MB beside the features, at any number of respondents.

    Parameters
    ----------
    codes : (n, d) integers, -1 where missing.
    cardinalities, ordinal, weights : see `PersonaVectors`, which also defines similarity.
    reference : (n) whether a respondent may be a neighbour.
    k : number of neighbours.

    Returns
    -------
    neighbours : (n, k) rows of the codes, nearest first; -1 where there are fewer than k.
    similarity : (n, k) from 0 to 1; NaN where there is no neighbour.
    """
    if k < 1:
        raise ValueError(f"the number of neighbours must be at least 1, got {k}")
    vectors = PersonaVectors(codes, cardinalities, ordinal=ordinal, weights=weights)
    n = len(vectors)
    mask = np.asarray(reference, dtype=bool)
    if mask.shape != (n,):
        raise ValueError(f"reference must hold one truth value per respondent ({n})")
    others = np.flatnonzero(mask)
    neighbours = np.full((n, k), -1, dtype=np.int64)
    similarity = np.full((n, k), np.nan)
    m = len(others)
    if not m or not n:
        return neighbours, similarity
    targets = vectors.targets(others)
    norm = np.sqrt(vectors.known)
    top = min(k, m)
    place = np.full(n, -1, dtype=np.int64)
    place[others] = np.arange(m)
    gaps = bool((vectors.known < vectors.known.max(initial=0.0)).any())
    step = max(1, _BLOCK // m)
    for start in range(0, n, step):
        rows = np.arange(start, min(start + step, n))
        agreement = vectors.rows(rows) @ targets
        dense = agreement if isinstance(agreement, np.ndarray) else agreement.toarray()
        scale = np.outer(norm[rows], norm[others])
        score = np.divide(dense, scale, out=np.zeros(dense.shape), where=scale > 0)
        # One integer per pair, larger for nearer: the similarity, then the earlier row.
        key = np.rint(score * _DIGITS).astype(np.int64) * m + (m - 1 - np.arange(m))
        if gaps:
            key[~vectors.overlap(rows, others)] = -1
        elif not vectors.known.max(initial=0.0):
            key[:] = -1
        own = np.flatnonzero(place[rows] >= 0)
        key[own, place[rows[own]]] = -1
        best = np.sort(np.partition(key, m - top, axis=1)[:, m - top :], axis=1)[:, ::-1]
        found = best >= 0
        neighbours[rows, :top] = np.where(found, others[m - 1 - best % m], -1)
        similarity[rows, :top] = np.where(found, best // m / _DIGITS, np.nan)
    return neighbours, similarity
