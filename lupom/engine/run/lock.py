"""One run at a time in a project: a lock file that says who holds it."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path

from lupom.engine.errors import StateError


@contextmanager
def run_lock(folder: Path) -> Iterator[Callable[[str], None]]:
    """Hold the project's run lock; the operating system frees it however the process ends.

    Yields a function that writes the run's id into the lock, for others to read. Raises StateError
    that names the run and the process that hold it.
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
        now = datetime.now().astimezone().isoformat(timespec="seconds")

        def write(text: str) -> None:
            with suppress(OSError):
                file.seek(0)
                file.truncate()
                file.write(text)
                file.flush()

        def claim(run_id: str) -> None:
            write(json.dumps({"run": run_id, "pid": os.getpid(), "since": now}))

        claim("about to start")
        try:
            yield claim
        finally:
            write("")


def _who(text: str) -> str:
    try:
        held = json.loads(text)
        return f"run {held['run']} (PID {held['pid']}) since {held['since']}"
    except (ValueError, KeyError, TypeError):
        return "it does not say which"
