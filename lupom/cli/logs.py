"""A run's lines as JSON objects on stderr, one a line, for programs that watch it."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from lupom.cli.console import Console
from lupom.engine.run import results as r

_LEVELS = {r.ERROR: "error", r.FAIL: "error", r.WARN: "warn", r.SKIPPED: "warn", r.STOPPED: "warn"}


class JsonConsole(Console):
    """Writes each event with `ts`, `level` and `event`: node_started, node_progress, node_finished,
    note, run_finished. Progress comes as often as it is told, at most once in ten seconds a node.
    """

    def __init__(self) -> None:
        super().__init__()
        self._live = False

    def started(self, index: int, total: int, node: str, kind: str) -> None:
        super().started(index, total, node, kind)
        self._write("info", "node_started", node=node, kind=kind, index=index, total=total)

    def progressed(self, index: int, total: int, node: str, progress: r.NodeProgress) -> None:
        if self._due(node):
            self._write("info", "node_progress", node=node, progress=asdict(progress))

    def ended(self, index: int, total: int, result: r.NodeResult) -> None:
        level = _LEVELS.get(result.status, "info")
        self._write(level, "node_finished", index=index, total=total, **asdict(result))

    def finished(self, result: r.RunResult) -> None:
        counts: dict[str, int] = {}
        for node in result.nodes:
            counts[node.status] = counts.get(node.status, 0) + 1
        self._write(
            "error" if result.status == "error" else "info",
            "run_finished",
            run_id=result.run_id,
            status=result.status,
            exit_code=result.exit_code,
            seconds=result.seconds,
            up_to_date=result.up_to_date,
            nodes=counts,
            message=result.message,
        )

    def note(self, message: str) -> None:
        self._write("info", "note", message=message)

    def say(self, text: str) -> None:
        """Say nothing: what text adds to an event is in the event already."""

    def _line(self, text: str, outcome: str | None = None, colour: str | None = None) -> None:
        pass

    def _write(self, level: str, event: str, **fields: Any) -> None:
        stamp = datetime.now(UTC).isoformat(timespec="milliseconds")
        row = json.dumps(
            {"ts": stamp, "level": level, "event": event, **fields}, ensure_ascii=False, default=str
        )
        with self._lock:
            sys.stderr.write(row + "\n")
            sys.stderr.flush()
