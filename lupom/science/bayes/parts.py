"""Posteriors of all that a row does not know, by one tree for each part of the network it leaves.

What a row knows cuts the network (d-separation), and what it neither knows nor is asked for and has
no known descendant drops out (barren). The rest falls into parts that say nothing of each other.
Each part is a tree of sums, one bucket a variable (Dechter 1999); one pass up and one down give the
posteriors of all its variables (Lauritzen and Spiegelhalter 1988; messages are divided out as in
Jensen, Lauritzen and Olesen 1990). Parts are small where the network is not: of 150 questions with
three parents each a tree has 10^12 numbers, that of a person who answered 60 % of them 10^4.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lupom.science.bayes.counting import Codes, Floats, Ints
from lupom.science.bayes.factors import index
from lupom.science.bayes.tree import in_order, ones, order_of

# Numbers of a tree of a part above which it is tried to do with less.
_LARGE = 1 << 22
# The same of a tree that sums in the order in which its variables are drawn; above it the order is
# the tree's own (any is exact).
_IN_ORDER = 1 << 14

# Of a family and the free of its members, as bits: a table for every configuration of the others,
# and by what each of their codes counts in a configuration's place.
Cut = Callable[[int, int], tuple[Floats, Ints]]
# The same: the table of each of some rows.
Factor = Callable[[int, int], Floats]


@dataclass(slots=True)
class _Bucket:
    """One variable's sum; axes are the row and variables in the order of their sums, its own first.

    Attributes
    ----------
    scope : its axes, as places in the order of sums. shape : their numbers of values.
    factors : family, free members as bits, order of its axes (None: as they are), and the
        shape in which it is multiplied.
    told : earlier buckets whose messages it multiplies, with the shape of each.
    leaf : whether it is its variable's own table alone, the sum of which is 1.
    below : earlier buckets that are told what it knows, and the axes that are summed for each.
    """

    variable: int
    scope: list[int]
    shape: tuple[int, ...]
    factors: list[tuple[int, int, tuple[int, ...] | None, tuple[int, ...]]]
    told: list[tuple[int, tuple[int, ...]]]
    leaf: bool
    below: list[tuple[int, tuple[int, ...]]]


class Parts:
    """The parts of one network.

    Parameters
    ----------
    members : of each family, in the order of its table's axes; family i is that of dimension i.
    cards : of each dimension.
    order : dimensions with parents before children.
    """

    def __init__(
        self, members: Sequence[tuple[int, ...]], cards: Sequence[int], order: Sequence[int]
    ) -> None:
        self.members = list(members)
        self.cards = list(cards)
        self._upward = list(reversed(order))
        self.masks = [_mask(nodes) for nodes in members]
        self._families = [0] * len(members)
        for family, nodes in enumerate(members):
            for node in nodes:
                self._families[node] |= 1 << family
        self._fixed: dict[tuple[int, int], list[tuple[int, int]]] = {}
        self._children = [found & ~(1 << node) for node, found in enumerate(self._families)]

    def posteriors(
        self, codes: Codes, wanted: NDArray[np.bool_], cut: Cut, most: int, without: int = 0
    ) -> Mapping[int, Floats]:
        """Return the posteriors of cells that are not known, rows with the same gaps together.

        Parameters
        ----------
        codes, wanted : (n, d), -1 where not known; which cells.
        most : numbers of a table beyond which there is no posterior.
        without : families, as bits, whose parts have none.

        Returns
        -------
        (n, r) by dimension of which something is wanted; NaN where there is none.
        """
        both = np.concatenate([codes < 0, wanted], axis=1)
        rows = np.flatnonzero(wanted.any(axis=1))
        patterns: dict[bytes, list[int]] = {}
        for row, gaps in zip(
            rows.tolist(), np.packbits(both[rows], axis=1, bitorder="little"), strict=True
        ):
            patterns.setdefault(gaps.tobytes(), []).append(row)
        groups: dict[tuple[int, int], list[int]] = {}
        d = codes.shape[1]
        for pattern, members in patterns.items():
            number = int.from_bytes(pattern, "little")
            for found in self.split(number & ((1 << d) - 1), number >> d):
                if not found[1] & without:
                    groups.setdefault(found, []).extend(members)
        out = {
            t: np.full((len(codes), self.cards[t]), np.nan)
            for t in np.flatnonzero(wanted.any(axis=0)).tolist()
        }
        # Nothing is impossible under a network: what is 0 was below what a float holds.
        lost = np.zeros(len(codes), dtype=bool)
        with np.errstate(divide="ignore", invalid="ignore"):
            for (part, families), members in groups.items():
                for plan, taken in self.trees(part, families):
                    if plan.size > most:
                        continue
                    chunk = max(1, most // (8 * plan.size))
                    for i in range(0, len(members), chunk):
                        some = members[i : i + chunk]
                        ps = plan.posteriors(self._factor(codes, some, cut))
                        for variable, p in zip(plan.variables, ps, strict=True):
                            if taken >> variable & 1 and variable in out:
                                out[variable][some] = p
                            elif not (p > 0).all():
                                lost[some] = True
            for p in out.values():
                lost |= (p <= 0).any(axis=1)
            for p in out.values():
                p /= p.sum(axis=1, keepdims=True)
                p[lost] = np.nan
        return out

    def draw(
        self,
        codes: Codes,
        uniforms: Floats,
        rank: Sequence[int],
        cut: Cut,
        most: int,
        without: int = 0,
    ) -> NDArray[np.bool_]:
        """Fill what is not known with one draw from its joint posterior, part by part, in place.

        A part's sums are made from the last of its variables to the first; then each is drawn given
        those before it (forward filtering, backward sampling).

        Parameters
        ----------
        codes, uniforms : (n, d), -1 where not known; numbers in [0, 1) that decide.
        rank : of each dimension, when it is drawn.
        most, without : as of `posteriors`.

        Returns
        -------
        (n), whether a row is without gaps now: parts that are too large are left as they are.
        """
        unknown = codes < 0
        patterns: dict[bytes, list[int]] = {}
        packed = np.packbits(unknown, axis=1, bitorder="little")
        for row in np.flatnonzero(unknown.any(axis=1)).tolist():
            patterns.setdefault(packed[row].tobytes(), []).append(row)
        groups: dict[tuple[int, int], list[int]] = {}
        for pattern, members in patterns.items():
            number = int.from_bytes(pattern, "little")
            for found in self.split(number, number):
                if not found[1] & without:
                    groups.setdefault(found, []).extend(members)
        with np.errstate(divide="ignore", invalid="ignore"):
            for (part, families), members in groups.items():
                last_first = sorted(ones(part), key=rank.__getitem__, reverse=True)
                masks = [self.masks[family] & part for family in ones(families)]
                kept = self._filled(masks, last_first) <= _IN_ORDER
                plan = Plan(self, part, families, last_first if kept else None)
                if plan.size > most:
                    continue
                chunk = max(1, most // (8 * plan.size))
                for i in range(0, len(members), chunk):
                    some = np.array(members[i : i + chunk])[:, None]
                    factor = self._factor(codes, members[i : i + chunk], cut)
                    drawn = plan.draw(factor, uniforms[some, plan.variables])
                    good = (drawn >= 0).all(axis=1)
                    codes[some[good], plan.variables] = drawn[good]
        return np.asarray((codes >= 0).all(axis=1))

    def _factor(self, codes: Codes, rows: list[int], cut: Cut) -> Factor:
        if len(rows) > 1:
            part = codes[rows]

            def of_all(family: int, pattern: int) -> Floats:
                array, strides = cut(family, pattern)
                return array[index(part, self.members[family], pattern, strides)]

            return of_all
        own = codes[rows[0]].tolist()

        def of_one(family: int, pattern: int) -> Floats:
            array, strides = cut(family, pattern)
            if (family, pattern) not in self._fixed:
                fixed = [m for b, m in enumerate(self.members[family]) if not pattern >> b & 1]
                self._fixed[family, pattern] = list(zip(fixed, strides.tolist(), strict=True))
            at = 0
            for member, stride in self._fixed[family, pattern]:
                at += own[member] * stride
            return array[at : at + 1]

        return of_one

    def split(
        self, unknown: int, asked: int, families: int | None = None
    ) -> Iterator[tuple[int, int]]:
        """Yield each part that has something asked: its variables and its families, as bits.

        Parameters
        ----------
        unknown, asked : dimensions as bits; those asked are unknown. families : those that count,
            all by default.
        """
        active = (1 << len(self.members)) - 1 if families is None else families
        if unknown & ~asked:
            for node in self._upward:
                bit = 1 << node
                if unknown & bit and not asked & bit and not self._children[node] & active:
                    active &= ~bit
        left = unknown & active
        while here := left & asked:
            part, touched, frontier = 0, 0, here & -here
            while frontier:
                bit = frontier & -frontier
                part |= bit
                fresh = self._families[bit.bit_length() - 1] & active & ~touched
                touched |= fresh
                while fresh:
                    one = fresh & -fresh
                    fresh ^= one
                    frontier |= self.masks[one.bit_length() - 1]
                frontier &= left & ~part
            left &= ~part
            yield part, touched

    def trees(self, part: int, families: int) -> Iterator[tuple[Plan, int]]:
        """Yield trees that together have each variable of a part, and which to take from each.

        One tree, where that is small. Else those without known descendants are left aside at first,
        since their parents would have to stand in one table: they come back where the tree does not
        grow much, and the rest has trees of its own.
        """
        plan = Plan(self, part, families)
        core, aside = families, list[int]()
        for node in self._upward if plan.size > _LARGE else ():
            if part >> node & 1 and not self._children[node] & core:
                core &= ~(1 << node)
                aside.append(node)
        if not aside:
            yield plan, part
            return
        aside.reverse()
        taken, left = part & ~_mask(aside), aside
        order = Plan(self, part, core).variables if core & part else []
        while taken or left:
            here, masks = core, [self.masks[f] & part for f in ones(core)]
            place, asked, waiting, left = list(order), taken, left, list[int]()
            least = size = self._filled(masks, order)
            for node in waiting:
                # With the unknown dimensions that it depends on, parents first.
                needed = 1 << node
                for other in reversed(aside):
                    if needed >> other & 1:
                        needed |= self.masks[other] & part
                needed &= ~here & part
                fresh = [other for other in aside if needed >> other & 1]
                wider = masks + [self.masks[other] & part for other in fresh]
                before = [*reversed(fresh), *place]
                grown = self._filled(wider, before)
                if asked and grown - size > least / 2:
                    left.append(node)
                    continue
                masks, size, place, here = wider, grown, before, here | needed
                asked |= 1 << node
            for found in self.split(part, asked, here):
                yield Plan(self, *found), found[0] & asked
            taken = 0

    def _filled(self, masks: Sequence[int], order: Sequence[int]) -> int:
        """Return how many numbers the tables of an order have."""
        return sum(size for _, _, size in in_order(masks, self.cards, order))


class Plan:
    """The tree of one part.

    Attributes
    ----------
    variables : in the order of their sums, the parameter's where it is given. size : numbers of all
        its tables, for a row.
    """

    def __init__(
        self, parts: Parts, part: int, families: int, variables: Sequence[int] | None = None
    ) -> None:
        cards = parts.cards
        found = [(family, parts.masks[family] & part) for family in ones(families)]
        masks = [mask for _, mask in found]
        order = order_of(masks, cards) if variables is None else in_order(masks, cards, variables)
        self.variables = [variable for variable, _, _ in order]
        self.size = sum(size for _, _, size in order)
        place = {variable: at for at, variable in enumerate(self.variables)}
        scopes = [sorted(map(place.__getitem__, ones(union))) for _, union, _ in order]
        wide = [cards[variable] for variable in self.variables]
        self._buckets = [
            _Bucket(variable, scope, tuple(wide[v] for v in scope), [], [], False, [])
            for variable, scope in zip(self.variables, scopes, strict=True)
        ]
        for family, mask in found:
            pattern, axes = 0, []
            for bit, member in enumerate(parts.members[family]):
                if mask >> member & 1:
                    pattern |= 1 << bit
                    axes.append(place[member])
            ordered = sorted(axes)
            turned = None
            if ordered != axes:
                turned = (0, *(1 + axes.index(at) for at in ordered))
            at = ordered[0]
            shape = (-1, *(wide[v] if v in axes else 1 for v in scopes[at]))
            self._buckets[at].factors.append((family, pattern, turned, shape))
        for at, bucket in enumerate(self._buckets):
            own = bucket.factors
            bucket.leaf = len(own) == 1 and own[0][0] == bucket.variable and not bucket.told
            rest = scopes[at][1:]
            if not rest:
                continue
            to = self._buckets[rest[0]]
            if not bucket.leaf:
                to.told.append((at, (-1, *(wide[v] if v in rest else 1 for v in scopes[rest[0]]))))
            summed = (axis for axis, v in enumerate(scopes[rest[0]], 1) if v not in rest)
            to.below.append((at, tuple(summed)))

    def posteriors(self, factor: Factor) -> list[Floats]:
        """Return the posterior of each variable, in order, (rows, r) up to a factor by row.

        Some are 0 or no numbers where products are below what a float holds.
        """
        base, sent = self._products(factor)
        for at in range(len(base) - 1, -1, -1):
            bucket, product = self._buckets[at], base[at]
            for child, summed in bucket.below:
                down = np.add.reduce(product, axis=summed) if summed else product
                if not self._buckets[child].leaf:
                    down = down / sent[child]
                base[child] = base[child] * down[:, None]
            if product.ndim > 2:
                base[at] = np.add.reduce(product, axis=tuple(range(2, product.ndim)))
            sent[at] = _EMPTY
        return base

    def draw(self, factor: Factor, uniforms: Floats) -> Codes:
        """Return a value of each variable, (rows, variables), drawn by uniform numbers.

        -1 where products are below what a float holds.
        """
        base, _ = self._products(factor)
        out = np.full(uniforms.shape, -1, dtype=np.int32)
        every = np.arange(len(out))
        for at in range(len(base) - 1, -1, -1):
            bucket = self._buckets[at]
            told = tuple(out[:, before] for before in bucket.scope[1:])
            product = np.broadcast_to(base[at], (len(out), *bucket.shape))
            p = np.moveaxis(product, 1, -1)[(every, *told)]
            total = p.sum(axis=1, keepdims=True)
            drawn = pick(p / total, uniforms[:, at])
            out[:, at] = np.where(np.isfinite(total[:, 0]) & (total[:, 0] > 0), drawn, -1)
        return out

    def _products(self, factor: Factor) -> tuple[list[Floats], list[Floats]]:
        """Return each bucket's product, later variables summed out, and the message it sends."""
        base: list[Floats] = []
        sent: list[Floats] = []
        for bucket in self._buckets:
            arrays = [factor(family, pattern) for family, pattern, _, _ in bucket.factors]
            for i, (_, _, turned, shape) in enumerate(bucket.factors):
                turn = arrays[i] if turned is None else arrays[i].transpose(turned)
                arrays[i] = turn.reshape(shape)
            arrays += [sent[earlier].reshape(shape) for earlier, shape in bucket.told]
            product = arrays[0]
            for count, array in enumerate(arrays[1:], 2):
                product = product * array
                if count % 8 == 0:
                    # A product over many families cannot underflow.
                    product /= _most(product)
            base.append(product)
            sent.append(_EMPTY)
            if not bucket.leaf and product.ndim > 2:
                if product.shape[1:] != bucket.shape:
                    # What a leaf knows has to stand in this table and says nothing here.
                    product = base[-1] = np.broadcast_to(product, (len(product), *bucket.shape))
                message = np.add.reduce(product, axis=1)
                message /= _most(message)
                sent[-1] = message
        return base, sent


_EMPTY = np.empty(0)


def pick(p: Floats, uniforms: Floats) -> Codes:
    """Return one value per row of probabilities, drawn by a uniform number per row."""
    # The last value takes what rounding leaves of the sum.
    below: Codes = (uniforms[:, None] >= p.cumsum(axis=1)[:, :-1]).sum(axis=1).astype(np.int32)
    return below


def _most(array: Floats) -> Floats:
    found: Floats = np.maximum.reduce(array, axis=tuple(range(1, array.ndim)), keepdims=True)
    return found


def _mask(nodes: Sequence[int]) -> int:
    return sum(1 << node for node in nodes)
