"""One run at a time in a project: a lock file that says who holds it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path

from lupom.engine.errors import StateError


@contextmanager
def run_lock(folder: Path, run_id: str) -> Iterator[None]:
    """Hold the project's run lock; the operating system frees it however the process ends.

    Raises StateError that names the run and process that hold it.
    """
    import fcntl

    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "run.lock"
    with path.open("a+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            file.seek(0)
            raise StateError(
                f"another run is going on in this project: {_who(file.read())}",
                hint="wait for it to end; its answers are kept and will not be asked again",
            ) from error
        file.seek(0)
        file.truncate()
        now = datetime.now().astimezone().isoformat(timespec="seconds")
        json.dump({"run": run_id, "pid": os.getpid(), "since": now}, file)
        file.flush()
        try:
            yield
        finally:
            with suppress(OSError):
                file.seek(0)
                file.truncate()


def _who(text: str) -> str:
    try:
        held = json.loads(text)
        return f"run {held['run']} (PID {held['pid']}) since {held['since']}"
    except (ValueError, KeyError, TypeError):
        return "it does not say which"
