"""Codes without a label that a file uses for no answer throughout: ESS's 77, 88, 99 and 7, 8, 9."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from lupom.science.surveys import cells
from lupom.science.surveys.columns import Column

_ONE_DIGIT = {7, 8, 9}
_SPECIAL = _ONE_DIGIT | {66, 77, 88, *range(96, 100)}
# A scale has at least so many steps and at most so many, beside at most so many codes.
_FEWEST, _MOST, _CODES = 2, 12, 4
# Of one digit they are so few of a column's cells, of so many cells in the file.
_FEW, _CELLS = 0.15, 100
_COLUMNS, _NAMED = 2, 3


def mark(columns: Sequence[Column]) -> list[str]:
    """Take codes that stand apart from scales in several columns for no answers; returns notes.

    77, 88 and 99 are such in two columns. 7, 8 and 9, which end scales of their own, are where few
    gave them and they stand apart from scales of different length, or 77 and the like do, too.
    """
    found = {id(c): told for c in columns if (told := _apart(c)) is not None}
    ends: dict[int, list[int]] = {}
    cells_ = 0
    for last, codes, count in found.values():
        cells_ += count
        for code in codes:
            # Of a scale of seven steps nobody may have taken the sixth.
            if code != 7 or last < 5:
                ends.setdefault(code, []).append(last)
    long = {c for c, at in ends.items() if c not in _ONE_DIGIT and len(at) >= _COLUMNS}
    short = {
        c
        for c, at in ends.items()
        if c in _ONE_DIGIT and len(at) >= _COLUMNS and (long or len(set(at)) > 1)
    }
    # Where 77 is one, 66 in one column is, too.
    long = (ends.keys() - _ONE_DIGIT) if long else set()
    agreed = long | (short if cells_ >= _CELLS else set())
    marked: dict[tuple[int, ...], list[str]] = {}
    for column in columns:
        if id(column) not in found:
            continue
        key = tuple(sorted(found[id(column)][1] & agreed))
        if key:
            column.missing |= {str(c) for c in key}
            marked.setdefault(key, []).append(column.name)
    if not marked:
        return []
    names = [name for told in marked.values() for name in told]
    more = f" and {len(names) - _NAMED:,} more" if len(names) > _NAMED else ""
    said = ", ".join(map(str, sorted({c for told in marked for c in told})))
    return [
        f"{', '.join(names[:_NAMED])}{more}: {said} stand apart from scales of several columns, and"
        " are taken for not asked; if one is an answer, move it to options:"
    ]


def _apart(column: Column) -> tuple[int, set[int], int] | None:
    """Return the last step of a column's scale, the codes beyond it, and how many cells it has."""
    if column.labels or column.why or column.group or column.known or column.alike:
        return None
    counts = Counter(v for v in column.values if v and v.casefold() not in cells.ABSENT)
    counts = Counter({v: n for v, n in counts.items() if v not in column.missing})
    if len(counts) > _MOST + _CODES or not all(map(str.isdecimal, counts)):
        return None
    numbers = sorted(map(int, counts))
    run = [n for i, n in enumerate(numbers) if n == numbers[0] + i]
    if not _FEWEST <= len(run) <= _MOST or numbers[0] > 1:
        return None
    codes = set()
    for number in numbers[len(run) :]:
        few = counts[str(number)] <= _FEW * counts.total()
        if number in _SPECIAL and number >= run[-1] + 2 and (few or number not in _ONE_DIGIT):
            codes.add(number)
    return (run[-1], codes, counts.total()) if codes else None
