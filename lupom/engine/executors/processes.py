"""Worker processes on this machine."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import tempfile
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lupom.engine.errors import LupomError, ModelError
from lupom.engine.executors import wire, worker
from lupom.engine.executors.backend import Note, too_often

if TYPE_CHECKING:
    from lupom.engine.project.executors import ExecutorSettings

# One thread of BLAS and OpenMP in each worker, since there is a worker for each core.
ONE_THREAD = {
    f"{library}_NUM_THREADS": "1"
    for library in ("OMP", "OPENBLAS", "MKL", "NUMEXPR", "NUMBA", "VECLIB_MAXIMUM")
}
# Seconds between looks at whether the run is to stop.
_LOOK = 0.1
# Seconds for a process whose pipe is closed to end.
_ENDING = 1.0


@dataclass(slots=True)
class _Job:
    """A table at work: its batches, and how each ended."""

    number: int
    path: Path
    parts: Sequence[Any]
    ended: queue.SimpleQueue[tuple[int, Any]] = field(default_factory=queue.SimpleQueue)
    lost: dict[int, int] = field(default_factory=dict)
    over: bool = False


class Processes:
    """As many worker processes as settings say, each served by a thread of this one.

    A worker is a Python of its own (no fork: threads and DuckDB's locks do not live on in one; no
    import of the caller's main module either). Ctrl-C does not reach it, and it ends when this
    process does. What all batches need lies in a file that workers map into memory.
    """

    def __init__(self, settings: ExecutorSettings, note: Note) -> None:
        self._note, self._retries = note, settings.retries
        self._workers = settings.workers or cores()
        self._changed = threading.Condition()
        self._todo: deque[tuple[_Job, int]] = deque()
        self._numbers = count()
        self._closed = False
        self._folder = tempfile.TemporaryDirectory(prefix="lupom-work-")
        self._running: dict[int, subprocess.Popen[bytes]] = {}
        self._threads = [
            threading.Thread(target=self._serve, args=(place,), daemon=True)
            for place in range(self._workers)
        ]
        for thread in self._threads:
            thread.start()

    def work(self, job: bytes, parts: Sequence[Any], done: Callable[[], None]) -> list[Any]:
        """Return the result of each batch; see `executor.Backend`."""
        number = next(self._numbers)
        path = Path(self._folder.name) / str(number)
        path.write_bytes(job)
        mine = _Job(number, path, parts)
        results: list[Any] = [None] * len(parts)
        with self._changed:
            self._todo.extend((mine, place) for place in range(len(parts)))
            self._changed.notify_all()
        try:
            left = len(parts)
            while left:
                done()
                try:
                    place, result = mine.ended.get(timeout=_LOOK)
                except queue.Empty:
                    continue
                if isinstance(result, LupomError):
                    raise result
                results[place] = result
                left -= 1
        finally:
            self._end(mine)
        return results

    def _end(self, job: _Job) -> None:
        with self._changed:
            job.over = True
            self._todo = deque(one for one in self._todo if one[0] is not job)
        job.path.unlink(missing_ok=True)

    def everywhere(self, name: str, arguments: Mapping[str, Any]) -> None:
        raise NotImplementedError("processes of one machine are no cluster")

    def close(self) -> None:
        """End all workers."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
            for process in self._running.values():
                process.kill()
        for thread in self._threads:
            thread.join()
        self._folder.cleanup()

    def _serve(self, place: int) -> None:
        """Give a worker batch after batch, and a new worker where one is lost."""
        process: subprocess.Popen[bytes] | None = None
        opened: dict[int, _Job] = {}
        try:
            while (taken := self._take()) is not None:
                job, part = taken
                try:
                    if process is None:
                        opened = {}
                        process = self._start(place)
                    result = self._asked(process, opened, job, part)
                except (OSError, EOFError) as error:
                    how = str(error) if process is None else _ended(process)
                    process = None
                    self._lost(job, part, how)
                except Exception as error:
                    # Else nobody would ever hear of the batch.
                    job.ended.put((part, ModelError(f"{type(error).__name__}: {error}")))
                else:
                    job.ended.put((part, result))
        finally:
            if process is not None:
                process.kill()
                process.wait()

    def _take(self) -> tuple[_Job, int] | None:
        with self._changed:
            while not self._todo and not self._closed:
                self._changed.wait()
            return None if self._closed else self._todo.popleft()

    def _start(self, place: int) -> subprocess.Popen[bytes]:
        with self._changed:
            if self._closed:
                raise EOFError("closed")
            process = self._running[place] = subprocess.Popen(
                [sys.executable, "-P", "-m", worker.__name__],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env={**os.environ, **ONE_THREAD, "PYTHONPATH": _python_path()},
                start_new_session=True,
            )
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            worker.write(process.stdin, worker.HELLO, 0, json.dumps(sys.path, default=str).encode())
            if worker.read(process.stdout) is None:
                raise EOFError
        except (OSError, EOFError):
            raise EOFError(f"it did not start: {_ended(process)}") from None
        return process

    def _asked(
        self, process: subprocess.Popen[bytes], opened: dict[int, _Job], job: _Job, part: int
    ) -> Any:
        assert process.stdin is not None
        assert process.stdout is not None
        for number in [number for number, one in opened.items() if one.over]:
            del opened[number]
            worker.write(process.stdin, worker.CLOSE, number)
        if job.number not in opened:
            opened[job.number] = job
            worker.write(process.stdin, worker.OPEN, job.number, str(job.path).encode())
        number = job.number * worker.PLACES + part
        worker.write(process.stdin, worker.RUN, number, job.parts[part])
        answer = worker.read(process.stdout)
        if answer is None:
            raise EOFError("it ended")
        kind, _, content = answer
        return wire.heard(content) if kind == worker.FAILED else content

    def _lost(self, job: _Job, part: int, how: str) -> None:
        """Give the batch of a lost worker to another one, but not for ever."""
        with self._changed:
            if self._closed or job.over:
                return
            times = job.lost[part] = job.lost.get(part, 0) + 1
            if times <= self._retries:
                self._todo.appendleft((job, part))
                self._changed.notify()
        where = f"batch {part + 1} of {len(job.parts)}"
        if times > self._retries:
            job.ended.put((part, too_often(times, where, how)))
        else:
            self._note(f"A worker was lost ({how}); {where} goes to another.")


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _python_path() -> str:
    """Return PYTHONPATH with this LUPoM first, wherever it was imported from."""
    own = str(Path(__file__).resolve().parents[3])
    return os.pathsep.join([own, *filter(None, [os.environ.get("PYTHONPATH")])])


def _ended(process: subprocess.Popen[bytes]) -> str:
    """See to it that a process has ended; returns how it did."""
    try:
        # Its pipe may be closed a moment before it ends by itself.
        code = process.wait(_ENDING)
    except subprocess.TimeoutExpired:
        process.kill()
        code = process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with suppress(OSError):
                pipe.close()
    return f"signal {-code}" if code < 0 else f"exit code {code}"
