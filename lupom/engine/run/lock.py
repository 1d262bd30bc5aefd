"""One run at a time in a project: a lock, and a file beside it that says who holds it."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path

from lupom.engine.errors import StateError
from lupom.engine.files import replacing


@contextmanager
def run_lock(folder: Path) -> Iterator[Callable[[str], None]]:
    """Hold the project's run lock; the operating system frees it however the process ends.

    Yields a function that writes down the run's id, for others to read. Raises StateError that
    names the run and the process that hold it, or says why there can be no lock.
    """
    from filelock import FileLock, Timeout

    # Not in the lock's own file, which others cannot read while it is held on Windows.
    holder = folder / "run.json"
    lock = FileLock(folder / "run.lock", blocking=False)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout:
        raise StateError(
            f"another run is going on in this project: {_who(holder)}",
            hint="wait for it to end; its answers are kept and will not be asked again",
        ) from None
    except OSError as error:
        raise StateError(f"{folder} cannot be written: {error.strerror or error}") from error
    now = datetime.now().astimezone().isoformat(timespec="seconds")

    def claim(run_id: str) -> None:
        with suppress(OSError), replacing(holder) as part:
            part.write_text(json.dumps({"run": run_id, "pid": os.getpid(), "since": now}))

    try:
        claim("about to start")
        yield claim
    finally:
        with suppress(OSError):
            holder.unlink()
        lock.release()


def _who(holder: Path) -> str:
    try:
        held = json.loads(holder.read_text())
        return f"run {held['run']} (PID {held['pid']}) since {held['since']}"
    except (OSError, ValueError, KeyError, TypeError):
        return "it does not say which"
