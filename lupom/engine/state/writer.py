"""The one writer of the state database: a thread that commits what waits, in groups."""

from __future__ import annotations

import asyncio
import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lupom.engine.errors import StateError

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

# A commit is a file sync (1 to 5 ms here). Waiting 5 ms lets a hundred answers share one, and stays
# far from the 20 ms within which an answer has to be committed.
WINDOW = 0.005
MOST = 500

Work = Callable[["Connection"], Any]


@dataclass(slots=True)
class _Item:
    work: Work
    done: Callable[[Any, BaseException | None], None]


class Writer:
    """Runs pieces of work in transactions, several in one; each hears when its own is durable."""

    def __init__(self, engine: Engine) -> None:
        # Option 'writes' makes its transactions take the write lock at once.
        self._engine = engine.execution_options(writes=True)
        self._queue: queue.SimpleQueue[_Item | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="lupom-state", daemon=True)
        self._thread.start()

    def do(self, work: Work) -> Any:
        """Run a piece of work, wait until it is committed, and return its result."""
        ready = threading.Event()
        out: list[Any] = [None, None]

        def done(result: Any, error: BaseException | None) -> None:
            out[:] = result, error
            ready.set()

        self._put(_Item(work, done))
        ready.wait()
        if out[1] is not None:
            raise out[1]
        return out[0]

    async def do_async(self, work: Work) -> Any:
        """Run a piece of work; returns its result once it is committed."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Any] = loop.create_future()

        def settle(result: Any, error: BaseException | None) -> None:
            if future.done():
                return
            if error is not None:
                future.set_exception(error)
            else:
                future.set_result(result)

        def done(result: Any, error: BaseException | None) -> None:
            loop.call_soon_threadsafe(settle, result, error)

        self._put(_Item(work, done))
        return await future

    def close(self) -> None:
        """Commit what waits and end the thread; safe to call twice."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            self._queue.put(None)
        self._thread.join()

    def _put(self, item: _Item) -> None:
        with self._lock:
            if self._closed:
                raise StateError("the state database is closed")
            self._queue.put(item)

    def _run(self) -> None:
        while True:
            first = self._queue.get()
            if first is None:
                return
            time.sleep(WINDOW)
            group = [first]
            last = False
            while len(group) < MOST:
                try:
                    item = self._queue.get_nowait()
                except queue.Empty:
                    break
                if item is None:
                    last = True
                    break
                group.append(item)
            self._commit(group)
            if last:
                return

    def _commit(self, group: list[_Item]) -> None:
        results: list[Any] = []
        try:
            with self._engine.begin() as connection:
                results = [item.work(connection) for item in group]
        except Exception as error:
            if len(group) > 1:
                # One bad piece of work must not take the others with it.
                for item in group:
                    self._commit([item])
                return
            failure = StateError(f"the state database cannot be written: {_cause(error)}")
            group[0].done(None, failure)
            return
        for item, result in zip(group, results, strict=True):
            item.done(result, None)


def _cause(error: BaseException) -> str:
    original = getattr(error, "orig", None)
    return str(original if original is not None else error).splitlines()[0]
