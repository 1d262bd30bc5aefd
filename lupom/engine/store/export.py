"""Writes a relation of the store to a file: Parquet, CSV, JSON lines or SPSS."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lupom.engine.errors import StoreError
from lupom.engine.files import replacing
from lupom.engine.store.names import literal, quoted
from lupom.engine.store.spreadsheets import safe, safe_sql

if TYPE_CHECKING:
    import duckdb
    import pandas as pd

_COPY = {
    "parquet": "format parquet, compression zstd",
    "csv": "format csv, header true",
    "jsonl": "format json",
}
FORMATS = (*_COPY, "sav")

# What SPSS takes: text of at most so many bytes, and names of at most 64.
_TEXT, _NAME = 32_767, 64


def write(
    cursor: duckdb.DuckDBPyConnection,
    name: str,
    file: Path,
    form: str,
    *,
    labels: Mapping[str, str] | None = None,
    title: str = "",
    spreadsheet_safe: bool = False,
) -> int:
    """Write a relation to a file, all of it or nothing; returns the number of rows.

    Parameters
    ----------
    form : one of FORMATS. Lists and maps are JSON text in CSV and SPSS.
    labels, title : what SPSS shows of each column, and of the file.
    spreadsheet_safe : whether text in CSV that could be a formula gets an apostrophe before it.

    Raises
    ------
    StoreError : where the file cannot be written, or SPSS cannot hold the table.
    """
    try:
        with replacing(file) as part:
            if form == "sav":
                return _sav(cursor, name, part, labels or {}, title)
            select = f"from {quoted('main', name)}"
            if form == "csv":
                select = _plain(cursor, name, spreadsheet_safe)
            ((rows,),) = cursor.execute(
                f"copy ({select}) to {literal(part)} ({_COPY[form]})"
            ).fetchall()
            return int(rows)
    except OSError as error:
        raise StoreError(f"cannot write {file}: {error.strerror or error}") from error


def _plain(cursor: duckdb.DuckDBPyConnection, name: str, spreadsheet_safe: bool = False) -> str:
    """Return a select in which lists, maps and structs are JSON text, which is never a formula."""
    columns = []
    for column, kind, *_ in cursor.execute(f"describe {quoted('main', name)}").fetchall():
        nested = kind.endswith("]") or kind.startswith(("MAP(", "STRUCT("))
        text = f"to_json({quoted(column)})::varchar" if nested else quoted(column)
        if spreadsheet_safe and kind.startswith(("VARCHAR", "ENUM")) and not nested:
            text = safe_sql(f"{text}::varchar")
        shown = safe(column) if spreadsheet_safe else column
        columns.append(f"{text} as {quoted(shown)}")
    return f"select {', '.join(columns)} from {quoted('main', name)}"


def _sav(
    cursor: duckdb.DuckDBPyConnection,
    name: str,
    file: Path,
    labels: Mapping[str, str],
    title: str,
) -> int:
    try:
        import pyreadstat
    except ImportError as error:
        raise StoreError(
            "writing SPSS files needs pyreadstat", hint="pip install 'lupom[files]'"
        ) from error

    frame: pd.DataFrame = cursor.sql(_plain(cursor, name)).df()
    names = _spss_names(list(frame.columns))
    for column in frame.columns:
        if frame[column].dtype == bool:
            frame[column] = frame[column].astype(int)
        elif frame[column].dtype == object:
            frame[column] = [_text(value) for value in frame[column]]
    shown = [labels.get(c) or (c if names[c] != c else "") for c in frame.columns]
    frame = frame.rename(columns=names)
    try:
        pyreadstat.write_sav(
            frame, str(file), file_label=title[:64], column_labels=[s[:256] or None for s in shown]
        )
    except (pyreadstat.PyreadstatError, pyreadstat.ReadstatError, ValueError) as error:
        raise StoreError(f"SPSS cannot hold '{name}': {error}") from error
    return len(frame)


def _spss_names(columns: list[str]) -> dict[str, str]:
    """Return a name SPSS allows for each column, each once: letters, digits, '_', 64 at most."""
    names: dict[str, str] = {}
    taken: set[str] = set()
    for column in columns:
        kept = "".join(c if c.isalnum() or c == "_" else "_" for c in column)
        kept = kept if kept[:1].isalpha() else f"V{kept}"
        name, number = kept[:_NAME], 1
        while name.lower() in taken:
            number += 1
            name = f"{kept[: _NAME - 4]}_{number}"
        taken.add(name.lower())
        names[column] = name
    return names


def _text(value: Any) -> Any:
    if value is None or isinstance(value, int | float):
        return value
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    return text.encode("utf-8")[:_TEXT].decode("utf-8", "ignore")
