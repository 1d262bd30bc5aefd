"""Notices a server that was asked something and does not answer: it is there, and stands still.

A connection that breaks is an error at once or after half a minute. A server that is frozen, whose
disk hangs or whose lock nobody gives back keeps its connections and says nothing for ever.
"""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlalchemy import Connection

# Seconds without an answer that are told, and between two looks.
SILENT, _LOOK = 15.0, 1.0


class Watch:
    """A thread that looks how long the connections in use have been waiting for their answers."""

    def __init__(
        self, told: Callable[[float], None], patience: Callable[[], float], silent: float = SILENT
    ) -> None:
        """Begin.

        Parameters
        ----------
        told : called with the seconds of a silence, once for each piece of work that is silent.
        patience : returns the seconds after which a silent connection is cut, so that whoever waits
            for it has an error.
        """
        self._told = told
        self._patience = patience
        self._silent = silent
        self._lock = threading.Lock()
        self._waiting: dict[int, tuple[float, Connection]] = {}
        self._said: set[int] = set()
        self._end = threading.Event()
        threading.Thread(target=self._run, name="lupom-state-watch", daemon=True).start()

    @contextmanager
    def over(self, connection: Connection) -> Iterator[None]:
        """Watch a connection for as long as it is worked with."""
        number = id(connection)
        with self._lock:
            self._waiting[number] = (time.monotonic(), connection)
        try:
            yield
        finally:
            with self._lock:
                self._waiting.pop(number, None)
                self._said.discard(number)

    def stop(self) -> None:
        """End the thread; safe to call twice."""
        self._end.set()

    def _run(self) -> None:
        while not self._end.wait(min(_LOOK, self._silent)):
            now, patience = time.monotonic(), self._patience()
            with self._lock:
                waiting = list(self._waiting.items())
            for number, (since, _) in waiting:
                if now - since > min(self._silent, patience) and number not in self._said:
                    self._said.add(number)
                    self._told(now - since)
                if now - since > patience:
                    self._cut(number)

    def _cut(self, number: int) -> None:
        # Under the lock: work that has just ended may have closed its connection, and the number of
        # its socket be another's.
        with self._lock:
            found = self._waiting.get(number)
            if found is None:
                return
            with suppress(Exception):
                raw = found[1].connection.driver_connection
                assert raw is not None
                with socket.socket(fileno=os.dup(raw.pgconn.socket)) as line:
                    line.shutdown(socket.SHUT_RDWR)
