"""Answers in a table of Markdown: a row for each of several, or one row, or a line for each field.

A table with a header says which of its columns is the answer, so a reason beside it is no trouble.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from lupom.engine.llm.lenient import NAMES, key_of, plain
from lupom.engine.llm.unlabelled import is_about_others

_RULE = re.compile(r"[ \t|:+-]*-[ \t|:+-]*")
_PARTED = re.compile(r"(?<!\\)\|")
_OF_LABEL = re.compile(r"(?:[^\W\d]{1,12}\.?)?[\s#.]{0,3}(\d{1,4})\W{0,3}")
# A header of two columns under which each line is a field of the one answer.
_KEYS = frozenset({"field", "key", "name", "property", "item"})
_ODDS = re.compile(r"probab|likel|chance|percent|confiden|share|score|%", re.IGNORECASE)
_MOST_LINES = 2000


@dataclass(frozen=True, slots=True)
class _Table:
    header: Sequence[str]
    rows: Sequence[Sequence[str]]


def rows_in(text: str, labels: Sequence[str], fields: Collection[str]) -> dict[str, dict[str, str]]:
    """Return the row of a text's one table for each label, as an object by its header; {} where it
    has no such table, or not one row for each.

    Whose a row is says its first cell (`r1`, `1`, `Row 1`), in any order. A table whose first cells
    are no labels has its rows in theirs.
    """
    table = _only_table(text)
    if table is None or len(table.rows) != len(labels):
        return {}
    objects = [dict(zip(table.header, row, strict=True)) for row in table.rows]
    if not _names_answer(table.header, fields):
        return {}
    named = [_OF_LABEL.fullmatch(row[0]) for row in table.rows]
    if not all(named) or _names_answer(table.header[:1], fields):
        # A table of options and how likely each is has as many rows as it likes.
        other = any(named) or any(_ODDS.search(name) for name in table.header)
        return {} if other else dict(zip(labels, objects, strict=True))
    first = table.header[0]
    out = {
        f"r{int(match[1])}": {name: cell for name, cell in one.items() if name != first}
        for match, one in zip(named, objects, strict=True)
        if match is not None
    }
    return out if out.keys() == set(labels) else {}


def row_in(text: str, fields: Collection[str]) -> dict[str, str] | None:
    """Return the one row of a text's one table as an object by its header, or its lines where each
    is a field; None where it has no such table."""
    table = _only_table(text)
    if table is None:
        return None
    if len(table.rows) == 1 and _names_answer(table.header, fields):
        return dict(zip(table.header, table.rows[0], strict=True))
    if len(table.header) == 2 and plain(table.header[0]) in _KEYS:
        found = {row[0]: row[1] for row in table.rows}
        if len(found) == len(table.rows) and _names_answer(list(found), fields):
            return found
    return None


def _names_answer(names: Sequence[str], fields: Collection[str]) -> bool:
    """Tell whether one of some names is that of an answer."""
    if any(plain(name) in NAMES for name in names):
        return True
    return any(key_of(field, dict.fromkeys(names), ()) is not None for field in fields)


def _only_table(text: str) -> _Table | None:
    """Return the one table of a text whose rows all have as many cells as its header."""
    lines = [line.strip() for line in text.splitlines()[:_MOST_LINES]]
    rules = [
        place
        for place, line in enumerate(lines)
        if place and "|" in line and _RULE.fullmatch(line) and "|" in lines[place - 1]
    ]
    if len(rules) != 1:
        return None
    if is_about_others("\n".join(lines[: rules[0] - 1])):
        return None
    header = _cells(lines[rules[0] - 1])
    rows = []
    for line in lines[rules[0] + 1 :]:
        if "|" not in line:
            break
        rows.append(_cells(line))
    if not rows or any(len(row) != len(header) for row in rows):
        return None
    return _Table(header, rows) if 1 < len(header) == len(set(header)) else None


def _cells(line: str) -> list[str]:
    inner = line.removeprefix("|").removesuffix("|")
    return [cell.replace("\\|", "|").strip(" \t*_`\"'") for cell in _PARTED.split(inner)]
