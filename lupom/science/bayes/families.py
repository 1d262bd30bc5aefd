"""Scores of all one-parent changes to a family, counted for every candidate at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lupom.science.bayes.counting import Codes, Configurations, Floats, Ints
from lupom.science.bayes.scores import Score

# Elements of the largest temporary array: 64 MB of int64 keys or of counts.
_BLOCK = 1 << 23
# Counting into a table costs about 1 ns per entry, sorting the keys about 30.
_SORT_COST = 32
# A float must hold the number of possible configurations, which can be astronomic.
_MOST = 1e300


@dataclass(frozen=True)
class FamilyChanges:
    """A family's score, and its score after each change of one parent.

    `added[p]` is the score with p as one more parent (NaN where p is the child or a parent, or
    where additions were not asked for); `removed[p]` the score without parent p.
    """

    score: float
    added: Floats
    removed: dict[int, float]


class FamilyScores:
    """Family scores over one code matrix, each family counted once.

    A family is scored on its available cases, the rows in which the child and all its parents are
    known. Sums over different rows cannot be compared as they stand: fewer rows look better, and
    a search over such sums adds edges without end (95 false ones at 300 rows, 30 dimensions and a
    tenth missing, where this score adds one). So the score is the child's own, over all n rows in
    which it is known, plus the gain that the parents bring on the m available cases, per row:
    score(child; n) + n / m * [score(child | parents; m) - score(child; m)].
    Without missing values that is the score itself.

    The node-average likelihood (Balov 2013; Bodewes and Scutari 2021, PMLR 138) takes the mean
    log-likelihood of the m available cases for all n respondents and the penalty of bic at n:
    n / m * loglik(m) - log(n) / 2 * q (r - 1).

    Parameters
    ----------
    codes : (n, d) checked code matrix, -1 where missing.
    cardinalities : number of values of each dimension.
    score : which score.
    copies : how many completions of the same respondents the rows hold; counts are divided by it.
    node_average : whether to score by the node-average likelihood; the score must be bic.
    """

    def __init__(
        self,
        codes: Codes,
        cardinalities: Sequence[int],
        score: Score,
        *,
        copies: int = 1,
        node_average: bool = False,
    ) -> None:
        if node_average and score.name != "bic":
            raise ValueError(
                f"the node-average likelihood is penalised as bic is; it has no {score.name!r} form"
            )
        self.score = score
        self.copies = copies
        self.node_average = node_average
        self.cardinalities = tuple(int(c) for c in cardinalities)
        self.columns = np.ascontiguousarray(codes.T)
        self.n, self.d = codes.shape
        self.any_missing = bool((codes < 0).any())
        self._missing: NDArray[np.bool_] = np.any(self.columns < 0, axis=1)
        self._offsets = np.concatenate([[0], np.cumsum(self.cardinalities)]).astype(np.int64)
        self._slot_owner = np.repeat(np.arange(self.d), self.cardinalities)
        self._cache: dict[tuple[int, tuple[int, ...], bool], FamilyChanges] = {}
        self._single: dict[tuple[int, tuple[int, ...]], float] = {}

    def family(self, child: int, parents: Sequence[int]) -> float:
        """Return the score of one family."""
        key = (child, tuple(sorted(parents)))
        if key not in self._single:
            self._single[key] = self._score_one(child, key[1])
        return self._single[key]

    def changes(self, child: int, parents: Sequence[int], *, additions: bool) -> FamilyChanges:
        """Return the scores of a family and of all families one parent away.

        Parameters
        ----------
        additions : whether scores with one more parent are wanted (they cost most of the time).
        """
        chosen = tuple(sorted(parents))
        key = (child, chosen, additions)
        if key not in self._cache:
            removed = {
                p: self.family(child, [other for other in chosen if other != p]) for p in chosen
            }
            added = self._additions(child, chosen) if additions else np.full(self.d, np.nan)
            self._cache[key] = FamilyChanges(self.family(child, chosen), added, removed)
        return self._cache[key]

    def _available(self, members: Sequence[int]) -> NDArray[np.bool_] | None:
        """Return the rows in which all members are known, None for all rows."""
        gaps = [m for m in members if self._missing[m]]
        if not gaps:
            return None
        rows: NDArray[np.bool_] = np.all(self.columns[gaps] >= 0, axis=0)
        return rows

    def _configurations(
        self, parents: Sequence[int], rows: NDArray[np.bool_] | None
    ) -> tuple[Ints, int]:
        """Return the number of each row's parent configuration, and how many there are."""
        n = self.n if rows is None else int(rows.sum())
        if not parents:
            return np.zeros(n, dtype=np.int64), 1
        columns = [self.columns[p] if rows is None else self.columns[p][rows] for p in parents]
        found = Configurations(columns, [self.cardinalities[p] for p in parents])
        return found.index, max(found.count, 1)

    def _possible(self, parents: Sequence[int]) -> float:
        q = 1.0
        for p in parents:
            q = min(q * self.cardinalities[p], _MOST)
        return q

    def _score_one(self, child: int, parents: tuple[int, ...]) -> float:
        rows = self._available((child, *parents))
        x = self.columns[child] if rows is None else self.columns[child][rows]
        index, k = self._configurations(parents, rows)
        r = self.cardinalities[child]
        counts = np.bincount(index * r + x, minlength=k * r).reshape(k, r)
        q = self._possible(parents)
        value = self.score.family(counts if self.copies == 1 else counts / self.copies, q)
        if self.node_average:
            return float(self._averaged(np.array([value]), np.array([len(x)]), np.array([q]), r)[0])
        if parents and rows is not None and any(self._missing[p] for p in parents):
            alone = self.score.family(counts.sum(axis=0)[None, :], 1)
            known = int((self.columns[child] >= 0).sum())
            value = self.family(child, ()) + (value - alone) * (known / max(len(x), 1))
        return value

    def _additions(self, child: int, parents: tuple[int, ...]) -> Floats:
        rows = self._available((child, *parents))
        x = self.columns[child] if rows is None else self.columns[child][rows]
        r = self.cardinalities[child]
        index, k = self._configurations(parents, rows)
        base = index * r + x
        q = self._possible(parents)
        out = np.full(self.d, np.nan)
        for first, last in self._blocks(len(x), k * r):
            width = int(self._offsets[last] - self._offsets[first])
            # One table column per value of each candidate, and a last one for its missing values.
            slots = self.columns[first:last] + (
                self._offsets[first:last] - self._offsets[first]
            ).astype(np.int32).reshape(-1, 1)
            if self._missing[first:last].any():
                slots = np.where(self.columns[first:last] < 0, width, slots)
            if rows is not None:
                slots = slots[:, rows]
            keys = base * (width + 1) + slots
            cells, cell_at, config, config_at = _count(keys.reshape(-1), k, r, width)
            owner = self._slot_owner[self._offsets[first] : self._offsets[last]] - first
            members = np.arange(first, last)
            possible = np.minimum(q * np.array([self.cardinalities[p] for p in members]), _MOST)
            whole = self.copies == 1
            scores = self.score.families(
                cells if whole else cells / self.copies,
                owner[cell_at % (width + 1)],
                config if whole else config / self.copies,
                owner[config_at % (width + 1)],
                cardinality=r,
                configurations=possible,
            )
            if self.node_average:
                m = np.bincount(
                    owner[config_at % (width + 1)], weights=config, minlength=len(scores)
                )
                scores = self._averaged(scores, m, possible, r)
            elif self.any_missing:
                family = owner[cell_at % (width + 1)]
                value = cell_at // (width + 1) % r
                scores = self._on_all_rows(child, scores, cells, family * r + value)
            out[first:last] = scores
        out[[child, *parents]] = np.nan
        return out

    def _averaged(self, scores: Floats, m: NDArray[Any], q: NDArray[Any], r: int) -> Floats:
        """Turn bic of m available cases into the penalised node-average likelihood of n."""
        parameters = 0.5 * q * (r - 1.0)
        likelihood = scores + np.log(np.maximum(m, 1.0)) * parameters
        n = max(self.n, 1)
        result: Floats = likelihood * (n / np.maximum(m, 1.0)) - np.log(n) * parameters
        return result

    def _on_all_rows(self, child: int, scores: Floats, cells: Ints, at: Ints) -> Floats:
        """Turn scores on available cases into scores on all rows in which the child is known.

        Parameters
        ----------
        scores : (f,) scores of f families on their available cases.
        cells, at : their counts, and family * r + the child's value of each.
        """
        r = self.cardinalities[child]
        table = np.bincount(at, weights=cells, minlength=len(scores) * r).reshape(-1, r)
        rows = table.sum(axis=1)
        present = np.flatnonzero(rows)
        alone = self.score.families(
            table[table > 0],
            np.nonzero(table)[0],
            rows[present],
            present,
            cardinality=r,
            configurations=np.ones(len(scores)),
        )
        known = int((self.columns[child] >= 0).sum())
        result: Floats = self.family(child, ()) + (scores - alone) * (known / np.maximum(rows, 1))
        return result

    def _blocks(self, n: int, cells: int) -> Iterator[tuple[int, int]]:
        """Yield ranges of candidates whose keys and counts stay within the block size."""
        first = 0
        while first < self.d:
            last = first + 1
            while last < self.d:
                width = int(self._offsets[last + 1] - self._offsets[first])
                if (last + 1 - first) * n > _BLOCK or cells * width > _BLOCK:
                    break
                last += 1
            yield first, last
            first = last


def _count(keys: Ints, k: int, r: int, width: int) -> tuple[Ints, Ints, Ints, Ints]:
    """Count the keys (configuration * r + value) * (width + 1) + slot, missing slots left out.

    Returns
    -------
    cells, their places ((configuration * r + value) * (width + 1) + slot),
    rows, their places (configuration * (width + 1) + slot): counts above 0 only.
    """
    size = k * r * (width + 1)
    if size <= max(_SORT_COST * len(keys), 1 << 12) and size <= 4 * _BLOCK:
        table = np.bincount(keys, minlength=size).reshape(k, r, width + 1)
        table[:, :, width] = 0
        flat = table.reshape(-1)
        at = np.flatnonzero(flat)
        sums = table.sum(axis=1).reshape(-1)
        config_at = np.flatnonzero(sums)
        return flat[at], at, sums[config_at], config_at
    at, cells = np.unique(keys, return_counts=True)
    known = at % (width + 1) < width
    at, cells = at[known], cells[known]
    config = at // ((width + 1) * r) * (width + 1) + at % (width + 1)
    config_at, inverse = np.unique(config, return_inverse=True)
    sums = np.bincount(inverse, weights=cells, minlength=len(config_at)).astype(np.int64)
    return cells, at, sums, config_at
