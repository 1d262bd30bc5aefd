"""Grids: questions of one scale, a row each, in columns of one beginning."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from lupom.science.surveys import cells, labels
from lupom.science.surveys.columns import Column, prefix

# Scales of more steps than 0 to 10 and a "don't know" are none of a grid.
_MOST = 12


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


def _answers(column: Column) -> frozenset[str]:
    different = set(column.values) - {""}
    if len(different) > _MOST + 2:
        return frozenset()
    return frozenset(
        v for v in different if v.casefold() not in cells.ABSENT and not labels.nonresponse(v)
    )
