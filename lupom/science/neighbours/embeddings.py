"""Nearest respondents by embeddings of what is said of them in words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lupom.science.neighbours.hamming import faiss

_BLOCK = 1 << 22
# Single-precision vectors give cosines to seven digits; six decide who is nearer.
_DIGITS = 1_000_000
METHODS = ("auto", "numpy", "hnsw")


def texts(
    codes: ArrayLike, names: Sequence[str], words: Sequence[Sequence[str]]
) -> list[str | None]:
    """Return each respondent's known values as text, a line each, or None where none is known.

    Parameters
    ----------
    codes : (n, d) integers, -1 where missing.
    names : (d) what each dimension is called.
    words : (d) the text of each value.
    """
    out: list[str | None] = []
    for row in np.asarray(codes).tolist():
        lines = [f"{names[j]}: {words[j][code]}" for j, code in enumerate(row) if code >= 0]
        out.append("\n".join(lines) or None)
    return out


def nearest_texts(
    vectors: ArrayLike,
    reference: ArrayLike,
    k: int,
    *,
    asked: ArrayLike | None = None,
    method: str = "auto",
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return the k reference respondents whose vectors have the largest cosine, never oneself.

    Parameters
    ----------
    vectors : (n, dimensions), NaN in the rows of respondents there is no text of; they are
        nobody's neighbours and have none.
    reference, k, asked : as for `nearest`.
    method : 'numpy' (also 'auto') is exact, the earlier row of equals first; 'hnsw' is approximate,
        by faiss-cpu's graph (Malkov and Yashunin 2018) with 32 links, and far faster for many.

    Returns
    -------
    neighbours, similarity : (m, k) as `nearest`; the cosine may be below 0.
    """
    if k < 1:
        raise ValueError(f"the number of neighbours must be at least 1, got {k}")
    if method not in METHODS:
        raise ValueError(f"unknown method {method!r}; known are {', '.join(METHODS)}")
    given = np.asarray(vectors, dtype=np.float32)
    length = np.linalg.norm(given, axis=1) if len(given) else np.zeros(0, dtype=np.float32)
    there = np.isfinite(length) & (length > 0)
    unit = np.zeros_like(given)
    unit[there] = given[there] / length[there, None]
    wanted = np.arange(len(given)) if asked is None else np.asarray(asked, dtype=np.int64)
    neighbours = np.full((len(wanted), k), -1, dtype=np.int64)
    similarity = np.full((len(wanted), k), np.nan)
    others = np.flatnonzero(np.asarray(reference, dtype=bool) & there)
    m = len(others)
    if method == "hnsw" and faiss() is None:
        raise ValueError("method 'hnsw' needs faiss-cpu: pip install 'lupom[faiss]'")
    use = np.flatnonzero(there[wanted])
    if not m or not len(use):
        return neighbours, similarity
    top = min(k + 1, m)
    index = _graph(unit[others], top) if method == "hnsw" else None
    targets = np.ascontiguousarray(unit[others].T)
    step = max(1, _BLOCK // m)
    for start in range(0, len(use), step):
        at = use[start : start + step]
        rows = wanted[at]
        if index is None:
            cosine = unit[rows] @ targets
            place = np.broadcast_to(np.arange(m), cosine.shape)
        else:
            cosine, place = index.search(unit[rows], top)
        # One integer per pair, larger for nearer: the cosine from 0 to 2, then the earlier row.
        key = np.rint((np.clip(cosine, -1, 1).astype(np.float64) + 1.0) * _DIGITS).astype(np.int64)
        key = key * m + (m - 1 - place)
        key[(place < 0) | (others[place] == rows[:, None])] = -1
        best = np.partition(key, key.shape[1] - top, axis=1)[:, key.shape[1] - top :]
        best = np.sort(best, axis=1)[:, ::-1][:, :k]
        found = best >= 0
        width = best.shape[1]
        neighbours[at, :width] = np.where(found, others[m - 1 - best % m], -1)
        similarity[at, :width] = np.where(found, best // m / _DIGITS - 1.0, np.nan)
    return neighbours, similarity


def _graph(vectors: NDArray[np.float32], top: int) -> Any:
    """Return the graph of some unit vectors; built by one thread, so that it is always the same."""
    module = faiss()
    threads = module.omp_get_max_threads()
    module.omp_set_num_threads(1)
    try:
        index = module.IndexHNSWFlat(vectors.shape[1], 32, module.METRIC_INNER_PRODUCT)
        index.hnsw.efSearch = max(64, 4 * top)
        index.add(np.ascontiguousarray(vectors))
    finally:
        module.omp_set_num_threads(threads)
    return index
