"""Posteriors of all dimensions of many rows at once, whichever cells each row knows.

Variable elimination of a whole network is a tree: each variable's bucket multiplies what holds it
and sends the sum to a later bucket. One pass up and one down give every bucket the product of all
else (Lauritzen and Spiegelhalter 1988; messages are divided out as in Jensen, Lauritzen and Olesen
1990). What is known enters as an indicator that is all ones where nothing is, so that rows with
different gaps share one tree. A variable's indicator enters its own bucket only, and after its
posterior is read there: the row's own value is not used (fast retraction, Cowell and Dawid 1992).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import log, prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lupom.science.bayes.counting import Codes, Floats

# CPU seconds of a bucket's calls, and of a number of its table for a row; rough.
_CALLS, _NUMBER = 1.2e-4, 8e-9
# Numbers of all tables from which on a second order is tried, which takes 5 ms for 80 variables.
_MANY = 1 << 19


@dataclass(frozen=True)
class Bucket:
    """One variable's sum: the factors and earlier sums it multiplies, by position.

    Sums are numbered after the factors. `scope` are all variables, the own one among them.
    """

    variable: int
    operands: tuple[int, ...]
    scope: tuple[int, ...]
    size: int


def buckets(
    scopes: Sequence[tuple[int, ...]], cards: Sequence[int], keep: Sequence[int] = ()
) -> tuple[list[Bucket], tuple[int, ...]]:
    """Order the sums over all variables but those to keep, smallest table first.

    Returns
    -------
    the sums in order, and which factors and sums are left.
    """
    masks: dict[int, int] = {i: sum(1 << v for v in s) for i, s in enumerate(scopes)}
    found: list[Bucket] = []
    for variable, union, size in order_of(list(masks.values()), cards, keep):
        bit = 1 << variable
        operands = tuple(i for i, mask in masks.items() if mask & bit)
        for i in operands:
            del masks[i]
        masks[len(scopes) + len(found)] = union ^ bit
        found.append(Bucket(variable, operands, bits(union), size))
    return found, tuple(masks)


def order_of(
    masks: Sequence[int], cards: Sequence[int], keep: Sequence[int] = ()
) -> list[tuple[int, int, int]]:
    """Order the sums over the variables of some factors but those to keep.

    The smallest table first, or where that comes to many numbers the least that is added to others
    if this is better (weighted minimum fill, Kjaerulff 1990).

    Parameters
    ----------
    masks : the variables of each factor, as bits. cards : of each variable.

    Returns
    -------
    variable, variables of its table as bits, and numbers in that, in order.
    """
    around: dict[int, int] = {}
    for mask in masks:
        for v in ones(mask):
            around[v] = around.get(v, 0) | mask
    kept = sum(1 << v for v in keep)
    found = _ordered(dict(around), kept, cards, fill=False)
    if sum(size for _, _, size in found) > _MANY:
        other = _ordered(around, kept, cards, fill=True)
        if sum(size for _, _, size in other) < sum(size for _, _, size in found):
            return other
    return found


def in_order(
    masks: Sequence[int], cards: Sequence[int], variables: Sequence[int]
) -> list[tuple[int, int, int]]:
    """Return what `order_of` does, of sums over variables in a given order."""
    out, left = [], list(masks)
    for variable in variables:
        bit = 1 << variable
        union = 0
        for mask in left:
            if mask & bit:
                union |= mask
        left = [mask for mask in left if not mask & bit] + [union & ~bit]
        out.append((variable, union, prod(cards[v] for v in ones(union))))
    return out


def _ordered(
    around: dict[int, int], kept: int, cards: Sequence[int], *, fill: bool
) -> list[tuple[int, int, int]]:
    """Order sums by one rule.

    `around`, which changes, is what stands with each variable, itself too.
    """
    size_of = {1 << v: cards[v] for v in around}
    logs = {v: log(cards[v]) for v in around}

    def measure(mask: int) -> int:
        size = 1
        while mask:
            bit = mask & -mask
            size *= size_of[bit]
            mask ^= bit
        return size

    def added(v: int) -> float:
        near, total = around[v] & ~(1 << v), 0.0
        for u in ones(near):
            if apart := near & ~around[u]:
                total += logs[u] * sum([logs[w] for w in ones(apart)])
        return total

    sizes = {v: measure(mask) for v, mask in around.items() if not kept >> v & 1}
    scores: dict[int, tuple[float, int]]
    scores = {v: (added(v) if fill else size, v) for v, size in sizes.items()}
    found: list[tuple[int, int, int]] = []
    while scores:
        _, variable = min(scores.values())
        union = around[variable]
        found.append((variable, union, sizes[variable]))
        del scores[variable]
        rest = union ^ (1 << variable)
        changed = rest
        for v in ones(rest):
            wider = (around[v] | rest) & ~(1 << variable)
            around[v] = wider
            changed |= wider
            if v in scores:
                sizes[v] = measure(wider)
        for v in ones(changed if fill else rest):
            if v in scores:
                scores[v] = (added(v) if fill else sizes[v], v)
    return found


def ones(mask: int) -> list[int]:
    """Return the places of the ones of a number, which is seen once."""
    found = []
    while mask:
        bit = mask & -mask
        found.append(bit.bit_length() - 1)
        mask ^= bit
    return found


@lru_cache(maxsize=1 << 16)
def bits(mask: int) -> tuple[int, ...]:
    """Return the places of the ones of a number."""
    return tuple(v for v in range(mask.bit_length()) if mask >> v & 1)


class Tree:
    """The tree of a network in which some variables may be unknown and all others are known.

    Parameters
    ----------
    members : of each family, in the order of its table's axes.
    cards : of each dimension.
    free : dimensions that are unknown in some row, or whose posterior is asked for.
    """

    def __init__(
        self, members: Sequence[tuple[int, ...]], cards: Sequence[int], free: Sequence[int]
    ) -> None:
        self.free = tuple(free)
        place = {node: i for i, node in enumerate(self.free)}
        self._families: list[int] = []
        self._scopes: list[tuple[int, ...]] = []
        for family, nodes in enumerate(members):
            scope = tuple(place[node] for node in nodes if node in place)
            if scope:
                self._families.append(family)
                self._scopes.append(scope)
        self._cards = [cards[node] for node in self.free]
        self._buckets, _ = buckets(self._scopes, self._cards)
        self.size = sum(bucket.size for bucket in self._buckets)

    def seconds(self, n: int, most: int) -> float:
        """Estimate the CPU seconds of n rows, in blocks of at most so many numbers."""
        blocks = -(-n // self.rows(most))
        return blocks * len(self._buckets) * _CALLS + n * self.size * _NUMBER

    def rows(self, most: int) -> int:
        """Return how many rows have tables of at most so many numbers together."""
        return max(1, most // self.size)

    def posteriors(
        self, codes: Codes, factor: Callable[[int, Codes], Floats], most: int
    ) -> Mapping[int, Floats]:
        """Return the posterior of each free dimension given the other known cells of its row.

        Parameters
        ----------
        codes : (n, d), -1 where missing.
        factor : of a family and rows, the table over its free members by row, the row last; that
            of one where no member is known in all.
        most : numbers to hold at a time, unless one row needs more.

        Returns
        -------
        (n, r) by dimension; NaN in rows whose products are below what a float holds.
        """
        out = {v: np.empty((len(codes), r)) for v, r in zip(self.free, self._cards, strict=True)}
        step = self.rows(most)
        with np.errstate(divide="ignore", invalid="ignore"):
            for start in range(0, len(codes), step):
                part = codes[start : start + step]
                lost = np.zeros(len(part), dtype=bool)
                for node, p in self._sweep(part, factor, lost):
                    # Nothing is impossible under a network.
                    lost |= (p <= 0).any(axis=0)
                    out[node][start : start + step] = (p / p.sum(axis=0)).T
                for p in out.values():
                    p[start : start + step][lost] = np.nan
        return out

    def _sweep(
        self, codes: Codes, factor: Callable[[int, Codes], Floats], lost: NDArray[np.bool_]
    ) -> Iterator[tuple[int, Floats]]:
        n, first = len(codes), len(self._scopes)
        known = [_indicator(codes[:, v], r) for v, r in zip(self.free, self._cards, strict=True)]
        sent: list[Floats] = []
        base: list[Floats] = []
        for bucket in self._buckets:
            product: Floats = np.ones((*(self._cards[v] for v in bucket.scope), n))
            for count, i in enumerate(bucket.operands, 1):
                if i < first:
                    told, scope = factor(self._families[i], codes), self._scopes[i]
                else:
                    told, scope = sent[i - first], _rest(self._buckets[i - first])
                product *= _aligned(told, scope, bucket.scope)
                if count % 8 == 0:
                    # A product over many families cannot underflow.
                    _scale(product)
            base.append(product)
            axis = bucket.scope.index(bucket.variable)
            own = known[bucket.variable]
            if own is not None:
                product = product * _aligned(own, (bucket.variable,), bucket.scope)
            message: Floats = product.sum(axis=axis)
            _scale(message)
            lost |= ~(message > 0).reshape(-1, n).all(axis=0)
            sent.append(message)
        for at in range(len(self._buckets) - 1, -1, -1):
            bucket, product = self._buckets[at], base[at]
            others = tuple(i for i, v in enumerate(bucket.scope) if v != bucket.variable)
            yield self.free[bucket.variable], product.sum(axis=others) if others else product
            children = [i - first for i in bucket.operands if i >= first]
            own = known[bucket.variable]
            if own is not None and children:
                product *= _aligned(own, (bucket.variable,), bucket.scope)
            for child in children:
                scope = _rest(self._buckets[child])
                summed = tuple(i for i, v in enumerate(bucket.scope) if v not in scope)
                down = product.sum(axis=summed) if summed else product.copy()
                down /= sent[child]
                _scale(down)
                base[child] *= _aligned(down, scope, self._buckets[child].scope)
            base[at] = sent[at] = np.empty(0)


def _rest(bucket: Bucket) -> tuple[int, ...]:
    return tuple(v for v in bucket.scope if v != bucket.variable)


def _indicator(codes: NDArray[Any], r: int) -> Floats | None:
    """Return ones where a code may be the value, (r, n); None where none is known."""
    if (codes < 0).all():
        return None
    found: Floats = ((np.arange(r)[:, None] == codes) | (codes < 0)).astype(np.float64)
    return found


def _aligned(array: Floats, scope: Sequence[int], wider: Sequence[int]) -> Floats:
    """Return an array over some variables, and the rows, with the axes of more of them."""
    order = sorted(range(len(scope)), key=lambda i: wider.index(scope[i]))
    moved = array.transpose(*order, len(scope))
    there = set(scope)
    axes = iter(moved.shape)
    return moved.reshape(*(next(axes) if v in there else 1 for v in wider), array.shape[-1])


def _scale(array: Floats) -> None:
    """Divide by each row's largest number, in place."""
    array /= array.max(axis=tuple(range(array.ndim - 1)), keepdims=True)


def dense(table: Any, cards: Sequence[int], most: int) -> Floats | None:
    """Return a conditional table with an axis a member; None where it has too many numbers."""
    sizes = [int(cards[m]) for m in table.members]
    if prod(sizes) > most:
        return None
    values = {
        m: np.arange(r).reshape([-1 if i == j else 1 for j in range(len(sizes))])
        for i, (m, r) in enumerate(zip(table.members, sizes, strict=True))
    }
    found: Floats = np.ascontiguousarray(np.broadcast_to(table.likelihood(values), sizes))
    return found
