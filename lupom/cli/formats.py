"""Tables as text: for people, for spreadsheets, for programs."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Callable, Iterable, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any, TypeVar

import click

from lupom.engine.errors import UsageError
from lupom.engine.store.spreadsheets import safe

if TYPE_CHECKING:
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
        rows = type(table)(table.arrow.slice(start, _PART)).rows()
        first, *rest = rows
        click.echo(render(first, rest, form, spreadsheet_safe=spreadsheet_safe))


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
