"""What the evaluation found, read from the store, and how numbers are written."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lupom.engine.workspace import Project

Row = dict[str, Any]
# Predictors that combine others.
COMBINED = ("stack_plain", "stack", "routed")


class Findings:
    """The store's tables as rows; one that is not built has none."""

    def __init__(self, project: Project) -> None:
        self._project = project
        found = project.query("select table_name from duckdb_tables() where schema_name = 'main'")
        self._there = {name for (name,) in found.rows()}
        self._known: dict[str, list[Row]] = {}

    def rows(self, name: str, where: Mapping[str, Any] | None = None) -> list[Row]:
        if name not in self._there:
            return []
        if name not in self._known:
            table = self._project.query(f'select * from main."{name}"').arrow
            self._known[name] = table.to_pylist(maps_as_pydicts="lossy")
        wanted = (where or {}).items()
        return [row for row in self._known[name] if all(row[k] == v for k, v in wanted)]

    def query(self, sql: str) -> list[Row]:
        return list(self._project.query(sql).arrow.to_pylist(maps_as_pydicts="lossy"))

    def has(self, name: str) -> bool:
        return name in self._there


def name_of(row: Mapping[str, Any], predictor: str = "predictor", llm: str = "llm") -> str:
    """Return what a predictor is called, its LLM behind it."""
    return row[predictor] if row[llm] is None else f"{row[predictor]} ({row[llm]})"


def kind_of(row: Mapping[str, Any], predictor: str = "predictor", llm: str = "llm") -> str:
    """Return what a predictor is: 'llm', 'combined' or 'plain'."""
    if row[predictor] in COMBINED:
        return "combined"
    return "plain" if row[llm] is None else "llm"


def share(value: float | None) -> str:
    """Return a share in percent; '' for none."""
    return "" if value is None else f"{100 * value:.1f} %"


def signed(value: float | None) -> str:
    """Return a share in points with its sign."""
    return "" if value is None else f"{100 * value:+.1f}"


def nats(value: float) -> str:
    """Return nats with three digits, and no minus before 0."""
    return f"{round(value, 3) + 0.0:.3f}"


def plain(value: Any, digits: int = 3) -> str:
    """Return a number with so many digits; '' for none."""
    if value is None:
        return ""
    return f"{value:.{digits}f}" if isinstance(value, float) else f"{value:,}"


def best_of(board: Iterable[Row]) -> Row:
    """Return the predictor with the least log loss, and without any the most accurate."""
    rows = list(board)
    with_loss = [r for r in rows if r["nll"] is not None]
    return (
        min(with_loss, key=lambda r: r["nll"])
        if with_loss
        else max(rows, key=lambda r: r["accuracy"])
    )
