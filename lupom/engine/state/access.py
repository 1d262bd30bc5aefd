"""Reads and writes of a state database, patient with a server that is gone for a while."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, TypeVar

from lupom.engine.errors import StateError
from lupom.engine.place import SQLITE
from lupom.engine.state.opening import cause, say
from lupom.engine.state.watch import SILENT, Watch

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

    from lupom.engine.state.dialect import Dialect
    from lupom.engine.state.location import Location

T = TypeVar("T")
# Seconds between two tries: at first, and at most.
_FIRST, _LONGEST = 0.1, 5.0
# Seconds a server may be gone when nobody wants anything any more but to be done.
_CLOSING = 10.0
# SQLSTATE classes of a connection that is gone, and of a server that comes or goes.
_GONE = ("08", "57P")
# A server that takes no writes for now: a standby that is to take over, or one without room on its
# disk or in memory. One that never took any is one that this user may only read.
_REFUSES = ("25006", "53")
# Two transactions stood in each other's way: one of them was undone, and is simply done again.
_AGAIN = ("40001", "40P01")


class Access:
    """A database's engine, and the patience with which it is used; from any thread.

    Attributes
    ----------
    wait : seconds that a server may be gone before what is asked of it fails, all of it at once.
    on_outage : called when the connection is lost, before anything is tried again.
    """

    def __init__(
        self,
        engine: Engine,
        dialect: Dialect,
        location: Location,
        *,
        wait: float,
        say: Callable[[str], None] = say,
        silent: float = SILENT,
    ) -> None:
        self.engine = engine
        self.dialect = dialect
        self.location = location
        self.wait = wait
        self.closing = threading.Event()
        self.on_outage: Callable[[], None] = lambda: None
        self._writes = engine.execution_options(writes=True)
        self._say = say
        self._lock = threading.Lock()
        self._since: float | None = None
        self._given_up: StateError | None = None
        self._wrote = False
        self._watch = None
        if location.kind != SQLITE:
            self._watch = Watch(self._silent, self._patience, silent)

    def end(self) -> None:
        """Close all connections; nothing is read or written after it."""
        if self._watch is not None:
            self._watch.stop()
        self.engine.dispose()

    @property
    def given_up(self) -> bool:
        """Whether the server was gone for too long."""
        return self._given_up is not None

    def read(self, work: Callable[[Connection], T]) -> T:
        """Return what work reads; raises StateError when the server is gone for too long."""

        def once() -> T:
            with self.engine.connect() as connection, self._watched(connection):
                return work(connection)

        return self._patiently(once)

    def write(self, work: Callable[[Connection], T]) -> T:
        """Run work in a transaction, again where the connection was lost before its end was known.

        So work says how things are to be, not what is to be added.
        """

        def once() -> T:
            with (
                self._writes.connect() as connection,
                self._watched(connection),
                connection.begin(),
            ):
                result = work(connection)
            self._wrote = True
            return result

        return self._patiently(once)

    def _watched(self, connection: Connection) -> AbstractContextManager[None]:
        return nullcontext() if self._watch is None else self._watch.over(connection)

    def _patiently(self, once: Callable[[], T]) -> T:
        if self.location.kind == SQLITE:
            return once()
        from sqlalchemy.exc import DBAPIError

        pause = _FIRST
        while True:
            if self._given_up is not None:
                raise self._given_up
            try:
                result = once()
            except DBAPIError as error:
                state = getattr(error.orig, "sqlstate", None) or ""
                if state in _AGAIN:
                    continue
                refuses = self._wrote and state.startswith(_REFUSES)
                if not (refuses or error.connection_invalidated or _is_gone(error, state)):
                    raise
                if refuses:
                    # What takes its place is met by new connections.
                    self.engine.dispose()
                self._lost(error)
            else:
                self._found()
                return result
            self.closing.wait(pause) if not self.closing.is_set() else time.sleep(pause)
            pause = min(pause * 2, _LONGEST)

    def _lost(self, error: BaseException) -> None:
        with self._lock:
            first = self._since is None
            now = time.monotonic()
            self._since = since = now if self._since is None else self._since
            if first:
                self._tell(f"is gone: {cause(self.location, error)}")
            if now - since > self._patience():
                self._given_up = StateError(
                    f"the ledger at {self.location} was gone for {now - since:.0f} s:"
                    f" {cause(self.location, error)}",
                    hint="run again once it is back: answers that came meanwhile are kept in"
                    " .lupom/ and go into it then",
                )
        if first:
            self.on_outage()

    def _silent(self, seconds: float) -> None:
        """Note that the server was asked something and does not answer."""
        with self._lock:
            first = self._since is None
            if first:
                self._since = time.monotonic() - seconds
                self._tell(f"has not answered for {seconds:.0f} s")
        if first:
            self.on_outage()

    def _tell(self, what: str) -> None:
        self._say(
            f"The ledger at {self.location} {what}. Waiting for it, {self.wait:g} s at most;"
            " answers that come are kept."
        )

    def _patience(self) -> float:
        """Return for how many seconds the server may be gone now."""
        return min(self.wait, _CLOSING) if self.closing.is_set() else self.wait

    def _found(self) -> None:
        if self._since is None:
            return
        with self._lock:
            since, self._since = self._since, None
        if since is not None:
            self._say(f"The ledger is back after {time.monotonic() - since:.0f} s.")


def _is_gone(error: BaseException, state: str) -> bool:
    from sqlalchemy.exc import InterfaceError, OperationalError

    if state:
        return state.startswith(_GONE)
    # No connection was made at all: there is no state of it to tell.
    return isinstance(error, OperationalError | InterfaceError)
