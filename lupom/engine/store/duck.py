"""The plain store: a DuckDB file.

DuckDB lets one process write a file, and nobody else open it meanwhile: who needs it waits for
whoever has it open.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from lupom.engine.errors import StoreError
from lupom.engine.store import messages
from lupom.engine.store.attached import attach, check_path
from lupom.engine.store.base import CATALOG, Store
from lupom.engine.store.instances import take
from lupom.engine.store.names import literal
from lupom.engine.store.records import TableRecord
from lupom.engine.store.relations import relation_kinds

if TYPE_CHECKING:
    import duckdb

# Rows that DuckDB works on one thread: a row group of its tables.
ROW_GROUP = 122_880


class DuckFile(Store):
    """A DuckDB file.

    Parameters
    ----------
    path : the file; made at the first commit.
    wait, on_wait : as for `Store`.
    """

    def __init__(
        self, path: Path, wait: float = 60.0, on_wait: Callable[[str], None] | None = None
    ) -> None:
        super().__init__(wait, on_wait)
        self.path = path
        # Relations standing in the file, read once at its opening: asking DuckDB's catalog before
        # each of 500 commits costs 1 ms each, a sixth of the whole run.
        self._kinds: dict[str, str] = {}
        # How many threads DuckDB had before it was kept to one.
        self._threads: int | None = None

    @property
    def place(self) -> str:
        return str(self.path)

    @property
    def name(self) -> str:
        return self.path.stem

    @property
    def exists(self) -> bool:
        return self.path.is_file()

    @property
    def spill(self) -> str:
        return f"{self.path}.tmp"

    def check(self) -> None:
        """Raise StoreError for a path at which DuckDB cannot keep a database."""
        check_path(self.path)

    def attach(self, connection: duckdb.DuckDBPyConnection, alias: str) -> None:
        """Attach the file read-only under a name; raises SourceError."""
        attach(connection, alias, self.path)

    def _open(self, read_only: bool) -> duckdb.DuckDBPyConnection:
        import duckdb

        check_path(self.path)
        if read_only and not self.exists:
            raise StoreError(f"there is no store yet at {self.path}", hint="lupom run builds it")
        if not read_only:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        deadline = time.monotonic() + self.wait
        pause, told = 0.02, False
        while True:
            try:
                connection = _attach(self.path, read_only)
            except duckdb.IOException as error:
                if not messages.is_held(error):
                    raise self._closed(error) from error
                holder = messages.holder(error) or "another process"
                if time.monotonic() >= deadline:
                    raise StoreError(
                        f"the store {self.path} is held by {holder}",
                        hint=f"close it there; waited {self.wait:g} s (store_wait)",
                    ) from error
                if not told and self.on_wait is not None:
                    self.on_wait(f"waiting for the store, held by {holder}")
                    told = True
                time.sleep(pause)
                pause = min(pause * 1.5, 0.5)
            except duckdb.Error as error:
                raise self._closed(error) from error
            else:
                if not read_only:
                    self._prepare(connection)
                return connection

    def _closed(self, error: duckdb.Error) -> StoreError:
        hint = None
        if "version number" in str(error):
            import duckdb

            hint = (
                f"another DuckDB than the one here, {duckdb.__version__}, has written it:"
                " pip install --upgrade duckdb, or give the target another path"
            )
        return StoreError(f"cannot open {self.path}: {messages.first_line(error)}", hint=hint)

    def _ready(self, read_only: bool) -> duckdb.DuckDBPyConnection:
        connection = super()._ready(read_only)
        self._kinds = relation_kinds(connection)
        if self.small and not read_only:
            self._threads = _set_threads(connection, 1)
        return connection

    def _unheld(self) -> None:
        self._widen()
        super()._unheld()

    def _widen(self) -> None:
        """Let DuckDB use as many cores as before."""
        if self._threads is not None and self._connection is not None:
            _set_threads(self._connection, self._threads)
        self._threads = None

    def _standing(self, cursor: duckdb.DuckDBPyConnection) -> dict[str, str]:
        return self._kinds

    def _committed(self, record: TableRecord) -> None:
        self._kinds[record.node] = record.kind
        if (record.row_count or 0) > ROW_GROUP:
            with self._lock:
                self.small = False
                self._widen()


def _attach(path: Path, read_only: bool) -> duckdb.DuckDBPyConnection:
    connection = take()
    try:
        mode = " (read_only)" if read_only else ""
        connection.execute(f"attach {literal(path)} as {CATALOG}{mode}")
        connection.execute(f"use {CATALOG}")
    except BaseException:
        connection.close()
        raise
    return connection


def _set_threads(connection: duckdb.DuckDBPyConnection, number: int) -> int:
    """Let DuckDB use so many threads; returns how many it used."""
    ((before,),) = connection.execute("select current_setting('threads')").fetchall()
    connection.execute(f"set threads = {int(number)}")
    return int(before)
