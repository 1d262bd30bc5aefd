"""Tables that a run shows as soon as they are built, while an LLM is still at work."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from lupom.engine.errors import LupomError
from lupom.engine.run import results as r

if TYPE_CHECKING:
    from lupom.cli.console import Console
    from lupom.engine.workspace import Project


class Early:
    """Passes on what it hears of a run, and notes tables where a node made them.

    They go where the run's other lines go, to stderr: what is printed to stdout is the run's end.
    """

    def __init__(self, console: Console, project: Project, tables: Collection[str]) -> None:
        self._console = console
        self._project = project
        self._tables = frozenset(tables)

    def started(self, index: int, total: int, node: str, kind: str) -> None:
        self._console.started(index, total, node, kind)

    def progressed(self, index: int, total: int, node: str, progress: r.NodeProgress) -> None:
        self._console.progressed(index, total, node, progress)

    def ended(self, index: int, total: int, result: r.NodeResult) -> None:
        self._console.ended(index, total, result)
        if result.node in self._tables and result.status in (r.SUCCESS, r.WARN):
            self._show(result.node)

    def note(self, message: str) -> None:
        self._console.note(message)

    def _show(self, name: str) -> None:
        from lupom.cli.formats import render

        try:
            table = self._project.table(name)
        except LupomError as error:
            self._console.note(f"show_when_built: {error}")
            return
        text = render(table.columns, table.rows(), "table")
        self._console.note(f"{name}, while the rest is built:")
        self._console.say(f"\n{text}\n")
