"""Exact search over packed bits with faiss, for very many respondents."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lupom.science.neighbours.vectors import PersonaVectors

# Respondents asked about at once: with 1,000 neighbours of 40 groups each 330 MB at the worst, and
# faiss goes through the index once for each of its own batches of this size.
_STEP = 1024


@cache
def faiss() -> Any:
    """Return the module faiss, or None where it is not installed."""
    try:
        import faiss as module
    except ImportError:
        return None
    return module


def serves(vectors: PersonaVectors) -> bool:
    """Return whether the binary index is installed and finds these vectors' neighbours."""
    return vectors.binary and faiss() is not None


def check(vectors: PersonaVectors) -> None:
    """Raise ValueError, saying why, unless `serves`."""
    if faiss() is None:
        raise ValueError("method 'faiss' needs faiss-cpu: pip install 'lupom[faiss]'")
    if not vectors.binary:
        raise ValueError(
            "method 'faiss' finds neighbours by one-hot values of whole weights without certainty; "
            "use method 'numpy' for ordinal encoding, certainty or broken weights"
        )


def search(
    vectors: PersonaVectors,
    asked: NDArray[np.int64],
    others: NDArray[np.int64],
    k: int,
    digits: int,
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.int64]]:
    """Return the nearest of `others` to each of `asked`, as `nearest` orders them.

    Two rows differ in known_a + known_b - 2 * agreement bits. Among those who know as much
    (known_b equal) fewer bits is a larger cosine, so each such group has an index of its own, and
    the best of the groups are merged by cosine. faiss keeps the first of equal distances.

    Returns
    -------
    neighbours, similarity : (m, k) as `nearest`.
    unsure : those of the m among whose neighbours some agree in nothing, to be searched again.
    """
    module = faiss()
    m = len(others)
    known = np.rint(vectors.known).astype(np.int64)
    groups = []
    for amount in np.unique(known[others]).tolist():
        if amount:
            members = np.flatnonzero(known[others] == amount)
            bits = vectors.bits(others[members])
            index = module.IndexBinaryFlat(8 * bits.shape[1])
            index.add(bits)
            groups.append((amount, members, index))
    neighbours = np.full((len(asked), k), -1, dtype=np.int64)
    similarity = np.full((len(asked), k), np.nan)
    unsure = np.zeros(len(asked), dtype=bool)
    for start in range(0, len(asked), _STEP):
        rows = asked[start : start + _STEP]
        bits = vectors.bits(rows)
        mine = known[rows][:, None]
        keys = [np.full((len(rows), 1), -1, dtype=np.int64)]
        for amount, members, index in groups:
            # One more than k, since a respondent finds itself.
            distance, place = index.search(bits, min(k + 1, len(members)))
            agreement = (mine + amount - distance) // 2
            score = agreement / np.sqrt(np.maximum(mine, 1) * float(amount))
            key = np.rint(score * digits).astype(np.int64) * m + (m - 1 - members[place])
            own = others[members[place]] == rows[:, None]
            keys.append(np.where(own | (agreement == 0), -1, key))
            unsure[start : start + len(rows)] |= ((agreement == 0) & (mine > 0)).any(axis=1)
        best = np.sort(np.concatenate(keys, axis=1), axis=1)[:, ::-1][:, :k]
        found = best >= 0
        part = slice(start, start + len(rows))
        neighbours[part, : best.shape[1]] = np.where(found, others[m - 1 - best % m], -1)
        similarity[part, : best.shape[1]] = np.where(found, best // m / digits, np.nan)
    # With k neighbours that agree in something, those who agree in nothing are none of them.
    unsure &= (neighbours < 0).any(axis=1)
    return neighbours, similarity, np.flatnonzero(unsure)
