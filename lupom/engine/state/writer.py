"""The one writer of the state database: a thread that commits what waits, in groups."""

from __future__ import annotations

import asyncio
import queue
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lupom.engine.errors import StateError
from lupom.engine.state.opening import unwritten

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from lupom.engine.state.access import Access
    from lupom.engine.state.spool import Spool

# A commit is a file sync (1 to 5 ms here). Waiting 5 ms lets a hundred answers share one, and stays
# far from the 20 ms within which an answer has to be committed.
WINDOW = 0.005
MOST = 500

Work = Callable[["Connection"], Any]
Row = Mapping[str, Any]


@dataclass(slots=True)
class _Item:
    """A piece of work, or a call of the ledger."""

    done: Callable[[Any, BaseException | None], None]
    work: Work | None = None
    row: Row | None = None


class Writer:
    """Runs pieces of work in transactions, several in one; each hears when its own is durable.

    Calls of the ledger are written last in a transaction and all at once: whoever numbers them
    keeps others from it until the commit.
    """

    def __init__(
        self,
        access: Access,
        write_calls: Callable[[Connection, Sequence[Row]], list[Any]],
        spool: Spool | None = None,
    ) -> None:
        self._access = access
        self._write_calls = write_calls
        self._spool = spool
        self._queue: queue.SimpleQueue[_Item | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._closed = False
        self._regular: Work | None = None
        self._every = 0.0
        self._next = 0.0
        # Calls that came and are not committed yet, which a lost connection must not lose.
        self._open: dict[int, Row] = {}
        access.on_outage = self._outage
        self._out = False
        self._thread = threading.Thread(target=self._run, name="lupom-state", daemon=True)
        self._thread.start()

    def do(self, work: Work) -> Any:
        """Run a piece of work, wait until it is committed, and return its result."""
        ready = threading.Event()
        out: list[Any] = [None, None]

        def done(result: Any, error: BaseException | None) -> None:
            out[:] = result, error
            ready.set()

        self._put(_Item(done, work))
        ready.wait()
        if out[1] is not None:
            raise out[1]
        return out[0]

    async def do_async(self, work: Work) -> Any:
        """Run a piece of work; returns its result once it is committed."""
        return await self._async(work=work)

    async def record(self, row: Row) -> Any:
        """Write a call; returns, once it is committed, what writing calls says of it."""
        return await self._async(row=row)

    async def _async(self, **what: Any) -> Any:
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
            # Whoever waited may have given up, and its loop be closed.
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(settle, result, error)

        self._put(_Item(done, **what))
        return await future

    def every(self, seconds: float, work: Work) -> None:
        """Run work again and again, first in so many seconds, for as long as this writer runs."""
        self._every, self._next = seconds, time.monotonic() + seconds
        self._regular = work
        # Wakes the thread, which may be waiting for something to do for ever.
        self._put(_Item(lambda _result, _error: None, lambda _connection: None))

    def close(self) -> None:
        """Commit what waits and end the thread; safe to call twice."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            self._queue.put(None)
        self._access.closing.set()
        self._thread.join()

    def _put(self, item: _Item) -> None:
        with self._lock:
            if self._closed:
                raise StateError("the state database is closed")
            if item.row is not None and self._spool is not None:
                self._open[id(item)] = item.row
                if self._out:
                    self._spool.keep(item.row)
            self._queue.put(item)

    def _run(self) -> None:
        while True:
            try:
                first = self._queue.get(timeout=self._left())
            except queue.Empty:
                self._commit([self._due()])
                continue
            if first is None:
                return
            time.sleep(WINDOW)
            group = [first]
            if self._left() == 0:
                group.append(self._due())
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

    def _left(self) -> float | None:
        """Return the seconds until the regular work is due; None where there is none."""
        return None if self._regular is None else max(0.0, self._next - time.monotonic())

    def _due(self) -> _Item:
        assert self._regular is not None
        self._next = time.monotonic() + self._every
        return _Item(lambda _result, _error: None, self._regular)

    def _commit(self, group: list[_Item]) -> None:
        works = [item for item in group if item.work is not None]
        calls = [item for item in group if item.row is not None]

        def all_of_it(connection: Connection) -> list[Any]:
            results = [item.work(connection) for item in works if item.work is not None]
            rows = [item.row for item in calls if item.row is not None]
            return results + (self._write_calls(connection, rows) if rows else [])

        try:
            results = self._access.write(all_of_it)
        except StateError as error:
            # The server is gone for good: what came is in the spool.
            for item in group:
                item.done(None, error)
            return
        except Exception as error:
            if len(group) > 1:
                # One bad piece of work must not take the others with it.
                for item in group:
                    self._commit([item])
                return
            group[0].done(None, unwritten(self._access.location, error))
            self._settle(group)
            return
        self._settle(group)
        for item, result in zip(works + calls, results, strict=True):
            item.done(result, None)

    def _settle(self, group: Sequence[_Item]) -> None:
        """Forget what is committed, and the file of what was not once all of it is."""
        if self._spool is None:
            return
        with self._lock:
            for item in group:
                self._open.pop(id(item), None)
            if self._out and not self._open:
                self._out = False
                self._spool.clear()

    def _outage(self) -> None:
        """Write down at once what came and is not committed: this process may not live to do it."""
        if self._spool is None:
            return
        with self._lock:
            self._out = True
            for row in self._open.values():
                self._spool.keep(row)
