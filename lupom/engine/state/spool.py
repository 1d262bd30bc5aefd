"""Calls that could not be written to the ledger, in a file of this machine until they are."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

_PREFIX = "unwritten-"


class Spool:
    """A file of calls, one JSON object a line; made with the first of them."""

    def __init__(self, folder: Path, owner: str) -> None:
        self.path = folder / f"{_PREFIX}{owner}.jsonl"

    def keep(self, row: Mapping[str, Any]) -> None:
        """Write a call down; it is on the disk when this returns."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(dict(row), ensure_ascii=False) + "\n")
            file.flush()
            os.fsync(file.fileno())

    def clear(self) -> None:
        """Delete the file: what it has is in the ledger."""
        self.path.unlink(missing_ok=True)


def left_over(folder: Path) -> Iterator[Path]:
    """Yield the files of earlier processes."""
    yield from sorted(folder.glob(f"{_PREFIX}*.jsonl"))
