"""The reference respondents most similar to each respondent, by codes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lupom.batches import Map, in_batches
from lupom.blas import one_thread
from lupom.science.neighbours import hamming
from lupom.science.neighbours.planes import agreements
from lupom.science.neighbours.vectors import PersonaVectors

if TYPE_CHECKING:
    import pyarrow as pa

Near = tuple[NDArray[np.int64], NDArray[np.float64]]

# Pairs whose similarity is held at once: 32 MB of float64.
_BLOCK = 1 << 22
# Reference respondents whose features are held at once: 42 MB at 160 features in float32.
_TILE = 1 << 16
# Scores of which the largest stands for all, where the largest are looked for.
_GROUP = 32
# Pairs that can be among the nearest, in multiples of those that are, before all are sorted.
_EQUALS = 16
# Respondents whose neighbours are one batch of work.
_ROWS = 8192
# Similarities are compared to nine digits, so that rounding does not decide between equals.
DIGITS = 1_000_000_000
# Above this many reference respondents the binary index is taken where it can be.
_MANY = 100_000
METHODS = ("auto", "numpy", "faiss")


def nearest(
    codes: ArrayLike,
    cardinalities: Sequence[int],
    reference: ArrayLike,
    k: int,
    *,
    ordinal: Sequence[bool] | None = None,
    weights: ArrayLike | None = None,
    certainty: ArrayLike | None = None,
    asked: ArrayLike | None = None,
    method: str = "auto",
    through: Map = in_batches,
) -> Near:
    """Return the k reference respondents most similar to each respondent, never itself.

    Of equally similar ones the earlier row counts as nearer, so rows in the order of respondent ids
    break ties by id. Someone who shares no known dimension with a respondent is not a neighbour of
    theirs. The search is exact by either method, and both find the same. Memory beside codes and
    result is bounded, some 200 MB at any number of respondents.

    Parameters
    ----------
    codes : (n, d) integers, -1 where missing.
    cardinalities, ordinal, weights, certainty : see `PersonaVectors`; it also defines similarity.
    reference : (n) whether a respondent may be a neighbour.
    k : number of neighbours.
    asked : (m) rows whose neighbours are wanted; all when left out.
    method : 'numpy'; 'faiss', the binary index of faiss-cpu, for one-hot codes of whole weights and
        no certainty; or 'auto', which is faiss above 100,000 reference respondents where that is
        installed and serves, and numpy elsewhere.
    through : works blocks of the rows asked about, here or elsewhere; see `lupom.batches`.

    Returns
    -------
    neighbours : (m, k) rows of the codes, nearest first; -1 where there are fewer than k.
    similarity : (m, k) from 0 to 1; NaN where there is no neighbour.

    Raises
    ------
    ValueError : for a k below 1, shapes that do not fit, an unknown method, and for 'faiss' where
        it is not installed or does not serve.
    """
    if k < 1:
        raise ValueError(f"the number of neighbours must be at least 1, got {k}")
    if method not in METHODS:
        raise ValueError(f"unknown method {method!r}; known are {', '.join(METHODS)}")
    vectors = PersonaVectors(
        codes, cardinalities, ordinal=ordinal, weights=weights, certainty=certainty
    )
    n = len(vectors)
    mask = np.asarray(reference, dtype=bool)
    if mask.shape != (n,):
        raise ValueError(f"reference must hold one truth value per respondent ({n})")
    others = np.flatnonzero(mask)
    wanted = np.arange(n) if asked is None else np.asarray(asked, dtype=np.int64)
    if method == "faiss":
        hamming.check(vectors)
    by_bits = method == "faiss" or (
        method == "auto" and len(others) > _MANY and hamming.serves(vectors)
    )
    if not len(others) or not len(wanted):
        return np.full((len(wanted), k), -1, dtype=np.int64), np.full((len(wanted), k), np.nan)
    if len(wanted) <= _ROWS:
        with one_thread():
            return _found(vectors, wanted, others, k, by_bits)
    import pyarrow as pa

    arrays = {"codes": _small(np.asarray(codes)), "others": others}
    if certainty is not None:
        arrays["certainty"] = np.asarray(certainty, dtype=np.float64)
    said = {
        "cardinalities": [int(c) for c in cardinalities],
        "ordinal": None if ordinal is None else [bool(o) for o in ordinal],
        "weights": None if weights is None else [float(w) for w in np.asarray(weights)],
        "k": k,
        "by_bits": by_bits,
    }
    del vectors
    table = pa.table({"row": wanted})
    found = through(Search, table, shared={**arrays, **said}, batch_rows=_ROWS)
    return (
        _matrix(found["neighbour"], k).astype(np.int64),
        _matrix(found["similarity"], k),
    )


class Search:
    """Searches for the neighbours of a batch of rows among others."""

    def __init__(
        self,
        codes: NDArray[Any],
        others: NDArray[np.int64],
        cardinalities: Sequence[int],
        k: int,
        by_bits: bool,
        certainty: NDArray[np.float64] | None = None,
        **how: Any,
    ) -> None:
        self._vectors = PersonaVectors(codes, cardinalities, certainty=certainty, **how)
        self._others, self._k, self._by_bits = others, k, by_bits

    def __call__(self, batch: pa.Table) -> pa.Table:
        import pyarrow as pa

        rows = batch["row"].to_numpy()
        near, similarity = _found(self._vectors, rows, self._others, self._k, self._by_bits)
        columns: dict[str, NDArray[Any]] = {
            "neighbour": near.astype(np.int32),
            "similarity": similarity,
        }
        return pa.table(
            {
                name: pa.FixedSizeListArray.from_arrays(pa.array(of.reshape(-1)), self._k)
                for name, of in columns.items()
            }
        )


def _small(codes: NDArray[Any]) -> NDArray[Any]:
    """Return codes in the smallest type that holds them."""
    return codes.astype(np.promote_types(np.min_scalar_type(codes.max(initial=0)), np.int8))


def _matrix(column: pa.ChunkedArray, width: int) -> NDArray[Any]:
    parts = [chunk.flatten().to_numpy(zero_copy_only=False) for chunk in column.chunks]
    return np.concatenate(parts).reshape(-1, width)


def _found(
    vectors: PersonaVectors,
    wanted: NDArray[np.int64],
    others: NDArray[np.int64],
    k: int,
    by_bits: bool,
) -> Near:
    if not by_bits:
        return _blocks(vectors, wanted, others, k)
    near, similarity, unsure = hamming.search(vectors, wanted, others, k, DIGITS)
    # Where a neighbour agrees in nothing, whether it shares a dimension takes a second look.
    if len(unsure):
        near[unsure], similarity[unsure] = _blocks(vectors, wanted[unsure], others, k)
    return near, similarity


def _blocks(
    vectors: PersonaVectors, asked: NDArray[np.int64], others: NDArray[np.int64], k: int
) -> Near:
    """Search by agreements of a tile of respondents with a tile of others."""
    m = len(others)
    norm = np.sqrt(vectors.known)
    top = min(k, m)
    keys = np.full((len(asked), top), -1, dtype=np.int64)
    layout = vectors.layout
    # Where all know as much, whole agreements order as similarities do.
    alike = vectors.binary and not vectors.gaps and bool(norm.max(initial=0.0))
    for first in range(0, m, _TILE):
        tile = others[first : first + _TILE]
        targets = vectors.targets(tile) if layout is None else vectors.words(tile, layout)
        best = min(top, len(tile))
        # Of so many rows that a row and its key are one whole number (`_largest`).
        step = max(1, min(_BLOCK // len(tile), 2**62 // ((DIGITS + 1) * m)))
        for start in range(0, len(asked), step):
            rows = asked[start : start + step]
            if layout is None:
                product = vectors.rows(rows) @ targets
                agreement = product if isinstance(product, np.ndarray) else product.toarray()
            else:
                agreement = agreements(vectors.words(rows, layout), targets, layout)
            # Nobody is a neighbour of their own.
            place = np.searchsorted(tile, rows)
            own = np.flatnonzero(tile[np.minimum(place, len(tile) - 1)] == rows)
            agreement[own, place[own]] = -1
            if alike:
                near = _largest(agreement, float(vectors.known[rows[0]]), best, first, m)
            else:
                near = _similar(vectors, agreement, norm, (rows, tile), best, first, m)
            part = slice(start, start + len(rows))
            both = np.concatenate([keys[part], near], axis=1)
            keys[part] = np.sort(both, axis=1)[:, ::-1][:, :top]
    neighbours = np.full((len(asked), k), -1, dtype=np.int64)
    similarity = np.full((len(asked), k), np.nan)
    found = keys >= 0
    neighbours[:, :top] = np.where(found, others[m - 1 - keys % m], -1)
    similarity[:, :top] = np.where(found, keys // m / DIGITS, np.nan)
    return neighbours, similarity


def _similar(
    vectors: PersonaVectors,
    agreement: NDArray[Any],
    norm: NDArray[np.float64],
    of: tuple[NDArray[np.int64], NDArray[np.int64]],
    top: int,
    first: int,
    m: int,
) -> NDArray[np.int64]:
    """Return the keys of `_largest` by agreement divided by the norms of rows and tile."""
    rows, tile = of
    mine, theirs = (np.where(norm[one] > 0, norm[one], 1.0) for one in of)
    # In half the bytes, since it only says who can be among the nearest; without the row's own
    # norm, which all in a row are divided by.
    rough = np.multiply(agreement, (1.0 / theirs).astype(np.float32), dtype=np.float32)
    least = _bound(rough, top)
    keys = np.full((len(rows), top), -1, dtype=np.int64)
    # Who agrees in something has a dimension in common: only where too few do, those who agree in
    # nothing may be among the nearest.
    few = least <= 0
    many = np.flatnonzero(~few)
    # Rounded twice, and equal to nine digits may be unequal before.
    slack = least * 1e-6 + 2.0 * mine / DIGITS
    at, column = _above(rough, np.where(few, np.inf, least - slack))
    if len(at) <= _EQUALS * top * len(rows):
        score = agreement[at, column].astype(np.float64) / mine[at] / theirs[column]
        keys[many] = _ranked(at, score, column, len(rows), top, first, m)[many]
    else:
        few |= True
    left = np.flatnonzero(few)
    # As many at a time as a product holds; mostly there are none.
    if len(left):
        score = agreement[left].astype(np.float64)
        score /= mine[left][:, None]
        score /= theirs
        shared = (agreement[left] >= 0) & vectors.overlap(rows[left], tile)
        keys[left] = _largest(np.where(shared, score, -1), 1.0, top, first, m)
    return keys


def _bound(score: NDArray[Any], top: int) -> NDArray[Any]:
    """Return a number for each row that at least `top` of its scores reach.

    The `top` largest of the maxima of groups do; of all scores they would be looked for five times
    as long, and not many more reach it.
    """
    b, m = score.shape
    size = min(_GROUP, m // (4 * top))
    if size > 1:
        groups = m // size
        score = score[:, : groups * size].reshape(b, size, groups).max(axis=1)
    width = score.shape[1]
    return np.partition(score, width - top, axis=1)[:, width - top]


def _above(score: NDArray[Any], least: NDArray[Any]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return rows and columns of the scores that reach their row's least."""
    at, column = np.divmod(np.flatnonzero(score >= least[:, None]), score.shape[1])
    return at, column


def _largest(score: NDArray[Any], scale: float, top: int, first: int, of: int) -> NDArray[np.int64]:
    """Return a key for each of the `top` nearest of (b, m) scores, largest first, -1 for none.

    A key is an integer, larger for nearer: the similarity, score / scale, to nine digits, then the
    earlier place; columns have the places from `first` on of `of`. Making one for each pair costs
    more than the product of the vectors, so it is made for those that can be among the nearest.
    """
    b, m = score.shape
    least = _bound(score, top).astype(np.float64)
    # Equal after rounding may differ by a digit before it.
    at, column = _above(score, np.maximum(least - 2.0 * scale / DIGITS, 0))
    if len(at) > _EQUALS * top * b:
        # Most are equally near: all keys at once are less work than sorting so many.
        key = np.where(score >= 0, np.rint(score.astype(np.float64) / scale * DIGITS), -1).astype(
            np.int64
        )
        key = np.where(key >= 0, key * of + (of - 1 - first - np.arange(m)), -1)
        return np.sort(np.partition(key, m - top, axis=1)[:, m - top :], axis=1)[:, ::-1]
    return _ranked(at, score[at, column].astype(np.float64) / scale, column, b, top, first, of)


def _ranked(
    at: NDArray[np.int64],
    similarity: NDArray[np.float64],
    column: NDArray[np.int64],
    b: int,
    top: int,
    first: int,
    of: int,
) -> NDArray[np.int64]:
    """Return the keys of `_largest` of some pairs, whose rows are in order."""
    key = np.rint(similarity * DIGITS).astype(np.int64)
    key = key * of + (of - 1 - first - column)
    # Rows stay where they are and their keys fall: one sort of whole numbers, not two of indices.
    span = (DIGITS + 1) * of
    key = at * span - np.sort(at * span - key)
    rank = np.arange(len(at)) - np.searchsorted(at, np.arange(b))[at]
    best = np.full((b, top), -1, dtype=np.int64)
    keep = rank < top
    best[at[keep], rank[keep]] = key[keep]
    return best
