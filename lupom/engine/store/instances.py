"""DuckDB instances in memory, to which files are attached for as long as they are open.

An instance takes 21 ms of CPU to make, nearly all of it for its catalog of functions, and a file
0.8 ms to attach. A run opens its store dozens of times, so an instance that is given back is used
again, with nothing attached.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from lupom.engine.store.names import quoted

if TYPE_CHECKING:
    import duckdb

# One for a store and one for what is looked at beside it.
_MOST_IDLE = 2

_lock = threading.Lock()
_idle: list[tuple[int, duckdb.DuckDBPyConnection]] = []


def take() -> duckdb.DuckDBPyConnection:
    """Return a connection to an instance of its own, to be given back or closed."""
    import duckdb

    with _lock:
        while _idle:
            process, connection = _idle.pop()
            # The threads of an instance do not live on in a fork.
            if process == os.getpid():
                return connection
    # Without replacement scans a misspelt table is an error, not some Python variable of ours.
    return duckdb.connect(":memory:", config={"python_enable_replacements": "false"})


def give_back(connection: duckdb.DuckDBPyConnection) -> None:
    """Detach what is attached to an instance, and keep it for the next who takes one.

    Files are closed by that, as long as no cursor has a transaction open. An instance that cannot
    be left as it was at first is closed.
    """
    import duckdb

    try:
        connection.execute("use memory")
        attached = connection.execute(
            "select database_name from duckdb_databases() where not internal"
            " and database_name <> 'memory'"
        ).fetchall()
        for (name,) in attached:
            connection.execute(f"detach {quoted(name)}")
    except duckdb.Error:
        connection.close()
        return
    with _lock:
        if len(_idle) < _MOST_IDLE:
            _idle.append((os.getpid(), connection))
            return
    connection.close()


@contextmanager
def instance() -> Iterator[duckdb.DuckDBPyConnection]:
    """Take an instance for a moment; what is created in it must be gone at the end."""
    connection = take()
    try:
        yield connection
    except BaseException:
        connection.close()
        raise
    give_back(connection)
