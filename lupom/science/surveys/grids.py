"""Grids: questions of one scale, a row each, in columns of one beginning."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from lupom.science.surveys import cells, labels
from lupom.science.surveys.columns import Column, prefix

# Scales of more steps than 0 to 10 and a "don't know" are none of a grid.
_MOST = 12
# 'E1', 'E2', ...: so many at least, of which each lacks at most so many of what most have.
_NUMBERED = re.compile(r"([A-Za-z]+)\d{1,3}")
_FEWEST, _LACKS = 3, 1


def mark(columns: Sequence[Column]) -> None:
    """Tell each row of a grid what the other rows hold, as its `alike`.

    What nobody answered to one row of a grid is an option of it, if somebody answered it to
    another. Rows have a beginning in common ('Q5_1', 'How often? [Tea]') and at least half of what
    they hold; "Other, namely" is none.
    """
    groups: dict[str, list[Column]] = {}
    for column in columns:
        start = prefix(column.name)
        if start and not (column.labels or column.why or column.group or column.known):
            groups.setdefault(start, []).append(column)
    for members in groups.values():
        held = {id(column): _answers(column) for column in members}
        counts = Counter(value for values in held.values() for value in values)
        rows = [
            column
            for column in members
            if (values := held[id(column)])
            and 2 * sum(counts[v] > 1 for v in values) >= len(values)
        ]
        union = frozenset[str]().union(*(held[id(column)] for column in rows))
        if len(rows) > 1 and 2 <= len(union) <= _MOST:
            for column in rows:
                column.alike = union
    _numbered(columns)


def _numbered(columns: Sequence[Column]) -> None:
    """Mark items of a test, 'E1' to 'E10', which hold whole numbers of one scale.

    Other questions may be numbered so, too: one that lacks more than a step is of another scale.
    """
    groups: dict[str, list[Column]] = {}
    for column in columns:
        found = _NUMBERED.fullmatch(column.name)
        plain = not (column.labels or column.why or column.group or column.known or column.alike)
        if found and plain:
            groups.setdefault(found[1], []).append(column)
    for members in groups.values():
        held = {id(column): _answers(column) for column in members}
        counts = Counter(value for values in held.values() for value in values)
        core = frozenset(v for v, n in counts.items() if 2 * n >= len(members))
        steps = sorted(int(v) for v in core) if all(map(str.isdecimal, core)) else []
        if len(members) < _FEWEST or len(steps) < _FEWEST or len(core) > _MOST:
            continue
        if steps != list(range(steps[0], steps[0] + len(steps))):
            continue
        for column in members:
            own = held[id(column)]
            # Codes begin with the lowest: who lacks it is of the scale, and nobody went so low.
            near = len(core - own) <= _LACKS or str(steps[0]) not in own
            if own and own <= core and near:
                column.alike = core


def _answers(column: Column) -> frozenset[str]:
    # What the file marks as no answer to one row (Qualtrics' -99) is no option of another.
    different = set(column.values) - {"", *column.missing}
    if len(different) > _MOST + 2:
        return frozenset()
    return frozenset(
        v for v in different if v.casefold() not in cells.ABSENT and not labels.nonresponse(v)
    )
