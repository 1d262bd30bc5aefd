"""DuckDB as the tests use it, whose tables mostly have some dozens of rows."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import duckdb

from lupom.engine.store import instances

# To try all compressions on each column that is written takes a fifth of what runs of small
# projects do (FSST .25 ms of CPU a column of text however few rows there are), and threads that
# look for work on cores where other tests are at work another fifth.
_UNCOMPRESSED = "set force_compression = 'uncompressed'"
_ONE_CORE = "set threads = 1"

_connect = duckdb.connect
_told = f"{_UNCOMPRESSED}; {_ONE_CORE}"


def _connect_for_few_rows(*args: Any, **options: Any) -> duckdb.DuckDBPyConnection:
    connection = _connect(*args, **options)
    connection.execute(_told)
    return connection


def spare() -> None:
    """Let `duckdb.connect` make instances of one thread that compress nothing."""
    duckdb.connect = _connect_for_few_rows
    instances._MOST_IDLE = 6


@contextmanager
def all_cores() -> Iterator[None]:
    """Let instances that are made meanwhile work on all cores, as those of users do."""
    global _told
    before = _told
    _told = _UNCOMPRESSED
    _give_up_idle()
    try:
        yield
    finally:
        _told = before
        _give_up_idle()


def _give_up_idle() -> None:
    while instances._idle:
        instances._idle.pop()[1].close()
