"""Seeds: CSV files of the project as typed tables."""

from __future__ import annotations

import csv
import re
import shutil
import tempfile
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from lupom.engine.errors import ModelError, did_you_mean
from lupom.engine.hashes import FileHashes
from lupom.engine.project.nodes import Node
from lupom.engine.run.context import Context
from lupom.engine.run.identities import loaded
from lupom.engine.store import messages
from lupom.engine.store.base import Store
from lupom.engine.store.dialect import Odd, csv_relation, found_types, odd_values
from lupom.engine.store.names import quoted
from lupom.engine.store.records import TableRecord

if TYPE_CHECKING:
    import duckdb


def build(context: Context, node: Node, record: TableRecord, *, whole: bool = True) -> TableRecord:
    """Read a CSV file into a table: a header, '' as NULL, and a type for each column whose values
    all come back as they are written (`dialect.found_types`); `column_types` are the user's word.

    Raises ModelError, with the file, for CSV that does not parse, for a header that leaves a column
    without a name or names two alike, and for a column that `column_types` names and the file has
    not. It is always built `whole`.
    """
    types = node.config.get("column_types") or {}
    all_varchar = len(types) == 1 and types.get("*", "").upper() == "VARCHAR"
    if "*" in types and not all_varchar:
        raise ModelError(
            f"column_types: '*' can only be VARCHAR, and alone, not {types}", file=node.file
        )
    declared = {} if all_varchar else types

    def load(cursor: duckdb.DuckDBPyConnection) -> None:
        with tempfile.TemporaryDirectory(prefix="lupom-seed-") as folder:
            # A copy: what is read is what was hashed, whatever becomes of the file meanwhile.
            copy = Path(folder) / "seed.csv"
            with suppress(FileNotFoundError):
                shutil.copyfile(node.path, copy)
            if not copy.is_file():
                raise ModelError("the file is gone", file=node.file)
            loaded(record, file=FileHashes(None).of(copy))
            notes[:] = _load(context.store, cursor, node, copy, declared, found=not all_varchar)

    notes: list[str] = []
    # Questions stand in a file in their order.
    record.ordered = True
    record = context.store.commit(record, load)
    for note in notes:
        context.reporter.note(note)
    return record


def _load(
    store: Store,
    cursor: duckdb.DuckDBPyConnection,
    node: Node,
    path: Path,
    declared: Mapping[str, str],
    *,
    found: bool,
) -> list[str]:
    """Make the table; returns what a user may not expect of it."""
    import duckdb

    delimiter = node.config.get("delimiter", ",")
    columns = _header(node, path, delimiter)
    unknown = [name for name in declared if name.lower() not in map(str.lower, columns)]
    if unknown:
        raise ModelError(
            f"column_types: the seed has no column '{unknown[0]}'",
            file=node.file,
            hint=did_you_mean(unknown[0], columns) or "columns: " + ", ".join(columns[:20]),
        )
    try:
        types = dict(declared)
        if found:
            text = csv_relation([path], delimiter, declared)
            types.update(found_types(cursor, text))
        rows = store.stored(cursor, f"select * from {csv_relation([path], delimiter, types)}")
        cursor.execute(f"create or replace table {quoted('main', node.name)} as {rows}")
        # As DuckDB calls them: without the spaces at a name's end.
        described = cursor.execute(f"describe {quoted('main', node.name)}").fetchall()
        given = {name.lower() for name in types}
        texts = [c[0] for c in described if c[1] == "VARCHAR" and c[0].lower() not in given]
        odd = odd_values(cursor, quoted("main", node.name), texts if found else [])
    except duckdb.Error as error:
        torn = _torn(path, delimiter)
        if torn is not None:
            message, line, hint = torn
            raise ModelError(message, file=node.file, line=line, hint=hint) from error
        converted = _unconverted(str(error))
        if converted is not None:
            message, line, hint = converted
            raise ModelError(message, file=node.file, line=line, hint=hint) from error
        message = messages.first_line(error)
        raise ModelError(message.replace(str(path), node.file), file=node.file) from error
    notes = [_said(node, one) for one in odd]
    signs = [sign for sign in ";\t|" if len(columns) == 1 and sign in columns[0]]
    if signs:
        other = "\\t" if signs[0] == "\t" else signs[0]
        notes.append(
            f'{node.file}: one column, {columns[0]!r}; is it more? delimiter: "{other}" reads them'
        )
    return notes


def _said(node: Node, odd: Odd) -> str:
    """Say why a column of numbers is text, and what would make it one of numbers."""
    if re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", odd.value):
        why = f"would come back as {float(odd.value)}"
        how = f"column_types: {{{odd.column}: DOUBLE}} reads it as numbers"
    else:
        why, how = "is not a number", "leave the cell blank, and the column is numbers"
    return (
        f"{node.file}: column '{odd.column}' is text: '{odd.value}' in row {odd.row:,} {why}; {how}"
    )


def _unconverted(message: str) -> tuple[str, int | None, str] | None:
    """Say which value is not of the type that `column_types` declares."""
    found = re.search(
        r"""converting column "(.+?)"\. Could not convert string "(.*?)" to '(.+?)'""", message
    )
    if found is None:
        return None
    column, value, kind = found.groups()
    line = re.search(r"CSV Error on Line: (\d+)", message)
    hint = f"leave '{column}' out of column_types, and it is text"
    if kind in ("DATE", "TIMESTAMP"):
        # Nobody but the user knows whether 02/01/2024 is in January or in February.
        hint += f"; a model reads it with strptime({quoted(column)}, '%d/%m/%Y')"
    said = f"column_types: '{value}' in column '{column}' is not a {kind}"
    return said, int(line[1]) if line else None, hint


def _header(node: Node, path: Path, delimiter: str) -> list[str]:
    """Return the columns' names; raises ModelError where one is blank or appears twice."""
    if not path.stat().st_size:
        raise ModelError("the file is empty", file=node.file, hint="it needs a header line")
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            columns = next(csv.reader(file, delimiter=delimiter, strict=True), [])
    except (UnicodeDecodeError, csv.Error) as error:
        message, line, hint = _torn(path, delimiter) or (str(error), 1, None)
        raise ModelError(message, file=node.file, line=line, hint=hint) from error
    blank = [str(i) for i, name in enumerate(columns, 1) if not name.strip()]
    if blank:
        one = len(blank) == 1
        raise ModelError(
            f"{'column' if one else 'columns'} {_and(blank)} of the header"
            f" {'has' if one else 'have'} no name",
            file=node.file,
            line=1,
            hint=f"the header is: {delimiter.join(columns)}" if len(columns) < 20 else None,
        )
    places: dict[str, list[int]] = {}
    for i, name in enumerate(columns, 1):
        places.setdefault(name.lower(), []).append(i)
    twice = [found for found in places.values() if len(found) > 1]
    if twice:
        told = [
            f"{_and([repr(columns[i - 1]) for i in found])} (columns {_and(map(str, found))})"
            for found in twice
        ]
        raise ModelError(
            f"the header has two columns of one name: {'; '.join(told)}",
            file=node.file,
            line=1,
            hint="names are the same whatever their case; give each its own",
        )
    return columns


def _and(words: Iterable[str]) -> str:
    *most, last = dict.fromkeys(words)
    return f"{', '.join(most)} and {last}" if most else last


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
