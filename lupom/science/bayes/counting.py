"""Configurations of discrete columns as integers, and how often each occurs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Codes = NDArray[np.int32]
Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

MISSING = -1
# Mixed-radix keys stay below this, so that key * cardinality + code never leaves int64.
RADIX_LIMIT = 1 << 62
# A table of all possible keys beats sorting those that occur up to 16 keys per row, and costs
# nothing worth saving below the first limit (16 k entries) nor too much up to the second (4 MB).
TABLE_ALWAYS, TABLE_NEVER = 1 << 14, 1 << 20


def check_codes(codes: Any, cardinalities: Sequence[int]) -> Codes:
    """Return a code matrix as int32 after checking it against the cardinalities.

    Parameters
    ----------
    codes : (n, d) integers; 0 .. cardinality - 1, or -1 where the value is missing.
    cardinalities : number of values of each of the d columns, at least 1.

    Raises
    ------
    ValueError : for a wrong shape, a type other than integers, or a code out of range.
    """
    matrix = np.asarray(codes)
    cards = np.asarray(cardinalities, dtype=np.int64).reshape(-1)
    if matrix.ndim != 2 or matrix.shape[1] != len(cards):
        raise ValueError(
            f"codes must be a matrix with one column per cardinality ({len(cards)}), "
            f"got shape {matrix.shape}"
        )
    if matrix.size and not np.issubdtype(matrix.dtype, np.integer):
        raise ValueError(f"codes must be integers with -1 for missing, got {matrix.dtype}")
    if len(cards) and cards.min() < 1:
        raise ValueError(f"a cardinality must be at least 1, got {int(cards.min())}")
    if matrix.size:
        bad = (matrix < MISSING) | (matrix >= cards)
        if bad.any():
            row, column = (int(i) for i in np.argwhere(bad)[0])
            raise ValueError(
                f"code {int(matrix[row, column])} in row {row}, column {column} is not "
                f"-1 (missing) or 0 to {int(cards[column]) - 1}"
            )
    return matrix.astype(np.int32)


class Encoder:
    """One integer for each configuration of some columns, exact at any number of values.

    Keys are mixed radix in int64. Before a key could overflow, the configurations seen so far are
    numbered compactly (those never seen share one number), and the radix goes on from there; so a
    key of an unseen configuration may be shared, which is why unseen ones have no row of counts.

    Parameters
    ----------
    columns : the d columns to learn from, each (n,), without missing values.
    cardinalities : number of values of each column.
    """

    def __init__(self, columns: Sequence[NDArray[Any]], cardinalities: Sequence[int]) -> None:
        self.cardinalities = tuple(int(c) for c in cardinalities)
        self._stages: list[tuple[list[tuple[int, int]], int, Ints | None]] = []
        stage: list[tuple[int, int]] = []
        scale, head = 1, 1
        for position, cardinality in enumerate(self.cardinalities):
            if scale * head * cardinality > RADIX_LIMIT:
                self._stages.append((stage, scale, None))
                seen = np.unique(self._key(columns))
                self._stages[-1] = (stage, scale, seen)
                stage, scale, head = [], 1, len(seen) + 1
            stage.append((position, scale))
            scale *= cardinality
        self._stages.append((stage, scale, None))
        self.size = scale * head
        """Number of possible keys, unseen ones included."""

    def _key(self, columns: Sequence[NDArray[Any]]) -> Ints:
        carried: Ints | None = None
        for members, scale, seen in self._stages:
            key: Ints = np.zeros((), dtype=np.int64)
            for position, stride in members:
                column = np.asarray(columns[position], dtype=np.int64)
                key = key + (column if stride == 1 else column * stride)
            if carried is not None:
                key = key + carried * scale
            if seen is not None:
                at = np.searchsorted(seen, key)
                known = at < len(seen)
                known &= seen[np.minimum(at, len(seen) - 1)] == key if len(seen) else False
                key = np.where(known, at, len(seen))
            carried = key
        return carried if carried is not None else np.zeros((), dtype=np.int64)

    def keys(self, columns: Sequence[NDArray[Any]]) -> Ints:
        """Return the key of each configuration; the columns may broadcast against each other."""
        return self._key(columns)


class Configurations:
    """The configurations of some columns that occur, numbered 0 to k - 1 in order of their keys.

    Parameters
    ----------
    columns : the columns, each (n,), without missing values.
    cardinalities : number of values of each column.

    Attributes
    ----------
    index : (n,) number of the configuration of each row.
    count : k, how many configurations occur.
    """

    def __init__(self, columns: Sequence[NDArray[Any]], cardinalities: Sequence[int]) -> None:
        self.encoder = Encoder(columns, cardinalities)
        n = len(columns[0]) if len(columns) else 0
        keys = np.broadcast_to(self.encoder.keys(columns), (n,))
        self._table: NDArray[np.int32] | None = None
        self.keys: Ints
        if self.encoder.size <= min(max(TABLE_ALWAYS, 16 * n), TABLE_NEVER):
            present = np.zeros(self.encoder.size, dtype=bool)
            present[keys] = True
            self.keys = np.flatnonzero(present)
            self._table = np.full(self.encoder.size, len(self.keys), dtype=np.int32)
            self._table[self.keys] = np.arange(len(self.keys), dtype=np.int32)
            self.index = self._table[keys].astype(np.int64)
        else:
            self.keys, inverse = np.unique(keys, return_inverse=True)
            self.index = inverse.astype(np.int64).reshape(n)
        self.count = len(self.keys)

    def lookup(self, columns: Sequence[NDArray[Any]]) -> Ints:
        """Return the number of each configuration, `count` for one that was never seen.

        The columns may broadcast against each other; the result has their common shape.
        """
        keys = self.encoder.keys(columns)
        if self._table is not None:
            return self._table[keys].astype(np.int64)
        at = np.searchsorted(self.keys, keys)
        if not self.count:
            return np.zeros_like(at)
        found = self.keys[np.minimum(at, self.count - 1)] == keys
        return np.where(found, at, self.count).astype(np.int64)


def family_counts(
    codes: Codes, cardinalities: Sequence[int], child: int, parents: Sequence[int]
) -> tuple[Ints, Configurations, NDArray[np.bool_]]:
    """Count the child's values within each observed configuration of its parents.

    Parameters
    ----------
    codes : (n, d) checked code matrix; rows with a missing member of the family are left out.

    Returns
    -------
    counts : (k, r) for the k parent configurations that occur and the child's r values.
    configurations : which configurations they are (a single empty one without parents).
    complete : (n,) which rows were counted.
    """
    members = [child, *parents]
    complete: NDArray[np.bool_] = np.all(codes[:, members] >= 0, axis=1)
    rows = codes if complete.all() else codes[complete]
    columns = [rows[:, p] for p in parents]
    r = int(cardinalities[child])
    if not columns:
        columns, cards = [np.zeros(len(rows), dtype=np.int32)], [1]
    else:
        cards = [int(cardinalities[p]) for p in parents]
    configurations = Configurations(columns, cards)
    flat = configurations.index * r + rows[:, child]
    counts = np.bincount(flat, minlength=configurations.count * r)
    table: Ints = counts.reshape(configurations.count, r).astype(np.int64, copy=False)
    return table, configurations, complete
