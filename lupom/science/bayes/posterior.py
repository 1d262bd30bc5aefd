"""The posterior of every cell given the rest of its row, exact, for all rows at once.

Where the Markov blanket of a cell is known the posterior has a closed form: the product of the
dimension's own table and those of its children, over the values of the dimension. Where blanket
cells are missing they are summed out by variable elimination, over the part of the network that
still matters: dimensions that are missing and have no known descendant drop out, and so does
everything that the known cells separate from the target. Rows that miss the same cells of that
part are eliminated together.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lupom.science.bayes.counting import Codes, Configurations, Floats, Ints
from lupom.science.bayes.parameters import ConditionalTable

# Rows handled together: bounds the memory of the factors of one block.
BLOCK_ROWS = 8192
# Largest table of variable elimination, in numbers (256 MB); rows are split to stay below it.
MAX_TABLE = 1 << 25

# Letters of einsum for the variables of one elimination; Z stands for the rows.
_LETTERS = dict(enumerate("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXY"))

Scopes = tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class _Step:
    """One product of factors, by position, summed over what no other factor needs."""

    operands: tuple[int, ...]
    expression: str
    size: int


class Posterior:
    """Posteriors under one network.

    Parameters
    ----------
    tables : one conditional table per dimension, in the order of the columns.
    order : dimensions with parents before children.
    """

    def __init__(self, tables: Sequence[ConditionalTable], order: Sequence[int]) -> None:
        self.tables = list(tables)
        self.order = list(order)
        self.d = len(self.tables)
        self.cardinalities = [t.cardinality for t in self.tables]
        self.children: list[list[int]] = [[] for _ in self.tables]
        self._incidence = np.zeros((self.d, self.d), dtype=np.float32)
        for table in self.tables:
            for parent in table.parents:
                self.children[parent].append(table.child)
            self._incidence[table.child, list(table.members)] = 1
        self._plans: dict[tuple[Scopes, tuple[int, ...]], tuple[_Step, ...]] = {}

    def each(self, codes: Codes, targets: Sequence[int]) -> Iterator[tuple[int, Ints, Floats]]:
        """Yield the posterior of each target given the other known cells of its row.

        Parameters
        ----------
        codes : (n, d) checked code matrix, -1 where missing.
        targets : dimensions; the row's own value of the target is never used.

        Yields
        ------
        target, the m rows of one block, and their (m, r) probabilities; all targets of a block
        before the next block.

        Raises
        ------
        ValueError : when a row's missing cells are so entangled that exact elimination would need
            a table beyond 256 MB.
        """
        for start in range(0, len(codes), BLOCK_ROWS):
            block = codes[start : start + BLOCK_ROWS]
            rows = np.arange(start, start + len(block))
            known = block >= 0
            full = known.all(axis=1)
            gaps = np.flatnonzero(~full)
            factors = _Factors(self.tables, block)
            for target in targets:
                result = np.empty((len(block), self.cardinalities[target]))
                result[full] = self.closed(block[full], target, None)
                if len(gaps):
                    result[gaps] = self._with_gaps(block, gaps, known[gaps], target, factors)
                yield target, rows, result

    def entangled(self) -> bool:
        """Say whether exact elimination may need too large a table for some row.

        With nothing known it would need a 64th of what is the most, or more: the margin is there
        since what is known changes the order of elimination.
        """
        # The target is variable 0 of a plan: that without children, which is eliminated last.
        place = {node: i for i, node in enumerate(reversed(self.order))}
        cards = [self.cardinalities[node] for node in reversed(self.order)]
        steps = _plan(tuple(tuple(place[m] for m in t.members) for t in self.tables), cards)
        return max(step.size for step in steps) * 64 > MAX_TABLE

    def closed(self, codes: Codes, target: int, active: NDArray[np.bool_] | None) -> Floats:
        """Return the closed form; `active` (n, d) says which families count (None: all)."""
        n = len(codes)
        logs = np.zeros((n, self.cardinalities[target]))
        for family in (target, *self.children[target]):
            rows: Any = slice(None) if active is None else np.flatnonzero(active[:, family])
            table = self.tables[family]
            part = codes[rows]
            values: dict[int, NDArray[Any]] = {m: part[:, m, None] for m in table.members}
            values[target] = np.arange(self.cardinalities[target])[None, :]
            logs[rows] += table.likelihood(values, log=True)
        logs -= logs.max(axis=1, keepdims=True, initial=-np.inf) if n else 0.0
        weights: Floats = np.exp(logs)
        weights /= weights.sum(axis=1, keepdims=True)
        return weights

    def _with_gaps(
        self,
        codes: Codes,
        rows: Ints,
        known: NDArray[np.bool_],
        target: int,
        factors: _Factors,
    ) -> Floats:
        unknown = ~known
        unknown[:, target] = True
        active = np.ones_like(unknown)
        for node in reversed(self.order):
            if node == target:
                continue
            barren = unknown[:, node]
            for child in self.children[node]:
                barren = barren & ~active[:, child]
            active[:, node] = ~barren
        hidden = unknown & active
        hidden[:, target] = False
        families = active & (self._incidence[:, target] > 0)
        reached = np.zeros_like(hidden)
        while True:
            # float32 products of 0 and 1 are exact here and use the fast matrix product.
            wider = hidden & (families.astype(np.float32) @ self._incidence > 0)
            if (wider == reached).all():
                break
            reached = wider
            families = families | (active & (reached.astype(np.float32) @ self._incidence.T > 0))
        result = np.empty((len(rows), self.cardinalities[target]))
        closed = ~reached.any(axis=1)
        result[closed] = self.closed(codes[rows[closed]], target, active[closed])
        at = np.flatnonzero(~closed)
        if not len(at):
            return result
        patterns = np.packbits(np.concatenate([families[at], reached[at]], axis=1), axis=1)
        _, first, group = np.unique(patterns, axis=0, return_index=True, return_inverse=True)
        by_group = np.argsort(group.reshape(-1), kind="stable")
        bounds = np.concatenate([[0], np.cumsum(np.bincount(group.reshape(-1)))])
        for g, representative in enumerate(first):
            members = at[by_group[bounds[g] : bounds[g + 1]]]
            free = reached[at[representative]]
            chosen = np.flatnonzero(families[at[representative]])
            result[members] = self._eliminate(rows[members], target, free, chosen, factors)
        return result

    def _eliminate(
        self,
        rows: Ints,
        target: int,
        free: NDArray[np.bool_],
        families: Ints,
        factors: _Factors,
    ) -> Floats:
        scopes: list[tuple[int, ...]] = []
        tables: list[tuple[Floats, Ints]] = []
        label: dict[int, int] = {target: 0}
        cards = [self.cardinalities[target]]
        loose = free.tolist()
        for family in families.tolist():
            members = self.tables[family].members
            pattern = 0
            scope: list[int] = []
            for bit, member in enumerate(members):
                if loose[member] or member == target:
                    pattern |= 1 << bit
                    if member not in label:
                        label[member] = len(cards)
                        cards.append(self.cardinalities[member])
                    scope.append(label[member])
            if not scope:
                continue
            scopes.append(tuple(scope))
            tables.append(factors.get(family, pattern, target))
        steps = self._plan(tuple(scopes), tuple(cards))
        _check_size(max(step.size for step in steps))
        chunk = max(1, MAX_TABLE // (8 * sum(step.size for step in steps)))
        parts = [
            _run(steps, [array[position[part]] for array, position in tables])
            for part in (rows[i : i + chunk] for i in range(0, len(rows), chunk))
        ]
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def _plan(self, scopes: Scopes, cards: tuple[int, ...]) -> tuple[_Step, ...]:
        key = (scopes, cards)
        if key not in self._plans:
            if len(self._plans) >= 20_000:  # some 40 MB
                self._plans.clear()
            self._plans[key] = tuple(_plan(scopes, cards))
        return self._plans[key]


class _Factors:
    """The tables of one block of rows, cut down to what is missing in each family.

    Only factors that an elimination asks for are made; those of families without the target are
    kept for the targets that follow.
    """

    def __init__(self, tables: Sequence[ConditionalTable], codes: Codes) -> None:
        self._tables = tables
        self._codes = codes
        self._kept: dict[tuple[int, int], tuple[Floats, Ints]] = {}
        self._own: dict[tuple[int, int], tuple[Floats, Ints]] = {}
        self._target = -1
        self._missing: dict[tuple[int, int], Ints] = {}

    def get(self, family: int, pattern: int, target: int) -> tuple[Floats, Ints]:
        """Return the factor of the rows whose free members of the family are the bits of pattern.

        Free are missing members and the target.

        Returns
        -------
        an array (configurations of the known members, *cardinalities of the free ones), and the
        place in it of each row of the block.
        """
        if target != self._target:
            self._own, self._target = {}, target
        mine = target in self._tables[family].members
        held = self._own if mine else self._kept
        if (family, pattern) not in held:
            held[family, pattern] = self._cut(family, pattern, target if mine else -1)
        return held[family, pattern]

    def _patterns(self, family: int, target: int) -> Ints:
        if (family, target) not in self._missing:
            members = self._tables[family].members
            missing = self._codes[:, list(members)] < 0
            if target >= 0:
                missing[:, members.index(target)] = True
            self._missing[family, target] = missing @ (1 << np.arange(len(members)))
        return self._missing[family, target]

    def _cut(self, family: int, pattern: int, target: int) -> tuple[Floats, Ints]:
        members = self._tables[family].members
        cards = [self._tables[m].cardinality for m in members]
        rows = np.flatnonzero(self._patterns(family, target) == pattern)
        free = _bits(pattern)
        _check_size(prod(cards[i] for i in free))
        fixed = [i for i in range(len(members)) if i not in free]
        position = np.full(len(self._codes), -1, dtype=np.int64)
        position[rows] = 0
        distinct = rows[:1]
        if fixed:
            # Rows with the same known members share a factor.
            seen = Configurations(
                [self._codes[rows, members[i]] for i in fixed], [cards[i] for i in fixed]
            )
            position[rows] = seen.index
            distinct = rows[np.unique(seen.index, return_index=True)[1]]
        values: dict[int, NDArray[Any]] = {
            members[i]: self._codes[distinct, members[i]].reshape(-1, *([1] * len(free)))
            for i in fixed
        }
        for axis, i in enumerate(free):
            shape = [1] * (len(free) + 1)
            shape[1 + axis] = -1
            values[members[i]] = np.arange(cards[i]).reshape(shape)
        array = self._tables[family].likelihood(values)
        full = (len(distinct), *(cards[i] for i in free))
        return np.broadcast_to(array, full), position


def _plan(scopes: Scopes, cards: Sequence[int]) -> list[_Step]:
    """Plan the sum over all variables but variable 0, smallest intermediate table first."""
    many = len(cards) > len(_LETTERS)
    masks: dict[int, int] = {i: sum(1 << v for v in s) for i, s in enumerate(scopes)}
    layouts: list[tuple[int, ...]] = list(scopes)
    sizes: dict[int, tuple[int, int, int]] = {}

    def measure(variable: int) -> None:
        union, bit = 0, 1 << variable
        for mask in masks.values():
            if mask & bit:
                union |= mask
        size = 1
        for v in _bits(union):
            size *= cards[v]
        sizes[variable] = (size, variable, union)

    for variable in range(1, len(cards)):
        measure(variable)
    steps: list[_Step] = []
    while sizes:
        size, variable, union = min(sizes.values())
        bit = 1 << variable
        operands = tuple(i for i, mask in masks.items() if mask & bit)
        result = _bits(union ^ bit)
        steps.append(
            _Step(operands, _expression([layouts[i] for i in operands], result, many), size)
        )
        for i in operands:
            del masks[i]
        masks[len(layouts)] = union ^ bit
        layouts.append(result)
        del sizes[variable]
        for v in result:
            if v:
                measure(v)
    operands = tuple(masks)
    expression = _expression([layouts[i] for i in operands], (0,), many)
    steps.append(_Step(operands, expression, cards[0]))
    return steps


def _check_size(numbers: int) -> None:
    if numbers > MAX_TABLE:
        raise ValueError(
            f"exact inference would need a table of {numbers:,} numbers for one respondent; "
            "lower max_parents, prune more, or drop dimensions that are mostly missing"
        )


@lru_cache(maxsize=1 << 16)
def _bits(mask: int) -> tuple[int, ...]:
    return tuple(v for v in range(mask.bit_length()) if mask >> v & 1)


def _expression(inputs: Sequence[tuple[int, ...]], result: tuple[int, ...], many: bool) -> str:
    """Write a product of factors for einsum, Z being the axis of the rows.

    `many` says that there may be more variables than letters.
    """
    names: Mapping[int, str] = _LETTERS
    if many:
        used = sorted({v for scope in inputs for v in scope})
        names = {v: _LETTERS[i] for i, v in enumerate(used)}
    terms = ["Z" + "".join([names[v] for v in scope]) for scope in (*inputs, result)]
    return ",".join(terms[:-1]) + "->" + terms[-1]


def _run(steps: Sequence[_Step], factors: list[Floats]) -> Floats:
    held: list[Any] = list(factors)
    for step in steps:
        result = np.einsum(step.expression, *(held[i] for i in step.operands))
        for i in step.operands:
            held[i] = None
        # Rescaled, so that a product over many families cannot underflow.
        axes = tuple(range(1, result.ndim))
        held.append(result / result.max(axis=axes, keepdims=True) if axes else result)
    last: Floats = held[-1]
    total: Floats = last.sum(axis=1, keepdims=True)
    return np.divide(last, total)
