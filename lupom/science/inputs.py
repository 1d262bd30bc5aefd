"""Whatever table a caller holds (Arrow, pandas, polars, a DuckDB relation) as an Arrow table."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pyarrow as pa


def arrow(table: Any) -> pa.Table:
    """Return `table` as an Arrow table.

    Parameters
    ----------
    table : an Arrow table or reader, a pandas or polars frame, or a DuckDB relation; anything that
        speaks the Arrow C stream protocol.

    Raises
    ------
    ValueError : when it is none of these.
    """
    if isinstance(table, pa.Table):
        return table
    if type(table).__module__.split(".")[0] == "pandas":
        return _from_pandas(table)
    if hasattr(table, "__arrow_c_stream__"):
        return pa.table(table)
    raise ValueError(
        f"expected a table (Arrow, pandas, polars or DuckDB), got {type(table).__name__}"
    )


def _from_pandas(frame: Any) -> pa.Table:
    try:
        return pa.Table.from_pandas(frame, preserve_index=False)
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        # A column of mixed Python objects (1, '1', 1.0) has no Arrow type: it goes as text.
        frame = frame.copy()
        for name in frame.columns:
            if frame[name].dtype == object:
                frame[name] = [None if v is None or v != v else str(v) for v in frame[name]]
        return pa.Table.from_pandas(frame, preserve_index=False)


def columns_in(table: Any) -> list[str]:
    """Return the names of a table's columns, whatever kind it is; nothing is read for it."""
    names = getattr(table, "column_names", None)
    return [str(name) for name in (table.columns if names is None else names)]


def require(table: pa.Table, columns: Iterable[str], what: str) -> None:
    """Raise ValueError when `table` lacks one of `columns`; `what` is its name in messages."""
    missing = [name for name in columns if name not in table.column_names]
    if missing:
        raise ValueError(
            f"{what} has no column {', '.join(map(repr, missing))}; "
            f"its columns are {', '.join(map(repr, table.column_names[:40]))}"
        )


def columns_of(table: Any, columns: Iterable[str], what: str = "the table") -> pa.Table:
    """Return some columns of a table, in this order, as an Arrow table.

    Parameters are those of `arrow` and `require`, and so is what is raised.
    """
    names = list(columns)
    if type(table).__module__.split(".")[0] in ("duckdb", "_duckdb") and set(names) <= set(
        table.columns
    ):
        # The other columns of a table of 40 million rows are not read.
        quoted = (name.replace('"', '""') for name in names)
        table = table.project(", ".join(f'"{name}"' for name in quoted))
    whole = arrow(table)
    require(whole, names, what)
    return whole.select(names)
