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
# Codes that surveys give to "don't know", "refused" and the like, and none of them ends a scale.
_SPECIAL = {7, 8, 9, 66, 77, 88, *range(96, 100), *range(996, 1000)}
# A code far off a grid's scale is no answer where the grid has so many answers, of which at most
# so many are such codes; its highest step is taken by more, and by so many times as many: amounts
# have a tail (0, 1, 2, 9 glasses).
_ANSWERS, _FEW, _STEP, _TIMES = 100, 0.05, 0.02, 3
_NAMED = 3


def mark(columns: Sequence[Column]) -> list[str]:
    """Tell each row of a grid what the other rows hold, as its `alike`; returns notes.

    What nobody answered to one row of a grid is an option of it, if somebody answered it to
    another. Rows have a beginning in common ('Q5_1', 'How often? [Tea]') and at least half of what
    they hold; "Other, namely" is none. A code far off the scale, 9 beside 1 to 5, is an option of
    no other row; where few gave it to any of three rows or more, it is taken for no answer.
    """
    groups: dict[str, list[Column]] = {}
    notes: list[str] = []
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
        strays = _strays(rows)
        notes += _without(rows, strays)
        union = frozenset[str]().union(*(held[id(column)] for column in rows)) - strays
        if len(rows) > 1 and 2 <= len(union) <= _MOST:
            for column in rows:
                column.alike = union
    return notes + _numbered(columns)


def _strays(rows: Sequence[Column]) -> frozenset[str]:
    """Return codes beyond a gap above the steps of a grid's scale, which no scale ends with."""
    values = frozenset[str]().union(*map(_answers, rows))
    if not all(map(str.isdecimal, values)):
        return frozenset()
    numbers = sorted(map(int, values))
    run = [n for i, n in enumerate(numbers) if n == numbers[0] + i]
    tail = numbers[len(run) :]
    # Of a scale of seven steps nobody may have taken the sixth.
    gap = 3 if 7 in tail else 2
    if len(run) < _FEWEST or not tail or tail[0] < run[-1] + gap or not set(tail) <= _SPECIAL:
        return frozenset()
    return frozenset(v for v in values if int(v) in tail)


def _without(rows: Sequence[Column], strays: frozenset[str]) -> list[str]:
    """Take strays that few gave for no answers; returns a note on them."""
    if not strays or len(rows) < _FEWEST:
        return []
    counts = Counter(v for column in rows for v in column.values)
    answers = sum(n for v, n in counts.items() if v.isdecimal())
    odd = sum(counts[v] for v in strays)
    steps = sorted({int(v) for v in counts if v.isdecimal() and v not in strays})
    top = counts[str(steps[-1])]
    if answers < _ANSWERS or odd > _FEW * answers or top < max(_STEP * answers, _TIMES * odd):
        return []
    having = [column for column in rows if strays & set(column.values)]
    for column in rows:
        column.missing |= strays
    more = f" and {len(having) - _NAMED} more" if len(having) > _NAMED else ""
    names = ", ".join(column.name for column in having[:_NAMED])
    codes = " and ".join(sorted(strays, key=int))
    return [
        f"{names}{more}: {codes} beside {steps[0]} to {steps[-1]}, of {odd:,} of {answers:,}"
        " answers to rows of one scale, is taken for not asked; if it is an answer, move it to"
        " options:"
    ]


def _numbered(columns: Sequence[Column]) -> list[str]:
    """Mark items of a test, 'E1' to 'E10', which hold whole numbers of one scale.

    Other questions may be numbered so, too: one that lacks more than a step is of another scale.
    """
    groups: dict[str, list[Column]] = {}
    notes: list[str] = []
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
        strays = _strays([c for c in members if len(core - held[id(c)]) <= _LACKS]) - core
        rows = [c for c in members if held[id(c)] - strays <= core]
        notes += _without(rows, strays)
        for column in rows:
            own = held[id(column)] - strays
            # Codes begin with the lowest: who lacks it is of the scale, and nobody went so low.
            near = len(core - own) <= _LACKS or str(steps[0]) not in own
            if own and near:
                column.alike = core
    return notes


def _answers(column: Column) -> frozenset[str]:
    # What the file marks as no answer to one row (Qualtrics' -99) is no option of another.
    different = set(column.values) - {"", *column.missing}
    if len(different) > _MOST + 2:
        return frozenset()
    return frozenset(
        v for v in different if v.casefold() not in cells.ABSENT and not labels.nonresponse(v)
    )
