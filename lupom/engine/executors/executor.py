"""The one face of all executors: a table goes in, its batches are worked, a table comes out."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from lupom import batches
from lupom.engine.errors import LupomError
from lupom.engine.executors import wire
from lupom.engine.executors.backend import Backend, Note

if TYPE_CHECKING:
    import pyarrow as pa

    from lupom.engine.project.executors import ExecutorSettings


class Stopped(LupomError):
    """The run was stopped before a table was done."""


class Executor:
    """Works batches as a target's settings say; workers are started when there is enough to do.

    Each table is begun in this process. What takes less than `start_after` seconds is done before
    others would have begun (a process takes one to start and to import what it needs, a cluster of
    Ray several), and what takes longer loses no more than that. Where a batch is worked changes
    nothing of its result.

    Parameters
    ----------
    settings : of the target.
    note : hears what a user should know, one line each.
    stop : ends the work when it is set.
    """

    def __init__(
        self,
        settings: ExecutorSettings,
        note: Note = lambda message: None,
        stop: threading.Event | None = None,
    ) -> None:
        self._settings = settings
        self._note = note
        self._stop = stop or threading.Event()
        self._lock = threading.Lock()
        self._backend: Backend | None = None

    def map(
        self,
        function: Callable[..., Any],
        table: Any,
        *,
        shared: Mapping[str, Any] | None = None,
        batch_rows: int = batches.BATCH_ROWS,
        origin: wire.Origin | None = None,
    ) -> pa.Table:
        """Return what `batches.in_batches` does.

        Parameters
        ----------
        function, table, shared, batch_rows : as there.
        origin : of the function, where a project has it.

        Raises
        ------
        ValueError : as there.
        Stopped : when the run is stopped.
        ModelError : where workers were lost too often or cannot be started; WorkError for what the
            function raised in one.
        """
        name = batches.named(function)
        if wire.found(name) is not function:
            raise ValueError(f"map() needs a function that {name} names, so that others find it")
        common = batches.shareable(shared)
        todo = list(batches.split(table, batch_rows))
        out: list[Any] = []
        patience = self._settings.patience
        begun = time.monotonic()
        work = None
        while len(out) < len(todo) and (time.monotonic() - begun < patience):
            self._go_on()
            if work is None:
                work = batches.worker_of(function, common)
            out.append(work(todo[len(out)]))
        del work
        if len(out) < len(todo):
            job = wire.pack(name, common, origin or wire.Origin())
            rest = [wire.to_bytes(batch) for batch in todo[len(out) :]]
            found = self._workers().work(job, rest, self._go_on)
            out += [wire.from_bytes(data) for data in found]
        return batches.joined(out)

    def everywhere(self, name: str, arguments: Mapping[str, Any]) -> None:
        """Have each node of the cluster do something until `close`; what is at it goes on.

        Parameters
        ----------
        name : 'module:name' of a function, which need not return.
        arguments : by name, what JSON can say.
        """
        self._workers().everywhere(name, arguments)

    def close(self) -> None:
        """End what was started; the next table starts it anew."""
        with self._lock:
            backend, self._backend = self._backend, None
        if backend is not None:
            backend.close()

    def _go_on(self) -> None:
        if self._stop.is_set():
            raise Stopped("the run was stopped")

    def _workers(self) -> Backend:
        with self._lock:
            if self._backend is None:
                self._backend = _backend(self._settings, self._note)
            return self._backend


def _backend(settings: ExecutorSettings, note: Note) -> Backend:
    if settings.type == "ray":
        from lupom.engine.executors.cluster import Cluster

        return Cluster(settings, note)
    from lupom.engine.executors.processes import Processes

    return Processes(settings, note)
