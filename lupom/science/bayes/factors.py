"""The tables of one block of rows, cut down to what is missing in each family."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lupom.science.bayes.counting import Codes, Configurations, Floats, Ints
from lupom.science.bayes.parameters import ConditionalTable
from lupom.science.bayes.tree import bits


class Factors:
    """The tables of one block of rows, cut down to what is missing in each family.

    `get` is for tables too large to be written out. Only factors that an elimination asks for are
    made; those of families without the target are kept for the targets that follow.
    """

    def __init__(self, tables: Sequence[ConditionalTable], codes: Codes) -> None:
        self._tables = tables
        self.codes = codes
        self._kept: dict[tuple[int, int], tuple[Floats, Ints]] = {}
        self._own: dict[tuple[int, int], tuple[Floats, Ints]] = {}
        self._target = -1
        self._missing: dict[tuple[int, int], Ints] = {}
        self._places: dict[tuple[int, int], Ints] = {}

    def places(self, family: int, pattern: int, strides: Ints) -> Ints:
        """Return each row's place in a table that is written out; see `Posterior.cut`."""
        if (family, pattern) not in self._places:
            found = index(self.codes, self._tables[family].members, pattern, strides)
            self._places[family, pattern] = found
        return self._places[family, pattern]

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
            missing = self.codes[:, list(members)] < 0
            if target >= 0:
                missing[:, members.index(target)] = True
            self._missing[family, target] = missing @ (1 << np.arange(len(members)))
        return self._missing[family, target]

    def _cut(self, family: int, pattern: int, target: int) -> tuple[Floats, Ints]:
        members = self._tables[family].members
        cards = [self._tables[m].cardinality for m in members]
        rows = np.flatnonzero(self._patterns(family, target) == pattern)
        free = bits(pattern)
        fixed = [i for i in range(len(members)) if i not in free]
        position = np.full(len(self.codes), -1, dtype=np.int64)
        position[rows] = 0
        distinct = rows[:1]
        if fixed:
            # Rows with the same known members share a factor.
            seen = Configurations(
                [self.codes[rows, members[i]] for i in fixed], [cards[i] for i in fixed]
            )
            position[rows] = seen.index
            distinct = rows[np.unique(seen.index, return_index=True)[1]]
        values: dict[int, NDArray[Any]] = {
            members[i]: self.codes[distinct, members[i]].reshape(-1, *([1] * len(free)))
            for i in fixed
        }
        for axis, i in enumerate(free):
            shape = [1] * (len(free) + 1)
            shape[1 + axis] = -1
            values[members[i]] = np.arange(cards[i]).reshape(shape)
        array = self._tables[family].likelihood(values)
        full = (len(distinct), *(cards[i] for i in free))
        return np.broadcast_to(array, full), position


def index(codes: Codes, members: Sequence[int], pattern: int, strides: Ints) -> Ints:
    """Return each row's configuration of the members that are not free."""
    fixed = [member for bit, member in enumerate(members) if not pattern >> bit & 1]
    at = np.zeros(len(codes), dtype=np.int64)
    for member, stride in zip(fixed, strides.tolist(), strict=True):
        at += codes[:, member] * stride
    return at
