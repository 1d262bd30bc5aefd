"""A store that many read and write: a DuckLake, its catalog in a database, its data in files.

Each commit makes a snapshot that names its run. One commits at a time, by a lease; who reads sees
the snapshot before or the one after, and waits for nobody (but where the catalog is a DuckDB file,
which one process has open at a time).
"""

from __future__ import annotations

import json
import os
import secrets
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from lupom.engine.errors import StoreError
from lupom.engine.place import POSTGRESQL, SQLITE
from lupom.engine.store import messages
from lupom.engine.store.base import CATALOG, Store
from lupom.engine.store.catalog import Catalog
from lupom.engine.store.instances import give_back, instance, take
from lupom.engine.store.kept import kept_select, kept_type
from lupom.engine.store.lease import FileLease, Lease, LeaseLost, TableLease, user
from lupom.engine.store.names import literal, quoted
from lupom.engine.store.objects import Objects
from lupom.engine.store.outage import is_outage, until_back
from lupom.engine.store.snapshots import Expired, Snapshot, expire, old, read, wanted

if TYPE_CHECKING:
    from datetime import datetime

    import duckdb

    from lupom.engine.store.records import TableRecord

T = TypeVar("T")

# Rows up to which a change of LUPoM's own notes is kept in the catalog: with a file for each note,
# a run of 40 nodes would leave 80, and reading the notes would open one for each node.
_INLINED = 1000
# How often a commit is tried where others commit past LUPoM, and a connection that was lost.
_TRIES = 10
# Seconds for which an idle connection is good: credentials for S3 may be of an hour.
_FRESH = 600.0
# As many as threads of a run.
_MOST_IDLE = 8


@dataclass(slots=True)
class _One:
    """A connection on which the lake is attached: how, and since when."""

    connection: duckdb.DuckDBPyConnection
    read_only: bool
    opened: float
    spoilt: bool = False


class DuckLake(Store):
    """A DuckLake.

    Parameters
    ----------
    catalog : its catalog.
    data : folder or s3:// address of its files, which end there.
    objects : how to get at them where `data` is in S3; None where it is a folder.
    wait, on_wait : as for `Store`.
    at : the snapshot that is seen; None is the newest.
    """

    shared = True

    def __init__(
        self,
        catalog: Catalog,
        data: str,
        *,
        objects: Objects | None = None,
        wait: float = 600.0,
        at: int | None = None,
    ) -> None:
        super().__init__(wait)
        self.catalog = catalog
        self.data = data.rstrip("/") + "/"
        self._objects = objects
        self._at = at
        self._there = False
        self._alone = threading.RLock()
        self._idle: list[_One] = []
        self._of_thread = threading.local()
        self._turns = threading.Lock()
        self._lease: Lease | None = None
        self._token = ""

    @property
    def place(self) -> str:
        return f"the lake in {self.catalog}"

    @property
    def exists(self) -> bool:
        self._there = self._there or self.catalog.exists()
        return self._there

    def check(self) -> None:
        """Raise StoreError where the folder of the data cannot be written, or S3 refuses it."""
        if self._objects is not None:
            return self._objects.look()
        folder = Path(self.data)
        if self.exists and not folder.is_dir():
            # One that is not mounted would be made, without the tables.
            raise self._unfit("is not there; is it mounted?")
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise self._unfit(f"cannot be made: {error.strerror or error}") from error
        if not os.access(folder, os.W_OK | os.X_OK):
            raise self._unfit("cannot be written")

    def _unfit(self, why: str) -> StoreError:
        said = f"the folder {self.data.rstrip('/')} of the lake's data {why}"
        return StoreError(said, hint="'data' of the target names it")

    def attach(self, connection: duckdb.DuckDBPyConnection, alias: str) -> None:
        """Attach the lake read-only under a name; raises StoreError."""
        if not self.exists:
            raise StoreError(f"there is no lake in {self.catalog}", hint="lupom run makes it")
        self._attach(connection, alias, read_only=True)

    def at(self, text: str) -> DuckLake:
        """Return the lake as it was after a run, at a snapshot's number or at a time.

        Raises UsageError where there is no such snapshot.
        """
        snapshot = wanted(text, self.snapshots())
        store = DuckLake(
            self.catalog,
            self.data,
            objects=self._objects,
            wait=self.wait,
            at=snapshot.id,
        )
        store.on_wait = self.on_wait
        return store

    def snapshots(self) -> list[Snapshot]:
        """Return the snapshots there are, the oldest first."""
        with self.reading() as cursor:
            return read(cursor, CATALOG)

    def records(self) -> dict[str, TableRecord]:
        """Return what the store knows of its relations, by node; see `Store`."""
        return self._patiently(super().records)

    def expire(self, before: datetime, *, dry_run: bool = False) -> Expired:
        """Give up snapshots from before a time, but never the newest, and the files that only they
        need; many small files of LUPoM's own tables become few.

        With `dry_run` nothing is given up, and files are not counted.
        """
        with self.hold(read_only=dry_run and self.idle) as cursor:
            if dry_run:
                return Expired(old(read(cursor, CATALOG), before), 0)
            with self._turn(None):
                return expire(cursor, CATALOG, before)

    def relations(
        self, cursor: duckdb.DuckDBPyConnection, schema: str = "main", alias: str = CATALOG
    ) -> dict[str, str]:
        """Return what stands in a schema, by the tables of DuckLake's catalog.

        DuckDB's own list takes .15 s of CPU for 100 tables, these 4 ms.
        """
        where = quoted(f"__ducklake_metadata_{alias}", *self.catalog.schemas)
        now = "{0}.end_snapshot is null"
        if self._at is not None:
            now = (
                f"{{0}}.begin_snapshot <= {self._at} and ({now} or {{0}}.end_snapshot > {self._at})"
            )
        parts = [
            f"select {kind}_name, '{kind}' from {where}.ducklake_{kind} as r"
            f" join {where}.ducklake_schema as s using (schema_id)"
            f" where s.schema_name = $schema and {now.format('r')} and {now.format('s')}"
            for kind in ("table", "view")
        ]
        found = cursor.execute(" union all ".join(parts), {"schema": schema}).fetchall()
        return {str(name): str(kind) for name, kind in found}

    def stored(self, cursor: duckdb.DuckDBPyConnection, select: str) -> str:
        """Return a select with its columns in types that a lake keeps."""
        return kept_select(cursor, select)

    def stored_type(self, kind: str) -> str:
        """Return the type in which values of a DuckDB type are kept."""
        import duckdb

        return kept_type(duckdb.type(kind)) or kind

    def close(self) -> None:
        """Close the lake, whoever holds it in this process, and the connection of its lease."""
        super().close()
        with self._lock:
            idle, self._idle = self._idle, []
        for one in idle:
            self._retire(one)
        if isinstance(self._lease, TableLease):
            self._lease.close()

    def _open(self, read_only: bool) -> duckdb.DuckDBPyConnection:
        import duckdb

        if not self.exists:
            if read_only:
                raise StoreError(f"there is no lake yet in {self.catalog}", hint="lupom run")
            self._make()
        connection = take()
        deadline = time.monotonic() + self.wait
        pause, told = 0.02, False
        while True:
            try:
                self._attach(connection, CATALOG, read_only=read_only or self._at is not None)
                break
            except StoreError as error:
                cause = error.__cause__
                # A catalog that is a DuckDB file is open in one process at a time.
                holder = None if cause is None else messages.holder(cause)
                if self.catalog.kind == SQLITE and "database is locked" in str(cause):
                    holder = "another process"
                if holder is None or time.monotonic() >= deadline:
                    connection.close()
                    if holder is not None:
                        raise StoreError(
                            f"the catalog {self.catalog} is held by {holder}",
                            hint=f"waited {self.wait:g} s (store_wait); a catalog in SQLite or"
                            " PostgreSQL is open to many",
                        ) from cause
                    raise
                if not told and self.on_wait is not None:
                    self.on_wait(f"waiting for the catalog, held by {holder}")
                    told = True
                time.sleep(pause)
                pause = min(pause * 1.5, 0.5)
        try:
            connection.execute(f"use {CATALOG}")
            # A commit that somebody came before fails, and is done again on what they made.
            connection.execute("set ducklake_max_retry_count = 0")
            whole = read_only or self._at is not None
            if not whole and "tables" not in self.relations(connection, "lupom_meta"):
                # Whoever made the lake was killed at it, or was not LUPoM.
                with self._turn(None):
                    self._prepare(connection)
        except duckdb.Error as error:
            connection.close()
            raise self.catalog.explained(error) from error
        return connection

    def _make(self) -> None:
        """Make the lake, and LUPoM's own tables in it."""
        import duckdb

        self.check()
        if self.catalog.path is not None:
            self.catalog.path.parent.mkdir(parents=True, exist_ok=True)
        with self._turn(None):
            try:
                with instance() as connection:
                    self._attach(connection, CATALOG, read_only=False)
                    connection.execute(f"use {CATALOG}")
                    self._prepare(connection)
                self._there = True
            except duckdb.Error as error:
                raise self.catalog.explained(error) from error

    def _prepare(self, connection: duckdb.DuckDBPyConnection) -> None:
        connection.execute("create schema if not exists lupom_meta")
        connection.execute(
            f"call {CATALOG}.set_option('data_inlining_row_limit', '{_INLINED}',"
            " schema => 'lupom_meta')"
        )
        # A setting wants a schema that is committed. The tables are one commit, both or neither.
        connection.execute("begin")
        super()._prepare(connection)
        connection.execute("commit")

    def _attach(
        self, connection: duckdb.DuckDBPyConnection, alias: str, *, read_only: bool
    ) -> None:
        import duckdb

        options: dict[str, str | None] = {
            "data_path": literal(self.data),
            # Small tables too are files: another database makes its own of their values.
            "data_inlining_row_limit": "0",
        }
        if read_only:
            options["read_only"] = None
        if self._at is not None:
            options["snapshot_version"] = str(self._at)
        try:
            if self._objects is not None:
                self._objects.prepare(connection, f"{alias}_data")
            self.catalog.attach(connection, alias, options)
        except duckdb.Error as error:
            raise self.catalog.explained(error) from error

    @contextmanager
    def hold(self, *, read_only: bool = False) -> Iterator[duckdb.DuckDBPyConnection]:
        """Yield a connection that nobody else in this process has; raises StoreError.

        Threads that share an instance of DuckDB share DuckLake's catalog in it, and that is not
        safe: of 97 nodes by four threads one or two failed ("Referenced table not found",
        "basic_string::_M_create"). A catalog that is a DuckDB file can be open in one instance
        alone, so there one thread waits for the other.
        """
        if self.catalog.exclusive:
            with self._alone, super().hold(read_only=read_only) as cursor:
                yield cursor
            return
        import duckdb

        self.acquire(read_only=read_only)
        try:
            one = self._patiently(lambda: self._take(read_only))
            self._mine.append(one)
            try:
                yield one.connection
            except duckdb.Error as error:
                if self._is_loss(error):
                    one.spoilt = True
                    raise self.catalog.explained(error) from error
                if self._objects is not None:
                    self._objects.refuse(error)
                raise
            finally:
                self._mine.pop()
                self._give(one)
        finally:
            self.release()

    def _patiently(self, ask: Callable[[], T]) -> T:
        """Wait for a server that was there before and is gone; the first to find none says so."""
        return until_back(ask, self.wait if self._there else 0.0, self.on_wait, self.catalog)

    def came_back(self, error: Exception) -> bool:
        """Tell whether an error is that of a server that was gone, and is there again."""
        if self._objects is not None and self._objects.is_outage(error):
            return self._objects.came_back(self.wait, self.on_wait)
        if not self._is_loss(error):
            return False
        with suppress(StoreError):
            return self._patiently(self.catalog.exists)
        return False

    def acquire(self, *, read_only: bool = False) -> None:
        """Take a share; each needs one `release`."""
        if self.catalog.exclusive:
            super().acquire(read_only=read_only)
            return
        with self._lock:
            self._holders += 1

    def spoil(self) -> None:
        """Say that the connection held now is not to be used again once it is released."""
        if self.catalog.exclusive:
            super().spoil()
            return
        for one in self._mine[-1:]:
            one.spoilt = True

    @property
    def _mine(self) -> list[_One]:
        """The connections that this thread holds."""
        if not hasattr(self._of_thread, "held"):
            self._of_thread.held = []
        held: list[_One] = self._of_thread.held
        return held

    def _take(self, read_only: bool) -> _One:
        """Return an idle connection, or a new one."""
        now = time.monotonic()
        while True:
            with self._lock:
                fit = [one for one in self._idle if one.read_only == read_only]
                if fit:
                    self._idle.remove(fit[-1])
            if not fit:
                return _One(self._ready(read_only), read_only, now)
            if now - fit[-1].opened < _FRESH and self._answers(fit[-1]):
                return fit[-1]
            self._retire(fit[-1])

    def _answers(self, one: _One) -> bool:
        """Tell whether an idle connection still has its server."""
        import duckdb

        if self.catalog.kind != POSTGRESQL:
            return True
        where = quoted(f"__ducklake_metadata_{CATALOG}", *self.catalog.schemas)
        try:
            one.connection.execute(f"select 1 from {where}.ducklake_metadata limit 1").fetchall()
        except duckdb.Error:
            one.spoilt = True
        return not one.spoilt

    def _give(self, one: _One) -> None:
        """Keep a connection for the next who needs one: to attach a lake again takes 70 ms, and an
        idle connection holds up nobody, but where it has a DuckDB file open beside."""
        if not (one.spoilt or self.attached or self.beside):
            with self._lock:
                if len(self._idle) < _MOST_IDLE:
                    self._idle.append(one)
                    return
        self._retire(one)

    def _retire(self, one: _One) -> None:
        if one.spoilt:
            one.connection.close()
        else:
            _forget_secrets(one.connection)
            give_back(one.connection)

    def _unheld(self) -> None:
        if self._connection is not None and not self._spoilt:
            _forget_secrets(self._connection)
        super()._unheld()

    @contextmanager
    def _turn(self, run_id: str | None) -> Iterator[None]:
        with self._turns:
            if self._lease is None:
                self._lease = self._make_lease()
            self._lease.on_wait = self.on_wait
            with self._lease.hold(run_id):
                yield

    def _make_lease(self) -> Lease:
        if self.catalog.path is not None:
            return FileLease(self.catalog.path, self.wait)
        return TableLease(self.catalog, self.wait)

    def _begun(self) -> None:
        self._token = ""

    def _seal(self, cursor: duckdb.DuckDBPyConnection, run_id: str | None, what: str) -> None:
        self._token = secrets.token_hex(8)
        author = f"{user()}@{socket.gethostname()}"
        message = f"{run_id}: {what}" if run_id else what
        extra = json.dumps({"run": run_id, "what": what, "token": self._token})
        cursor.execute(
            f"call {CATALOG}.set_commit_message({literal(author)}, {literal(message)},"
            f" extra_info => {literal(extra)})"
        )
        assert self._lease is not None
        self._lease.check()

    def _again(self, error: Exception, attempt: int) -> bool:
        if self._objects is not None:
            self._objects.refuse(error)
            if self._objects.is_outage(error):
                return attempt < _TRIES and self._objects.came_back(self.wait, self.on_wait)
        text = str(error)
        conflict = "maximum retry count" in text or "conflict" in text.lower()
        # SQLite gives up after five seconds of waiting for another's commit.
        conflict = conflict or (self.catalog.kind == SQLITE and "database is locked" in text)
        return attempt < _TRIES and (
            isinstance(error, LeaseLost) or conflict or self._is_loss(error)
        )

    def _is_loss(self, error: Exception) -> bool:
        """Tell whether an error is that of a connection to PostgreSQL which broke off."""
        return self.catalog.kind == POSTGRESQL and is_outage(error)

    def _landed(self, cursor: duckdb.DuckDBPyConnection, error: Exception) -> bool:
        """Wait for the server after a lost connection, and look whether it had committed."""
        import duckdb

        if not self._is_loss(error):
            return False
        if self.on_wait is not None:
            self.on_wait(f"the connection to {self.catalog} is lost; waiting for the server")
        noted = f"contains(commit_extra_info, {literal(self._token)})"
        query = f"select count(*) from {CATALOG}.snapshots() where {noted}"
        try:
            ((count,),) = until_back(
                lambda: cursor.execute(query).fetchall(), self.wait, None, self.catalog
            )
        except duckdb.Error as gone:
            raise self.catalog.explained(gone) from error
        return bool(self._token and count)


def _forget_secrets(connection: duckdb.DuckDBPyConnection) -> None:
    with suppress(Exception):
        for name in ("data", "catalog"):
            connection.execute(f"drop secret if exists {CATALOG}_{name}")
