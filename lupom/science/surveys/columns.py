"""What a file of survey data says, in one form for every format: columns of text, with labels."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from lupom.science.surveys import labels

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


def gather(file: File) -> File:
    """Return the file with its "select all that apply" columns read as such.

    They are at least two columns of one prefix (Q5_1, Q5_2) that hold one value or nothing: the
    value is "selected"; or that hold 1 and 0 without labels: 1 is "selected". Each is given the
    labels '1' Selected and '0' Not selected.
    """
    _zeros_and_ones(file)
    groups: dict[str, list[Column]] = {}
    for column in file.columns:
        held = set(column.values) - {""}
        if len(held) == 1 and not column.group and not column.why:
            found = prefix(column.name)
            if found is None and (word := _BY_WORD.fullmatch(column.name)):
                said = column.labels.get(value := held.pop(), value)
                # Its one value is its name's last word, or a cross.
                found = word[1] if said.casefold() in (word[2].casefold(), *_CHECKED) else None
            if found:
                groups.setdefault(found, []).append(column)
    for start, members in groups.items():
        if len(members) < 2 or not all("" in c.values for c in members):
            continue
        values = [(set(c.values) - {""}).pop() for c in members]
        texts = [c.labels.get(v, v) for c, v in zip(members, values, strict=True)]
        told = [t.casefold() not in _CHECKED for t in texts]
        if any(told) and len(set(texts)) < len(texts):
            continue  # rows of a matrix that everyone answered alike
        for column, choice, says in zip(members, texts, told, strict=True):
            if says:
                text = column.label or start
                column.label = text if choice in text else f"{text}: {choice}"
            column.values = ["1" if v else "" for v in column.values]
            column.labels = dict(SELECTED)
            column.missing, column.group = frozenset(), start
        file.notes.append(
            f"{members[0].name} to {members[-1].name} hold one value or nothing: read as "
            f"choices of a question where several count"
        )
    fill(file.columns)
    prefixes = {c.group for c in file.columns if c.group}
    for column in file.columns:
        if column.name in prefixes and not column.group and not column.why:
            column.why = "made of other columns"
        if not (column.labels or column.why or column.group) and several(column.values):
            column.why = SEVERAL
    return file


def several(values: Iterable[str]) -> bool:
    """Say whether cells list choices: 'Tea;Coffee', 'Coffee', 'Tea|Milk', 'Tea, Milk', '1 3 5'.

    Most of what stands between the signs occurs in other cells, too; and with commas, which texts
    have of their own, some cell joins two others: unlike 'Agree, strongly' beside 'Agree'.
    """
    different = {v.strip("; ") for v in values} - {""}
    codes = all(_CODES.fullmatch(v) for v in different)
    for sign in (";", "|", ",", *([" "] if codes else [])):
        lists = {v for v in different if sign in v}
        if len(lists) < 2:
            continue
        parts = [{p.strip() for p in v.split(sign)} for v in different]
        counts = Counter(part for listed in parts for part in listed)
        again = sum(n for n in counts.values() if n > 1)
        if again >= 0.8 * counts.total() and (
            any(counts[v] for v in different - lists)
            if sign in ";|"
            else any(_joins(v, different) for v in lists)
        ):
            return True
    return False


_CODES = re.compile(r"\d{1,2}(?: \d{1,2})*")


def _joins(value: str, others: set[str]) -> bool:
    """Say whether a cell is two other cells with a comma, or a space, between."""
    commas = [i for i, sign in enumerate(value) if sign in ", "]
    return any(value[:i] in others and value[i + 1 :].strip() in others for i in commas)


def _zeros_and_ones(file: File) -> None:
    """Read columns of one prefix that hold 0 and 1, unlabelled, as choices that several can be."""
    groups: dict[str, list[Column]] = {}
    for column in file.columns:
        found = prefix(column.name)
        held = set(column.values) - {""} - column.missing
        told = {labels.nonresponse(label) for label in column.labels.values()}
        if (
            found
            and not column.group
            and not column.why
            and held <= {"0", "1"}
            and None not in told
        ):
            groups.setdefault(found, []).append(column)
    for start, members in groups.items():
        # One value in all of them says nothing of what the others of a pair mean.
        if len(members) < 2 or not any({"0", "1"} <= set(c.values) for c in members):
            continue
        for column in members:
            column.labels, column.group = {**SELECTED, **column.labels}, start
        file.notes.append(
            f"{members[0].name} to {members[-1].name} hold 0 and 1: read as choices of a question "
            f"where several count, 1 selected"
        )


SEVERAL = "several choices in a cell; a column for each would be read as such"
SELECTED = {"1": "Selected", "0": "Not selected"}
# A column of a question that has several: Q5_1; LimeSurvey's 'Q5[SQ001]. Which?', and Google's and
# its own 'Which? [Tea]', Kobo's assets/radio, REDCap's 'Which? (choice=Tea)'.
_CODED = re.compile(r"(\w+)\[\w+\]\. .*")
_MEMBER = re.compile(
    r"(.+?)(?:[_.](?:[A-Za-z]|\d{1,3})|\s*\[[^\[\]]+\]|/[^/]+|\s*\(choice=.+\))", re.DOTALL
)
# The same by a word, of which more is asked: brand_Nike, 'Which? - Nike'.
_BY_WORD = re.compile(r"(.+)(?:_|: | - )([^_]+)")
_CHECKED = ("1", "yes", "x", "true", "selected", "checked")


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
