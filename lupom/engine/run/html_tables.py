"""Rows as an HTML table, for a notebook."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence
from typing import Any

# Rows of a table and characters of a cell that are shown.
_ROWS, _WIDTH = 20, 80


def table_html(
    columns: Sequence[str],
    rows: Iterable[Sequence[Any]],
    *,
    limit: int | None = _ROWS,
    total: int | None = None,
) -> str:
    """Return rows as an HTML table, the first `limit` of them, text escaped."""
    shown = []
    count = 0
    for row in rows:
        count += 1
        if limit is None or count <= limit:
            cells = "".join(f"<td>{html.escape(_cell(value))}</td>" for value in row)
            shown.append(f"<tr>{cells}</tr>")
    count = total if total is not None else count
    head = "".join(f"<th>{html.escape(str(name))}</th>" for name in columns)
    more = "" if count <= len(shown) else f"<p>{len(shown):,} of {count:,} rows</p>"
    return f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(shown)}</tbody></table>{more}"


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.3f}"
    text = str(value)
    return text if len(text) <= _WIDTH else text[: _WIDTH - 1] + "…"
