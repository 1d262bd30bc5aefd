"""The posterior of every cell given the rest of its row, exact, for all rows at once.

Where the Markov blanket of a cell is known the posterior has a closed form: the product of the
dimension's own table and those of its children, over the values of the dimension. Where blanket
cells are missing they are summed out by variable elimination, over the part of the network that
still matters: dimensions that are missing and have no known descendant drop out, and so does
everything that the known cells separate from the target. Rows that miss the same cells of that
part are eliminated together. Where many missing cells of a row are asked for, they are read from
trees of the parts that its known cells leave (`parts`); and where one tree of the whole network
costs less than any of that, all posteriors of all rows from it (`tree`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from math import prod
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from lupom.science.bayes.counting import Codes, Floats, Ints
from lupom.science.bayes.elimination import Scopes, Step, plan, run
from lupom.science.bayes.factors import Factors, index
from lupom.science.bayes.parameters import ConditionalTable
from lupom.science.bayes.parts import Parts
from lupom.science.bayes.tree import Tree, bits, buckets, dense

# Rows handled together: bounds the memory of the factors of one block.
BLOCK_ROWS = 8192
# Largest table of variable elimination, in numbers (256 MB); rows are split to stay below it.
MAX_TABLE = 1 << 25
# Numbers of a conditional table up to which all its configurations are written out.
_WRITTEN_OUT = 1 << 18
# Numbers held at a time by a tree (8 MB; not tuned).
_TREE_NUMBERS = 1 << 20
# CPU seconds of eliminating one pattern for one target, and of planning a tree; rough.
_ELIMINATION, _PLANNING = 2.5e-4, 3e-3
# The same of the tree of a part, for each of its variables.
_PART = 4e-5


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
        self._plans: dict[tuple[Scopes, tuple[int, ...]], tuple[Step, ...]] = {}
        self._trees: dict[tuple[int, ...], Tree | None] = {}
        self._written: dict[int, Floats | None] = {}
        self._cuts: dict[tuple[int, int], tuple[Floats, Ints]] = {}
        self._parts = Parts([t.members for t in self.tables], self.cardinalities, self.order)

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
            every = np.arange(len(block))
            for target, _, p in self._block(block, [(target, every) for target in targets]):
                if np.isnan(p).any():
                    _refuse()
                yield target, every + start, p

    def cells(self, codes: Codes, rows: Ints, columns: Ints) -> Floats:
        """Return the posteriors of some cells, (P, largest cardinality), 0 beyond their own.

        Parameters
        ----------
        codes : (n, d) checked code matrix, -1 where missing.
        rows, columns : (P), the cells; their own values are not used.

        Returns
        -------
        probabilities; NaN where exact elimination would need a table beyond 256 MB.
        """
        width = max([self.cardinalities[c] for c in np.unique(columns)], default=0)
        used, rows = np.unique(rows, return_inverse=True)
        codes = codes[used]
        out = np.zeros((len(rows), width))
        for start in range(0, len(codes), BLOCK_ROWS):
            inside = np.flatnonzero((rows >= start) & (rows < start + BLOCK_ROWS))
            inside = inside[np.argsort(columns[inside], kind="stable")]
            found, bounds = np.unique(columns[inside], return_index=True)
            parts = np.split(inside, bounds[1:]) if len(found) else []
            asked = [(int(t), rows[at] - start) for t, at in zip(found, parts, strict=True)]
            block = codes[start : start + BLOCK_ROWS]
            for at, (_, _, p) in zip(parts, self._block(block, asked), strict=True):
                out[at, : p.shape[1]] = p
        return out

    def fill(self, codes: Codes, uniforms: Floats, rank: Sequence[int]) -> NDArray[np.bool_]:
        """Fill gaps in place by draws from their joint posterior; see `Parts.draw`.

        Returns which rows have no gaps now: of others a part would need too large a table.
        """
        return self._parts.draw(codes, uniforms, rank, self._cut, MAX_TABLE, self._unwritten)

    def _block(
        self, codes: Codes, asked: Sequence[tuple[int, Ints]]
    ) -> Iterator[tuple[int, Ints, Floats]]:
        """Yield each target, its rows and their posteriors, NaN where a table would be too large.

        Cells that are not known are read from trees of parts, the others are eliminated for; what
        that costs is set beside one tree of the whole network for all of them.
        """
        known = codes >= 0
        full: NDArray[np.bool_] = np.asarray(known.all(axis=1))
        factors = Factors(self.tables, codes)
        place = np.full(len(codes), -1)
        swept: Mapping[int, Floats] | None = None
        parted: Mapping[int, Floats] = {}

        def sweep(rest: Sequence[tuple[int, Ints]], cost: float) -> Mapping[int, Floats] | None:
            if cost <= _PLANNING:
                return None
            some = np.unique(np.concatenate([r[~full[r]] for _, r in rest]))
            tree = self._tree(known[some].all(axis=0), [t for t, _ in rest])
            if tree is None or tree.seconds(len(some), _TREE_NUMBERS) >= cost:
                return None
            place[some] = np.arange(len(some))
            return self._swept(tree, codes[some])

        wanted, cost = _of_parts(known, asked)
        if cost:
            swept = sweep(asked, cost)
            if swept is None:
                parted = self._parts.posteriors(
                    codes, wanted, self._cut, MAX_TABLE, self._unwritten
                )
        for done, (target, rows) in enumerate(asked):
            result = np.empty((len(rows), self.cardinalities[target]))
            whole = full[rows]
            result[whole] = self.closed(codes[rows[whole]], target, None)
            at = np.flatnonzero(~whole)
            if target in parted:
                result[at] = parted[target][rows[at]]
                at = at[np.isnan(result[at]).any(axis=1)]
            groups: list[tuple[Ints, NDArray[np.bool_], Ints]] = []
            if swept is None and len(at):
                result[at], groups = self._closed(codes, rows[at], known, target)
                swept = sweep(asked[done:], len(groups) * (len(asked) - done) * _ELIMINATION)
            if swept is not None and len(at):
                result[at] = swept[target][place[rows[at]]]
                at = at[np.isnan(result[at]).any(axis=1)]
                result[at], groups = self._closed(codes, rows[at], known, target)
            for members, free, families in groups:
                own = at[members]
                result[own] = self._eliminate(rows[own], target, free, families, factors)
            yield target, rows, result

    def _tree(self, known: NDArray[np.bool_], targets: Sequence[int]) -> Tree | None:
        """Return the tree of rows that all know some cells; None where it is no use."""
        soft = ~known
        soft[list(targets)] = True
        free = tuple(np.flatnonzero(soft).tolist())
        if free not in self._trees:
            tree: Tree | None = None
            if all(self._table(family) is not None for family in range(self.d)):
                tree = Tree([t.members for t in self.tables], self.cardinalities, free)
            if len(self._trees) >= 100:
                self._trees.clear()
            self._trees[free] = tree if tree is not None and tree.size <= MAX_TABLE else None
        return self._trees[free]

    def _swept(self, tree: Tree, codes: Codes) -> Mapping[int, Floats]:
        free = set(tree.free)

        def factor(family: int, part: Codes) -> Floats:
            members = self.tables[family].members
            pattern = sum(1 << bit for bit, member in enumerate(members) if member in free)
            array, strides = self._cut(family, pattern)
            at = index(part, members, pattern, strides) if len(array) > 1 else np.zeros(1, int)
            return np.take(np.moveaxis(array, 0, -1), at, axis=-1)

        return tree.posteriors(codes, factor, _TREE_NUMBERS)

    def cut(self, family: int, pattern: int) -> tuple[Floats, Ints] | None:
        """Return a family's table for every configuration of the members that are not free.

        Parameters
        ----------
        pattern : the free members, as bits.

        Returns
        -------
        an array (configurations of the other members, *cardinalities of the free ones), and by what
        each other member's code counts in a configuration's place; None where the table is too
        large to be written out.
        """
        key = (family, pattern)
        if key in self._cuts:
            return self._cuts[key]
        table = self._table(family)
        if table is None:
            return None
        free = bits(pattern)
        fixed = [i for i in range(table.ndim) if not pattern >> i & 1]
        sizes = [table.shape[i] for i in fixed]
        strides = np.array([prod(sizes[i + 1 :]) for i in range(len(sizes))], dtype=np.int64)
        moved = table.transpose(*fixed, *free)
        array = moved.reshape(prod(sizes), *(table.shape[i] for i in free))
        if len(self._cuts) >= 20_000:
            self._cuts.clear()
        self._cuts[key] = array, strides
        return array, strides

    def _cut(self, family: int, pattern: int) -> tuple[Floats, Ints]:
        found = self.cut(family, pattern)
        assert found is not None
        return found

    @cached_property
    def _unwritten(self) -> int:
        """Families, as bits, the tables of which are too large to be written out."""
        return sum(1 << family for family in range(self.d) if self._table(family) is None)

    def _table(self, family: int) -> Floats | None:
        if family not in self._written:
            self._written[family] = dense(self.tables[family], self.cardinalities, _WRITTEN_OUT)
        return self._written[family]

    def entangled(self) -> bool:
        """Say whether exact elimination may need too large a table for some row.

        With nothing known it would need a 64th of what is the most, or more: the margin is there
        since what is known changes the order of elimination.
        """
        # The target is variable 0 of a plan: that without children, which is eliminated last.
        place = {node: i for i, node in enumerate(reversed(self.order))}
        cards = [self.cardinalities[node] for node in reversed(self.order)]
        scopes = [tuple(place[m] for m in t.members) for t in self.tables]
        return max(sum_.size for sum_ in buckets(scopes, cards, [0])[0]) * 64 > MAX_TABLE

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

    def _closed(
        self, codes: Codes, rows: Ints, known: NDArray[np.bool_], target: int
    ) -> tuple[Floats, list[tuple[Ints, NDArray[np.bool_], Ints]]]:
        """Return posteriors where they have a closed form, and what to eliminate elsewhere.

        The latter by rows with the same gaps: which of the rows, the dimensions to sum over, and
        the families that matter.
        """
        unknown = ~known[rows]
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
        groups: list[tuple[Ints, NDArray[np.bool_], Ints]] = []
        if not len(at):
            return result, groups
        patterns = np.packbits(np.concatenate([families[at], reached[at]], axis=1), axis=1)
        _, first, group = np.unique(patterns, axis=0, return_index=True, return_inverse=True)
        by_group = np.argsort(group.reshape(-1), kind="stable")
        bounds = np.concatenate([[0], np.cumsum(np.bincount(group.reshape(-1)))])
        for g, representative in enumerate(first):
            members = at[by_group[bounds[g] : bounds[g + 1]]]
            free = reached[at[representative]]
            chosen = np.flatnonzero(families[at[representative]])
            groups.append((members, free, chosen))
        return result, groups

    def _eliminate(
        self,
        rows: Ints,
        target: int,
        free: NDArray[np.bool_],
        families: Ints,
        factors: Factors,
    ) -> Floats:
        scopes: list[tuple[int, ...]] = []
        wanted: list[tuple[int, int]] = []
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
            wanted.append((family, pattern))
        steps = self._plan(tuple(scopes), tuple(cards))
        if max(step.size for step in steps) > MAX_TABLE:
            return np.full((len(rows), cards[0]), np.nan)
        tables: list[tuple[Floats, Ints]] = []
        for family, pattern in wanted:
            written = self.cut(family, pattern)
            if written is None:
                array, position = factors.get(family, pattern, target)
                tables.append((array, position[rows]))
            else:
                array, strides = written
                at = factors.places(family, pattern, strides)
                tables.append((array, at[rows]))
        chunk = max(1, MAX_TABLE // (8 * sum(step.size for step in steps)))
        parts = [
            run(steps, [array[position[i : i + chunk]] for array, position in tables])
            for i in range(0, len(rows), chunk)
        ]
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def _plan(self, scopes: Scopes, cards: tuple[int, ...]) -> tuple[Step, ...]:
        key = (scopes, cards)
        if key not in self._plans:
            if len(self._plans) >= 20_000:  # some 40 MB
                self._plans.clear()
            self._plans[key] = tuple(plan(scopes, cards))
        return self._plans[key]


def _of_parts(
    known: NDArray[np.bool_], asked: Sequence[tuple[int, Ints]]
) -> tuple[NDArray[np.bool_], float]:
    """Return which cells to read from trees of parts, and about how many CPU seconds that takes.

    They are those not known, of rows of which so many are asked that eliminating for each costs
    more.
    """
    wanted = np.zeros_like(known)
    if len(asked) < 2:
        return wanted, 0.0
    for target, rows in asked:
        wanted[rows, target] = True
    wanted &= ~known
    gaps = (~known).sum(axis=1) * _PART
    wanted[wanted.sum(axis=1) * _ELIMINATION <= gaps] = False
    some = np.flatnonzero(wanted.any(axis=1))
    both = np.packbits(np.concatenate([known[some], wanted[some]], axis=1), axis=1)
    _, first = np.unique(both, axis=0, return_index=True)
    return wanted, float(gaps[some[first]].sum())


def _refuse() -> NoReturn:
    raise ValueError(
        f"exact inference would need a table beyond {MAX_TABLE:,} numbers for a respondent; "
        "lower max_parents, prune more, or drop dimensions that are mostly missing"
    )
