"""Which column has the ids of people, and whether a row is a person."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence

from lupom.science.surveys import languages
from lupom.science.surveys.columns import Column, File, slug

_ID = re.compile(
    r"qkey|(?:resp(?:ondent)?|case|person|participant|subject|user|worker|panelist|prolific|record)"
    r"_?(?:id|no|nr|num|number|pid|code)|(?:participant|panelist|proband|vp)(?:_?(?:code|nr))?|#|resp(?:on(?:se|dent))?(?:_?id)?|(?:\w+_)?id|uuid|caseid|respid|pid|serial(?:_?no)?"
    r"|index|idno|d_interview|interview_?(?:id|no|nr|num|number)|uniq(?:ue)?_?id|resp?num|hhid|persid|participant\.code|instance_?id|seqn|seed|id_(?:de_(?:la_)?)?(?:reponse|respuesta|resposta)|antwort_?id",
    re.IGNORECASE,
)
_ROWS_OF_ANY = 100
# Rows a person may have, on average, and fewer people than these: a code such as PID, party id.
_ROWS, _PEOPLE = 20, 12
# What counts rows, where they are counted in order.
_RUNNING = re.compile(
    r"(?:(?:.+_)?(?:no|nr|num|number|nummer|n|id|idx|index|row|seq|case|fall|obs|unnamed|0))?"
    r"|lfdn|sequence|serial|student|pupil|employee|patient|participant|respondent|subject|person"
    r"|user|member|customer|child|household|teilnehmer(?:in)?|proband(?:in)?|befragter?"
)
# What says to which question an answer is, where a row is one.
_ITEM = re.compile(
    r"(?:question|item|variable|field|frage|pregunta|stim(?:ul(?:us|i))?|trial|statement|vignette"
    r"|scenario|post|picture|image|video|product|prompt|sentence)s?(?:_?(?:id|code|name|key|text|number|no))?|qid"
)


def find(columns: Sequence[Column]) -> Column | None:
    """Return the column of ids: the first named as one in which nobody's is blank or another's."""
    named = [c for c in columns if is_id(c) and any(c.values)]
    complete = [c for c in named if all(c.values) and len(set(c.values)) == len(c.values)]
    # A column named as an id is one even with a fault in it, which is told when it is used.
    for found in (complete, [c for c in named if len(set(c.values)) > len(c.values) / 2]):
        if found:
            return min(found, key=lambda c: (c.name.casefold() == "index", columns.index(c)))
    return None


def is_id(column: Column) -> bool:
    """Say whether a column is named as one of ids."""
    if column.labels or _is_code(column):
        return False
    # LimeSurvey writes 'id. Response ID', Kobo _id.
    code = re.match(r"(\w+)\. ", column.name)
    apart = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", column.name)  # instanceID
    names = (
        *("_".join(name.split()).lstrip("_") for name in (column.name, apart)),
        "_".join(languages.unaccented(column.name).split()),
        code[1] if code else "",
    )
    return any(_ID.fullmatch(name) for name in names)


def _is_code(column: Column) -> bool:
    """Say whether a column with the name of ids holds answers: a handful, or "response" twice."""
    different = set(column.values) - {""}
    if slug(column.name) == "response":
        return 0 < len(different) < sum(map(bool, column.values))
    return 0 < len(different) <= _PEOPLE and len(column.values) >= _ROWS * len(different)


def repeated(file: File) -> tuple[Column, int] | None:
    """Return a column of ids that people have several rows of, and how many people they are."""
    for column in file.columns:
        people = len(set(column.values))
        if is_id(column) and all(column.values) and 2 <= people <= file.rows / 2:
            return column, people
    return None


def long(file: File, ids: Column, people: int) -> Column | None:
    """Return the column that says to which question an answer is, where a row is an answer."""
    for column in file.columns:
        items = set(column.values)
        if column is ids or column.labels or "" in items or not 2 <= len(items) <= file.rows / 4:
            continue
        if len(set(zip(ids.values, column.values, strict=True))) < file.rows:
            continue
        named = _ITEM.fullmatch(slug(column.name)) is not None
        worded = not any(re.match(r"[+-]?\d", v) for v in items)
        if named or (worded and len(file.columns) <= 4 and file.rows >= 1.5 * people):
            return column
    return None


def is_running(column: Column) -> bool:
    """Say whether a column of ids is one that programs write: the first without a name, 'index'."""
    return re.fullmatch(r"index|unnamed.*|row_?names?|row|x1?|", slug(column.name)) is not None


def counts(column: Column) -> bool:
    """Say whether a column counts the rows, of ten or more: whole numbers one after the other.

    Of a hundred rows no answers do that, whatever the column is called. What programs call rows of
    which some were taken out still rises.
    """
    values = column.values
    if column.labels or len(values) < 10 or not all(v.isdecimal() for v in values):
        return False
    numbers = [int(v) for v in values]
    if numbers == list(range(numbers[0], numbers[0] + len(numbers))):
        return len(numbers) >= _ROWS_OF_ANY or _RUNNING.fullmatch(slug(column.name)) is not None
    return is_running(column) and all(a < b for a, b in itertools.pairwise(numbers))
