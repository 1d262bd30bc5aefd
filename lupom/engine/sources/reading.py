"""The SQL that reads a source's files, and what is amiss with a file in words."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lupom.engine.errors import SourceError, did_you_mean
from lupom.engine.project.sources import Source
from lupom.engine.store import messages
from lupom.engine.store.dialect import csv_relation, escaped, found_types
from lupom.engine.store.instances import instance
from lupom.engine.store.names import literal, quoted

if TYPE_CHECKING:
    import duckdb

# The version of how JSON is read: what was read otherwise is built once more.
JSON_RULES = "2"
# A table for people has fewer; DuckDB takes minutes over a header of a million.
MOST_COLUMNS = 20_000
_HEADER_BYTES = 1 << 21


def select(source: Source, paths: Sequence[Path], types: Mapping[str, str] | None = None) -> str:
    """Return the SQL relation of a source's files, one below the other where they are several.

    CSV is read as it is written or not at all: a header, one number of fields; columns are text but
    for `types` and the declared ones. A blob is a table of `name` and `content`, one row a file.
    """
    files = "[" + ", ".join(literal(escaped(path)) for path in paths) + "]"
    if source.format == "blob":
        return f"(select parse_filename(filename) as name, content from read_blob({files}))"
    if source.format == "json":
        given = ", ".join(f"{literal(k)}: {literal(v)}" for k, v in (types or {}).items())
        columns = f", columns = {{{given}}}" if given else ""
        # Without it 01-02-2024 would be read as the first of February, whatever it is.
        return f"read_json({files}, dateformat = '%Y-%m-%d'{columns})"
    by_name = "true" if len(paths) > 1 else "false"
    if source.format == "parquet":
        return f"read_parquet({files}, union_by_name = {by_name})"
    reading = source.reading
    return csv_relation(
        list(paths),
        reading.get("delimiter") or ",",
        {**(types or {}), **(reading.get("column_types") or {})},
        encoding=reading.get("encoding") or "utf-8",
    )


def types_of(
    source: Source, paths: Sequence[Path], cursor: duckdb.DuckDBPyConnection | None = None
) -> dict[str, str]:
    """Read a source's files once and return the types of its columns that are not declared.

    Raises SourceError with file and line for what is amiss.
    """
    import duckdb

    for path in paths:
        _look(source, path)
    if source.format == "blob":
        return {}
    relation = select(source, paths)
    try:
        with instance() if cursor is None else nullcontext(cursor) as connection:
            connection.execute(f"select count(columns(*)) from {relation}").fetchall()
            if source.format == "json":
                return _json_types(connection, source, paths)
            if source.format != "csv" or source.reading.get("all_varchar"):
                return {}
            return found_types(connection, relation)
    except duckdb.Error as error:
        raise SourceError(
            f"the source '{source.name}' cannot be read: {_why(source, paths, error)}",
            hint=f"it is {source.place}",
        ) from error


# Whether a value of JSON, as it is written, is not what DuckDB makes of it: an integer too long for
# a DOUBLE, a time that begins with a day or a month (01-02-2024 10:00), a UUID in capitals.
_CHANGED = {
    "DOUBLE": "regexp_full_match(VALUE, '-?[0-9]{16,}')"
    " and try_cast(VALUE::DOUBLE as HUGEINT)::varchar is distinct from VALUE",
    "TIMESTAMP": "not regexp_matches(VALUE, '^[0-9]{4}-')",
    "TIMESTAMP WITH TIME ZONE": "not regexp_matches(VALUE, '^[0-9]{4}-')",
    "UUID": "VALUE::UUID::varchar <> VALUE",
}


# The same within a list or an object, of its JSON: a long number, a time, a UUID somewhere in it.
_CHANGED_WITHIN = {
    "DOUBLE": r"regexp_matches(VALUE, '[\[:,]\s*-?[0-9]{16,}\s*[,\]}]')",
    "TIMESTAMP": """regexp_matches(VALUE, '"[0-9]{1,2}[-/][0-9]{1,2}[-/][0-9]{4}[ T][0-9]')""",
    "UUID": """regexp_matches(VALUE, '"[0-9a-fA-F]{8}-[0-9a-fA-F-]{0,27}[A-F]')""",
}


def _json_types(
    connection: duckdb.DuckDBPyConnection, source: Source, paths: Sequence[Path]
) -> dict[str, str]:
    """Return all columns' types where one is text, as its values would be changed; else {}."""
    relation = select(source, paths)
    described = connection.execute(f"describe select * from {relation}").fetchall()
    types = {column[0]: column[1] for column in described}
    tests: list[tuple[str, str, str]] = []
    for name, kind in types.items():
        if kind in _CHANGED:
            tests.append((name, kind, _CHANGED[kind]))
        elif "(" in kind or "[" in kind:
            within = _CHANGED_WITHIN.items()
            tests += [
                (name, inner, test) for inner, test in within if _as_text(kind, inner) != kind
            ]
    if not tests:
        return {}
    text = select(source, paths, dict.fromkeys((name for name, *_ in tests), "VARCHAR"))
    found = [f"bool_or({test.replace('VALUE', quoted(name))})" for name, _, test in tests]
    (changed,) = connection.execute(f"select {', '.join(found)} from {text}").fetchall()
    for (name, kind, _), lost in zip(tests, changed, strict=True):
        if lost:
            types[name] = _as_text(types[name], kind)
    return types if any(changed) else {}


def _as_text(kind: str, inner: str) -> str:
    """Return a type with text in the place of another within it; a field's name stays."""
    return re.sub(rf"\b{inner}( WITH TIME ZONE)?(?=[\[\],)]|$)", "VARCHAR", kind)


def _look(source: Source, path: Path) -> None:
    """Refuse at a glance what DuckDB would read as nothing, or read for minutes."""
    if source.format == "blob":
        return
    if not path.stat().st_size:
        raise SourceError(
            f"the source '{source.name}' cannot be read: {path.name} is empty",
            hint=f"it is {source.place}",
        )
    if source.format == "csv":
        with path.open("rb") as file:
            header = file.readline(_HEADER_BYTES)
        delimiter = (source.reading.get("delimiter") or ",").encode()
        columns = header.count(delimiter) + 1
        if columns > MOST_COLUMNS:
            raise SourceError(
                f"the source '{source.name}' cannot be read: {path.name} has {columns:,} columns "
                f"or more, and {MOST_COLUMNS:,} are the most",
                hint=f"it is {source.place}",
            )


def _why(source: Source, paths: Sequence[Path], error: BaseException) -> str:
    """Say in a line what DuckDB says in twenty."""
    message, short = str(error), messages.first_line(error)
    if source.format != "csv":
        return short
    unknown = re.search(r'column\(s\) named "?(.+?)"? (?:that|not|in)', message)
    types = source.reading.get("column_types") or {}
    for path in paths:
        try:
            header = next(_rows(source, path), [])
        except (OSError, ValueError, csv.Error):
            header = []
        missing = [name for name in types if name not in header]
        if missing and (unknown or "COLUMN_TYPES" in message.upper()):
            near = did_you_mean(missing[0], header)
            return f"{path.name} has no column '{missing[0]}' (column_types)" + (
                f"; {near}" if near else ""
            )
        fault = _torn(source, path)
        if fault:
            return f"{path.name}, {fault}"
    line = re.search(r"CSV Error on Line: (\d+)", message)
    if line:
        rows = [row.strip() for row in messages.lines(error).splitlines()[1:]]
        told = [r for r in rows if not r.startswith(("Original Line", "Possible", "file ="))]
        return f"line {line[1]}: {told[0] if told else short}"
    return short


def _torn(source: Source, path: Path) -> str | None:
    """Return the first line that is not a row of its header's length, or no text at all."""
    number = 0
    try:
        width = None
        for number, row in enumerate(_rows(source, path), start=1):
            if width is None:
                width = len(row)
            elif row and len(row) != width:
                return f"row {number}: {len(row)} fields where the header has {width}"
    except UnicodeDecodeError as error:
        encoding = source.reading.get("encoding") or "utf-8"
        other = "latin-1" if encoding == "utf-8" else "utf-8"
        return (
            f"after row {number}: byte 0x{error.object[error.start]:02x} is not {encoding} text; "
            f"save it as UTF-8, or try 'encoding: {other}'"
        )
    except csv.Error as error:
        return f"row {number + 1}: {error}; is a quote left open?"
    return None


def _rows(source: Source, path: Path) -> Iterator[list[str]]:
    encoding = source.reading.get("encoding") or "utf-8"
    reader: Any
    with path.open(encoding=encoding, newline="") as file:
        reader = csv.reader(file, delimiter=source.reading.get("delimiter") or ",", strict=True)
        yield from reader
