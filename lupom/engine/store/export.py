"""Writes a relation of the store to a file: Parquet, CSV, JSON lines, SPSS or Stata."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from lupom.engine.errors import StoreError
from lupom.engine.files import replacing
from lupom.engine.store import labelled
from lupom.engine.store.labelled import Meaning
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
FORMATS = (*_COPY, *labelled.FORMATS)


def write(
    cursor: duckdb.DuckDBPyConnection,
    name: str,
    file: Path,
    form: str,
    *,
    meanings: Mapping[str, Meaning] | None = None,
    title: str = "",
    gaps: pd.DataFrame | None = None,
    spreadsheet_safe: bool = False,
) -> int:
    """Write a relation to a file, all of it or nothing; returns the number of rows.

    Parameters
    ----------
    form : one of FORMATS. Lists and maps are JSON text in CSV, SPSS and Stata.
    meanings, title, gaps : what SPSS and Stata show of each column, of the file, and of empty
        cells, see `labelled.write`.
    spreadsheet_safe : whether text in CSV that could be a formula gets an apostrophe before it.

    Raises
    ------
    StoreError : where the file cannot be written, or SPSS or Stata cannot hold the table.
    """
    try:
        with replacing(file) as part:
            if form in labelled.FORMATS:
                frame = cursor.sql(_plain(cursor, name)).df()
                labelled.write(
                    frame, part, form, name, meanings=meanings or {}, title=title, gaps=gaps
                )
                return len(frame)
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
