"""Agreements counted by words of 64 dimensions: a few bits for each value in place of a product."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

_WORD = 64
# Pairs at a time: two words of each stay in a core's cache.
_ROWS, _COLUMNS = 8, 8192
# Operations on a word cost as much as 8 features of a product (.2 and .025 ns a pair).
_FEATURES = 8


@dataclass(frozen=True)
class Layout:
    """Which dimensions share a word, and how many bits a value of theirs takes.

    Attributes
    ----------
    words : of each the dimensions, one of weight w w times, at most 64.
    planes : of each the bits of a value; a word is as many numbers, and one of what is unknown.
    total : of all weights, the largest agreement.
    """

    words: tuple[NDArray[np.int64], ...]
    planes: tuple[int, ...]
    total: int

    @property
    def operations(self) -> int:
        """Operations on whole words for each pair."""
        return sum(2 * planes + 2 for planes in self.planes)

    def pays(self, features: int) -> bool:
        """Return whether they cost less than a product of so many features."""
        return _FEATURES * self.operations < features


def layout(cardinalities: Sequence[int], weights: NDArray[Any]) -> Layout:
    """Return a layout for dimensions of whole weights above 0.

    Those of as many bits stand together, so that a word has few of them.
    """
    bits = np.array([max(r - 1, 1).bit_length() for r in cardinalities], dtype=np.int64)
    order = np.repeat(np.arange(len(bits)), np.asarray(weights, dtype=np.int64))
    order = order[np.argsort(-bits[order], kind="stable")]
    words = tuple(order[at : at + _WORD] for at in range(0, len(order), _WORD))
    return Layout(words, tuple(int(bits[w[0]]) for w in words), len(order))


def packed(codes: NDArray[Any], of: Layout) -> list[NDArray[np.uint64]]:
    """Return codes (n, d), -1 where missing, as words: of each (planes + 1, n), unknown last."""
    out = []
    for dimensions, planes in zip(of.words, of.planes, strict=True):
        part = codes[:, dimensions]
        known = part >= 0
        bits = np.zeros((planes + 1, len(codes), _WORD), dtype=bool)
        for plane in range(planes):
            bits[plane, :, : len(dimensions)] = known & ((part >> plane) & 1 == 1)
        bits[planes, :, : len(dimensions)] = ~known
        out.append(np.packbits(bits, axis=2).view(np.uint64)[:, :, 0])
    return out


def agreements(
    mine: Sequence[NDArray[np.uint64]], others: Sequence[NDArray[np.uint64]], of: Layout
) -> NDArray[Any]:
    """Return the agreement of each of b with each of m, (b, m) whole numbers, as `packed` said.

    Two agree in the bits in which no plane differs and that both know.
    """
    b, m = mine[0].shape[1], others[0].shape[1]
    # Counted as unsigned numbers, which NumPy counts bits in; signed ones have room for none. Those
    # with room for -128 have none for 128.
    kind = np.min_scalar_type(-of.total - 1)
    out = np.empty((b, m), dtype=kind.str.replace("i", "u"))
    differ = np.empty((_ROWS, _COLUMNS), dtype=np.uint64)
    plane = np.empty_like(differ)
    gaps = [bool(a[-1].any() or c[-1].any()) for a, c in zip(mine, others, strict=True)]
    for start in range(0, b, _ROWS):
        for first in range(0, m, _COLUMNS):
            here = out[start : start + _ROWS, first : first + _COLUMNS]
            d, p = (one[: here.shape[0], : here.shape[1]] for one in (differ, plane))
            for word, (own, their) in enumerate(zip(mine, others, strict=True)):
                a = own[:, start : start + _ROWS, None]
                c = their[:, None, first : first + _COLUMNS]
                np.bitwise_xor(a[0], c[0], out=d)
                for one, other in zip(a[1:-1], c[1:-1], strict=True):
                    np.bitwise_or(d, np.bitwise_xor(one, other, out=p), out=d)
                if gaps[word]:
                    np.bitwise_or(d, np.bitwise_or(a[-1], c[-1], out=p), out=d)
                if word:
                    here += np.bitwise_count(d)
                else:
                    np.bitwise_count(d, out=here, casting="unsafe")
    np.subtract(of.total, out, out=out, casting="unsafe")
    return out.view(kind)
