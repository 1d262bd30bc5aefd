"""Tables as text: for people, for spreadsheets, for programs."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Callable, Iterable, Sequence
from itertools import chain
from typing import Any, TypeVar

import click

from lupom.engine.errors import UsageError
from lupom.engine.store.spreadsheets import safe

F = TypeVar("F", bound=Callable[..., Any])

FORMATS = ("table", "csv", "json")

# A cell of a table for people is cut here; csv and json keep everything.
_WIDTH = 60


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
    if isinstance(value, dict | list):
        return json.dumps(_json(value), ensure_ascii=False, default=str)
    if spreadsheet_safe and isinstance(value, str):
        return safe(value)
    return "" if value is None else value


def _json(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {str(k): _json(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_json(v) for v in value]
    return value
