"""What a file of survey data says, in one form for every format: columns of text, with labels."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

# The widest public surveys have some 7,000 columns; far more is a damaged or transposed file.
MOST_COLUMNS = 20_000


@dataclass
class Column:
    """A column of a file.

    Attributes
    ----------
    name : as the file has it.
    values : one text a row, '' where blank; a number is written in one way ('1', never '1.0').
    label : the question's wording, '' if the file has none.
    labels : text by code, in the file's order; empty where it has none.
    missing : codes that the file marks as missing.
    measure : 'nominal', 'ordinal' or 'scale' where the file says so, else ''.
    group : the question of several columns ("select all that apply") it belongs to, else ''.
    why : why it can be no question and no attribute, '' if it can.
    """

    name: str
    values: list[str]
    label: str = ""
    labels: dict[str, str] = field(default_factory=dict)
    missing: frozenset[str] = frozenset()
    measure: str = ""
    group: str = ""
    why: str = ""


@dataclass
class File:
    """A file of survey data: its name, its columns, and what was noticed while it was read."""

    name: str
    columns: list[Column]
    notes: list[str] = field(default_factory=list)

    @property
    def rows(self) -> int:
        return len(self.columns[0].values) if self.columns else 0


def check(file: File) -> File:
    """Return the file; raises ValueError where it has no rows, or columns without end or twice."""
    if not file.columns:
        raise ValueError(f"{file.name}: there are no columns")
    check_width(len(file.columns), file.name)
    seen: dict[str, str] = {}
    for column in file.columns:
        # DuckDB's names are the same in upper and lower case.
        if column.name.casefold() in seen:
            raise ValueError(
                f"{file.name}: the columns {seen[column.name.casefold()]!r} and {column.name!r} "
                f"have the same name; rename one"
            )
        seen[column.name.casefold()] = column.name
    if not file.rows:
        raise ValueError(f"{file.name}: there are columns but no rows")
    return file


def check_width(count: int, name: str) -> None:
    """Raise ValueError for more columns than a survey has."""
    if count > MOST_COLUMNS:
        raise ValueError(
            f"{name}: {count:,} columns, more than the {MOST_COLUMNS:,} a survey may have; "
            f"a respondent is a row and a question is a column"
        )


def slug(text: str, *, longest: int = 40) -> str:
    """Return a name made of a text's letters and digits: 'Wave 34 (final)' is 'wave_34_final'."""
    words = re.findall(r"[^\W_]+", text.casefold())
    out = ""
    for word in words:
        if out and len(out) + len(word) + 1 > longest:
            break
        out = f"{out}_{word}" if out else word[:longest]
    return out


def unique(name: str, taken: Iterable[str]) -> str:
    """Return the name, with a number where it is taken."""
    used = {t.casefold() for t in taken}
    out, number = name, 2
    while out.casefold() in used:
        out, number = f"{name}_{number}", number + 1
    return out
