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
    why : why it can be neither a question nor an attribute, '' if it can.
    known : whether it was known of the person before they answered (Qualtrics' embedded data).
    alike : what the other rows of its grid hold: options, if nobody gave them here.
    """

    name: str
    values: list[str]
    label: str = ""
    labels: dict[str, str] = field(default_factory=dict)
    missing: frozenset[str] = frozenset()
    measure: str = ""
    group: str = ""
    why: str = ""
    known: bool = False
    alike: frozenset[str] = frozenset()


@dataclass
class File:
    """A file of survey data: its name, its columns, and what was noticed while it was read.

    `title` and `language` are the survey's, '' where the file does not say them. `lines` has the
    line of a text file in which each row begins, `head` a first row that was taken for wordings.
    `encoding` is that of its texts where it was told by their bytes.
    """

    name: str
    columns: list[Column]
    notes: list[str] = field(default_factory=list)
    title: str = ""
    language: str = ""
    lines: list[int] = field(default_factory=list)
    head: list[str] = field(default_factory=list)
    encoding: str = ""

    @property
    def rows(self) -> int:
        return len(self.columns[0].values) if self.columns else 0


SELECTED = {"1": "Selected", "0": "Not selected"}
# A column of a question that has several: Q5_1; LimeSurvey's 'Q5[SQ001]. Which?', and Google's and
# its own 'Which? [Tea]', Kobo's assets/radio, REDCap's 'Which? (choice=Tea)'.
_CODED = re.compile(r"(\w+)\[\w+\]\. .*")
_MEMBER = re.compile(
    r"(.+?)(?:[_.](?:[A-Za-z]|\d{1,3})|\s*\[[^\[\]]+\]|/[^/]+|\s*\(choice=.+\))", re.DOTALL
)


def prefix(name: str) -> str | None:
    """Return what a column that may be a choice of a question has in common with the others."""
    found = _CODED.fullmatch(name) or _MEMBER.fullmatch(name)
    return found[1] if found else None


def fill(columns: Iterable[Column]) -> None:
    """Tell 'not selected' from 'not asked': blank beside a selected choice is the first."""
    groups: dict[str, list[Column]] = {}
    for column in columns:
        if column.group:
            groups.setdefault(column.group, []).append(column)
    for members in groups.values():
        if any("0" in c.values for c in members):
            continue  # the file says itself what was not selected
        asked = [any(cells) for cells in zip(*(c.values for c in members), strict=True)]
        for column in members:
            pairs = zip(column.values, asked, strict=True)
            column.values = [value or ("0" if some else "") for value, some in pairs]


def check(file: File) -> File:
    """Return the file; raises ValueError where it has no rows, or columns without end or twice."""
    if not file.columns:
        raise ValueError(f"{file.name}: there are no columns")
    check_width(len(file.columns), file.name)
    seen: dict[str, str] = {}
    for column in file.columns:
        if len(column.values) != file.rows:
            raise ValueError(
                f"{file.name}: the column {column.name!r} has {len(column.values):,} values, and "
                f"{file.columns[0].name!r} has {file.rows:,}"
            )
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
