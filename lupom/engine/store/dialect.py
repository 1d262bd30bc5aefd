"""How CSV is read: as it is written, or not at all.

A column has a type only where every value, written out again, is what stands in the file. An id of
20 digits is not a DOUBLE, and 12E5, 0x10, 007, Yes and 02/01/2024 are text: whoever means a number,
a yes or a date by them says so with `column_types`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lupom.engine.store.names import literal, quoted

if TYPE_CHECKING:
    import duckdb

# The version of these rules, part of what a table read from CSV is: others build it once more.
RULES = "2"

# Rows that a first look takes. It rules out most types of most columns, so that all rows are asked
# about few: of a text column about none.
_LOOK = 1000


def csv_relation(
    paths: list[Path],
    delimiter: str = ",",
    types: Mapping[str, str] | None = None,
    *,
    encoding: str = "utf-8",
) -> str:
    """Return DuckDB's read_csv of some files, one below the other: text but for `types`.

    The dialect is given whole: a sniffer that finds a way to read a torn file loses rows.
    """
    options = [
        f"[{', '.join(literal(escaped(path)) for path in paths)}]",
        "header = true",
        "skip = 0",
        "comment = ''",
        "null_padding = false",
        "ignore_errors = false",
        "strict_mode = true",
        "compression = 'none'",
        f"union_by_name = {'true' if len(paths) > 1 else 'false'}",
        f"encoding = {literal(encoding)}",
        f"delim = {literal(delimiter)}",
        "quote = '\"'",
        "escape = '\"'",
        "sample_size = -1",
        "auto_type_candidates = ['VARCHAR']",
    ]
    if types:
        pairs = ", ".join(f"{literal(k)}: {literal(v)}" for k, v in types.items())
        options.append(f"types = {{{pairs}}}")
    return f"read_csv({', '.join(options)})"


def escaped(path: Path) -> str:
    """Return a path in which DuckDB finds no wildcards."""
    return re.sub(r"([*?\[])", r"[\1]", str(path))


def found_types(cursor: duckdb.DuckDBPyConnection, relation: str) -> dict[str, str]:
    """Return the type of each column of text whose values all come back as they are written.

    Columns that stay text are left out, and so are those that have another type or no value.
    Reads all rows; raises duckdb.Error where they cannot be read.
    """
    described = cursor.execute(f"describe select * from {relation}").fetchall()
    texts = [column[0] for column in described if column[1] == "VARCHAR"]
    look = _left(cursor, f"(from {relation} limit {_LOOK})", dict.fromkeys(texts, _ALL))
    # A column without a value in the first rows may have one below.
    left = _left(cursor, relation, {column: look.get(column, _ALL) for column in texts})
    return {column: left[column][0] for column in texts if left.get(column)}


def _left(
    cursor: duckdb.DuckDBPyConnection, relation: str, candidates: Mapping[str, Sequence[str]]
) -> dict[str, list[str]]:
    """Return, of columns that have a value, the candidate types that none of its values rules out.

    One row a value: hundreds of columns side by side take DuckDB 10 ms a test to plan.
    """
    found: dict[str, list[str]] = {}
    alike: dict[tuple[str, ...], list[str]] = {}
    for column, kinds in candidates.items():
        if kinds:
            alike.setdefault(tuple(kinds), []).append(column)
    for kinds, columns in alike.items():
        tests = ", ".join(f"bool_and(coalesce({_COMES_BACK[kind]}, false))" for kind in kinds)
        names = ", ".join(quoted(column) for column in columns)
        rows = cursor.execute(
            f"select n, {tests} from (unpivot (select {names} from {relation}) on {names}"
            " into name n value v) group by n"
        ).fetchall()
        for column, *answers in rows:
            found[column] = [kind for kind, holds in zip(kinds, answers, strict=True) if holds]
    return found


@dataclass(frozen=True, slots=True)
class Odd:
    """A value (in a row, the first below the header is 1) that makes a column of numbers text."""

    column: str
    row: int
    value: str


def odd_values(
    cursor: duckdb.DuckDBPyConnection, relation: str, columns: Sequence[str]
) -> list[Odd]:
    """Return the first value that does not come back of each text column that has numbers else.

    Numbers are nine in ten of its first values that are not blank. Numbers that nobody calculates
    with, such as 007 and those of more than 15 digits, are none here.
    """
    shares = [f"avg(({_LOOKS.replace('VALUE', quoted(c))})::int) >= 0.9" for c in columns]
    if not shares:
        return []
    (looks,) = cursor.execute(
        f"select {', '.join(shares)} from (from {relation} limit {_LOOK})"
    ).fetchall()
    odd = []
    for column in (c for c, numeric in zip(columns, looks, strict=True) if numeric):
        back = " or ".join(f"coalesce({_COMES_BACK[kind]}, false)" for kind in ("BIGINT", "DOUBLE"))
        found = cursor.execute(
            f"select min(n), arg_min(v, n) from (select row_number() over () as n,"
            f" {quoted(column)} as v from {relation}) where v is not null and not ({back})"
        ).fetchone()
        if found and found[0] is not None:
            odd.append(Odd(column, *found))
    return odd


# What people read as a number.
_LOOKS = r"regexp_full_match(VALUE, '[+-]?(0|[1-9][0-9]{0,14})?(\.[0-9]{1,14})?') and VALUE <> ''"
# Whether a value comes back, by type in order of preference. In a column of fractions 1 is 1.0, and
# 15 digits come back from a DOUBLE whatever they are, if not always in this notation (1e-05). Words
# (nan, infinity, epoch) are neither numbers nor dates.
_COMES_BACK = {
    "BOOLEAN": "v in ('true', 'false')",
    "BIGINT": "try_cast(v as BIGINT)::varchar = v",
    "DOUBLE": r"""case when not isfinite(try_cast(v as DOUBLE)) or v = '-0' then false
        when try_cast(v as DOUBLE)::varchar in (v, v || '.0') then true
        else regexp_full_match(v, '-?(0|[1-9][0-9]*)(\.[0-9]*[1-9])?')
        and length(ltrim(replace(ltrim(v, '-'), '.', ''), '0')) <= 15 end""",
    "DATE": "v between '0' and ':' and try_cast(v as DATE)::varchar = v",
    "TIMESTAMP": "v between '0' and ':' and try_cast(v as TIMESTAMP)::varchar = v",
}
_ALL = list(_COMES_BACK)
