"""Whatever table a caller holds (Arrow, pandas, polars, a DuckDB relation) as an Arrow table."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
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
    if _of_duckdb(table) and set(names) <= set(table.columns):
        # The other columns of a table of 40 million rows are not read.
        table = table.project(", ".join(map(_quoted, names)))
    whole = arrow(table)
    require(whole, names, what)
    return whole.select(names)


class Rows:
    """A table whose rows and columns are read when they are asked for.

    A relation of DuckDB stays where it is until then: of a million people its 40 million rows of
    persona values are 3 GB in memory.

    Parameters
    ----------
    table : as for `arrow`.
    columns : that must be there.

    Raises
    ------
    ValueError : as `arrow` and `require` do.
    """

    def __init__(self, table: Any, columns: Iterable[str] = ()) -> None:
        self._table = table if _of_duckdb(table) else arrow(table)
        self.columns = columns_in(self._table)
        if not set(columns) <= set(self.columns):
            require(arrow(table), columns, "the table")

    def of(self, column: str, value: str) -> Rows:
        """Return the rows with a value in a column of texts."""
        if _of_duckdb(self._table):
            said = "'" + value.replace("'", "''") + "'"
            return Rows(self._table.filter(f"{_quoted(column)} = {said}"))
        import pyarrow.compute as pc

        mine = pc.fill_null(pc.equal(self._table[column], value), False)
        # Most tables are of one survey, of which a copy would be as large again.
        whole = pc.all(mine, min_count=0).as_py()
        return self if whole else Rows(self._table.filter(mine))

    def read(self, columns: Iterable[str] | None = None) -> pa.Table:
        """Return some columns as an Arrow table, or all of them."""
        return arrow(self._table) if columns is None else columns_of(self._table, columns)

    def parts(self, columns: Iterable[str], rows: int = 1_000_000) -> Iterator[pa.Table]:
        """Yield some columns of some rows at a time; in between nothing else may be read."""
        names = list(columns)
        if not _of_duckdb(self._table):
            whole = self.read(names)
            for start in range(0, len(whole), rows):
                yield whole.slice(start, rows)
            return
        require(pa.table({name: [] for name in self.columns}), names, "the table")
        relation = self._table.project(", ".join(map(_quoted, names)))
        for batch in relation.to_arrow_reader(rows):
            yield pa.Table.from_batches([batch])

    def distinct(self, column: str) -> list[Any]:
        """Return the values of a column, each once, in no order."""
        if _of_duckdb(self._table):
            found = self._table.project(_quoted(column)).distinct().fetchall()
            return [value for (value,) in found]
        return list(self._table[column].unique().to_pylist())


def _of_duckdb(table: Any) -> bool:
    return type(table).__module__.split(".")[0] in ("duckdb", "_duckdb") and hasattr(
        table, "project"
    )


def _quoted(name: str) -> str:
    escaped = name.replace('"', '""')
    return f'"{escaped}"'
