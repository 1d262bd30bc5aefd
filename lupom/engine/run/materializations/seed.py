"""Seeds: CSV files of the project as typed tables."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TYPE_CHECKING

from lupom.engine.errors import ModelError, did_you_mean
from lupom.engine.project.nodes import Node
from lupom.engine.run.context import Context
from lupom.engine.store.dialect import csv_options
from lupom.engine.store.duck import TableRecord
from lupom.engine.store.names import literal, quoted

if TYPE_CHECKING:
    import duckdb


def build(context: Context, node: Node, record: TableRecord) -> TableRecord:
    """Read a CSV file into a table: a header, types found in all of its rows, '' as NULL.

    Raises ModelError, with the file, for CSV that does not parse and for a column that
    `column_types` names and the file has not.
    """
    import duckdb

    relation = quoted("main", node.name)
    types = node.config.get("column_types") or {}
    all_varchar = len(types) == 1 and types.get("*", "").upper() == "VARCHAR"
    if "*" in types and not all_varchar:
        raise ModelError(
            f"column_types: '*' can only be VARCHAR, and alone, not {types}", file=node.file
        )
    options = csv_options(
        node.config.get("delimiter", ","),
        None if all_varchar else types,
        all_varchar=all_varchar,
    )
    select = f"select * from read_csv({', '.join([literal(node.path), *options])})"

    def load(cursor: duckdb.DuckDBPyConnection) -> None:
        if not node.path.stat().st_size:
            raise ModelError("the file is empty", file=node.file, hint="it needs a header line")
        try:
            cursor.execute(f"create or replace table {relation} as {select}")
        except duckdb.Error as error:
            message = str(error).splitlines()[0].removeprefix("Invalid Input Error: ")
            header = node.path.open(encoding="utf-8", errors="replace").readline().strip()
            columns = [name.strip('"') for name in header.split(node.config.get("delimiter", ","))]
            unknown = [name for name in types if name not in columns]
            if unknown:
                raise ModelError(
                    f"column_types: the seed has no column '{unknown[0]}'",
                    file=node.file,
                    hint=did_you_mean(unknown[0], columns) or "columns: " + ", ".join(columns[:20]),
                ) from error
            torn = _torn(node.path, node.config.get("delimiter", ","))
            if torn is not None:
                message, line, hint = torn
                raise ModelError(message, file=node.file, line=line, hint=hint) from error
            raise ModelError(message, file=node.file) from error

    return context.store.commit(record, load)


def _torn(path: Path, delimiter: str) -> tuple[str, int | None, str | None] | None:
    """Say what is wrong with a CSV file DuckDB does not read, with the line: rows of another width
    than the header, and text that is not UTF-8. None where it is something else."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            reader = csv.reader(file, delimiter=delimiter, strict=True)
            width = len(next(reader))
            for row in reader:
                if row and len(row) != width:
                    many = "value" if len(row) == 1 else "values"
                    return (
                        f"the row has {len(row)} {many}, the header {width}",
                        reader.line_num,
                        "a value with a comma or a line break in it stands in quotes",
                    )
    except UnicodeDecodeError as error:
        line = path.read_bytes()[: error.start].count(b"\n") + 1
        return "the file is not UTF-8 text", line, "save it as UTF-8"
    except csv.Error as error:
        return f"not CSV: {error}", reader.line_num, None
    return None
