"""Progress and tables in a notebook, as HTML."""

from __future__ import annotations

import html
import sys
import threading
import time
from typing import Any

from lupom.engine.run import results as r
from lupom.engine.run.html_tables import table_html

# Seconds between two drawings; a notebook's front end redraws the whole cell.
_EVERY = 0.3
_MARKS = {
    r.SUCCESS: "built",
    r.PASS: "passed",
    r.WARN: "warning",
    r.FAIL: "failed",
    r.ERROR: "failed",
    r.SKIPPED: "skipped",
    r.UNCHANGED: "unchanged",
    r.KEPT: "kept",
    r.STOPPED: "not reached",
}


def in_notebook() -> bool:
    """Tell whether this is the kernel of a notebook; imports nothing."""
    ipython = sys.modules.get("IPython")
    if ipython is None or "ipykernel" not in sys.modules:
        return False
    shell = ipython.get_ipython()
    return shell is not None and hasattr(shell, "kernel")


class Notebook:
    """A reporter that keeps one table of the run's nodes up to date below the cell."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._rows: dict[str, list[str]] = {}
        self._notes: list[str] = []
        self._handle: Any = None
        self._drawn = 0.0

    def started(self, index: int, total: int, node: str, kind: str) -> None:
        self._set(node, [f"{index} of {total}", node, kind, "runs", ""])

    def progressed(self, index: int, total: int, node: str, progress: r.NodeProgress) -> None:
        words = f"{progress.done:,} of {progress.total:,} rows"
        if progress.usage.cost:
            words += f", ${progress.usage.cost:.2f}"
        if progress.invalid:
            words += f", {progress.invalid} invalid"
        kind = self._rows.get(node, ["", "", "llm"])[2]
        self._set(node, [f"{index} of {total}", node, kind, "runs", words])

    def ended(self, index: int, total: int, result: r.NodeResult) -> None:
        words = result.message or ("" if result.rows is None else f"{result.rows:,} rows")
        mark = _MARKS[result.status]
        row = [f"{index} of {total}", result.node, result.kind, mark, words]
        self._set(result.node, row, at_once=index == total or result.status == r.ERROR)

    def note(self, message: str) -> None:
        self._notes.append(message)
        self._draw()

    def close(self) -> None:
        """Draw the table as it ended."""
        self._draw()

    def _set(self, node: str, row: list[str], *, at_once: bool = False) -> None:
        with self._lock:
            self._rows[node] = row
            due = at_once or time.monotonic() - self._drawn > _EVERY
        if due:
            self._draw()

    def _draw(self) -> None:
        from IPython.display import HTML, display

        with self._lock:
            self._drawn = time.monotonic()
            page = HTML(
                table_html(["", "node", "kind", "", ""], list(self._rows.values()), limit=None)
                + "".join(f"<p>{html.escape(note)}</p>" for note in self._notes)
            )
            if self._handle is None:
                self._handle = display(page, display_id=True)
            else:
                self._handle.update(page)
