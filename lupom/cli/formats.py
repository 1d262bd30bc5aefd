"""Tables as text: for people, for spreadsheets, for programs."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Callable, Iterable, Sequence
from itertools import chain, pairwise
from typing import TYPE_CHECKING, Any, TypeVar

import click

from lupom.engine.errors import UsageError
from lupom.engine.store.spreadsheets import safe

if TYPE_CHECKING:
    import pyarrow as pa

    from lupom.engine.run.tables import Table

F = TypeVar("F", bound=Callable[..., Any])

FORMATS = ("table", "csv", "json")

# JSON in a cell. Made once: json.dumps makes it anew for each.
_encoded = json.JSONEncoder(ensure_ascii=False, default=str).encode

# A cell of a table for people is cut here; csv and json keep everything.
_WIDTH = 60
# Rows of a csv that are text at a time: 40 MB of predictions.
_PART = 50_000


def format_options(command: F) -> F:
    """Add --format and --spreadsheet-safe."""
    command = spreadsheet_option(command)
    return click.option(
        "--format", "form", type=click.Choice(FORMATS), default="table", show_default=True
    )(command)


def spreadsheet_option(command: F) -> F:
    """Add --spreadsheet-safe."""
    return click.option(
        "--spreadsheet-safe",
        is_flag=True,
        help="In csv an apostrophe before text that a spreadsheet would run as a formula.",
    )(command)


def render(
    columns: Sequence[str],
    rows: Iterable[Sequence[Any]],
    form: str,
    *,
    spreadsheet_safe: bool = False,
) -> str:
    """Return rows as 'table', 'csv' or 'json' (a list of objects).

    With `spreadsheet_safe` no text of a csv is taken for a formula by a spreadsheet; raises
    UsageError for another form.
    """
    if spreadsheet_safe and form != "csv":
        raise UsageError("only CSV is made safe for spreadsheets", hint="--format csv")
    if form == "csv":
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        writer.writerows(
            [_csv(value, spreadsheet_safe) for value in row] for row in chain([columns], rows)
        )
        return out.getvalue().rstrip("\n")
    if form == "json":
        objects = [dict(zip(columns, map(_json, row), strict=True)) for row in rows]
        return json.dumps(objects, indent=1, ensure_ascii=False, default=str)
    from tabulate import tabulate

    cells = [[_cell(value) for value in row] for row in rows]
    if not cells:
        return str(tabulate([], headers=list(columns), tablefmt="simple")) + "\n(no rows)"
    numeric = [
        all(isinstance(row[i], int | float | None) for row in cells) for i in range(len(columns))
    ]
    text: str = tabulate(
        [["" if v is None else _number(v) for v in row] for row in cells],
        headers=list(columns),
        tablefmt="simple",
        disable_numparse=True,
        colalign=["right" if right else "left" for right in numeric],
    )
    return text


def echo(table: Table, form: str, *, spreadsheet_safe: bool = False) -> None:
    """Print a table as `render` gives it; a csv part by part, so that its text is never whole."""
    columns = table.columns
    if form != "csv":
        click.echo(render(columns, table.rows(), form, spreadsheet_safe=spreadsheet_safe))
        return
    click.echo(render(columns, (), form, spreadsheet_safe=spreadsheet_safe))
    for start in range(0, len(table.arrow), _PART):
        part = table.arrow.slice(start, _PART)
        out = io.StringIO()
        cells = [_csv_cells(column, spreadsheet_safe) for column in part.columns]
        csv.writer(out, lineterminator="\n").writerows(zip(*cells, strict=True))
        click.echo(out.getvalue(), nl=False)


def _csv_cells(column: pa.ChunkedArray, spreadsheet_safe: bool) -> list[Any]:
    """Return the cells of a column, as `_csv` has each.

    Lists and maps of plain values are put together from the texts of these: as Python objects and
    their JSON, cell by cell, they take four times as long.
    """
    import pyarrow as pa

    kind, cells = column.type, []
    if pa.types.is_list(kind) and _is_plain(kind.value_type):
        for part in column.chunks:
            for inner in _inner(part, _encoded_all(_held(part, part.values))):
                cells.append(None if inner is None else f"[{', '.join(inner)}]")
        return cells
    if pa.types.is_map(kind) and pa.types.is_string(kind.key_type) and _is_plain(kind.item_type):
        for part in column.chunks:
            both = (_encoded_all(_held(part, some)) for some in (part.keys, part.items))
            for inner in _inner(part, list(zip(*both, strict=True))):
                # Of a key that is there twice the last value counts, as in Python.
                pairs = [f"{k}: {v}" for k, v in dict(inner or ()).items()]
                cells.append(None if inner is None else "{" + ", ".join(pairs) + "}")
        return cells
    values: list[Any] = column.to_pylist(maps_as_pydicts="lossy")
    if spreadsheet_safe or not _is_plain(kind):
        return [_csv(value, spreadsheet_safe) for value in values]
    return values


def _is_plain(kind: pa.DataType) -> bool:
    import pyarrow as pa

    types = pa.types
    return bool(types.is_string(kind) or types.is_float64(kind) or types.is_integer(kind))


def _encoded_all(values: pa.Array) -> list[str]:
    """Return plain values as JSON, a text that is there often once."""
    import pyarrow as pa

    if not pa.types.is_string(values.type):
        return ["null" if v is None else str(v) for v in map(_json, values.to_pylist())]
    held = values.dictionary_encode()
    texts = [_encoded(text) for text in held.dictionary.to_pylist()]
    return ["null" if at is None else texts[at] for at in held.indices.to_pylist()]


def _held(part: pa.Array, values: pa.Array) -> pa.Array:
    """Return those of the values behind an array of lists or maps that its own rows hold."""
    first, last = part.offsets[0].as_py(), part.offsets[-1].as_py()
    return values.slice(first, last - first)


def _inner(part: pa.Array, values: Sequence[Any]) -> Iterable[Sequence[Any] | None]:
    """Yield which of the values are in each list or map of an array; None for null."""
    ends = part.offsets.to_pylist()
    for (first, last), valid in zip(pairwise(ends), part.is_valid().to_pylist(), strict=True):
        yield values[first - ends[0] : last - ends[0]] if valid else None


def _number(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, float):
        return str(value)
    return f"{value:.3f}" if abs(value) < 1000 else f"{value:.1f}"


def _cell(value: Any) -> Any:
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return None if math.isnan(value) else value
    if isinstance(value, dict | list):
        text = json.dumps(_json(value), ensure_ascii=False, default=str)
    else:
        text = str(value)
    # Control characters in respondents' text must not drive the reader's terminal.
    text = "".join(c if c.isprintable() else " " for c in text)
    return text if len(text) <= _WIDTH else text[: _WIDTH - 1] + "…"


def _csv(value: Any, spreadsheet_safe: bool) -> Any:
    if isinstance(value, (dict, list)):
        return _encoded(_json(value))
    if spreadsheet_safe and isinstance(value, str):
        return safe(value)
    return "" if value is None else value


def _json(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, dict):
        return {str(k): _json(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_json(v) for v in value]
    return value
