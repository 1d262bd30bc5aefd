"""What a run needs of a store, whatever keeps the tables: the interface, and what all share.

A store is open only for the moment of a read or a commit: a connection is held for as long as
somebody holds it (`Store.hold`), and closed as soon as nobody does. An adapter says how it is
reached (`_open`, `attach`) and what about it is not as in DuckDB itself.
"""

from __future__ import annotations

import copy
import json
import os
import tempfile
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from lupom.engine.errors import StoreError, UsageError
from lupom.engine.store.attached import attach
from lupom.engine.store.contents import content_hash
from lupom.engine.store.instances import give_back
from lupom.engine.store.names import literal, quoted
from lupom.engine.store.records import TableRecord
from lupom.engine.store.relations import relation_kinds

if TYPE_CHECKING:
    from datetime import datetime

    import duckdb

    from lupom.engine.store.snapshots import Expired, Snapshot

# LUPoM's own connections attach the store under this name whatever it is called, so that
# `lupom.calls` means its table `calls`, here as in any client on lupom.duckdb. A schema
# of that name would be ambiguous in just those clients: DuckDB refuses `lupom.calls` where both
# the catalog and a schema are called so.
CATALOG = "lupom"

# The schema of failing rows that data tests keep.
FAILURES = "lupom_failures"

_META = """
create schema if not exists lupom_meta;
create table if not exists lupom_meta.tables (
    node varchar not null,
    kind varchar not null,
    fingerprint varchar not null,
    code varchar not null,
    parts varchar not null,
    content_hash varchar,
    row_count bigint,
    run_id varchar,
    built_at timestamptz not null
);
create table if not exists lupom_meta.quarantine (
    node varchar not null,
    key varchar not null,
    call_id varchar not null,
    error varchar,
    answer varchar
);
"""

_NO_SNAPSHOTS = "a plain DuckDB file keeps its present state alone"
_TO_HAVE_THEM = "a target of type: ducklake keeps a snapshot of each commit (docs/scaling.md)"

Work = Callable[["duckdb.DuckDBPyConnection"], object]


class Store(ABC):
    """Tables, and the few verbs a run needs.

    Parameters
    ----------
    wait : seconds to wait for another process that holds what is needed.
    on_wait : called with a message when a wait begins.

    Attributes
    ----------
    place : where it is, for people.
    attached : other DuckDB files that are read along, by name.
    beside : other stores that are read along, by name.
    shared : whether others may commit while somebody here holds it.
    """

    shared = False

    def __init__(self, wait: float, on_wait: Callable[[str], None] | None = None) -> None:
        self.wait = wait
        self.on_wait = on_wait
        self.attached: dict[str, Path] = {}
        self.beside: dict[str, Store] = {}
        # What DuckDB may take of memory ('4GB'); None leaves it to DuckDB.
        self.memory: str | None = None
        # Whether all tables are thought to have few rows, so that more of DuckDB's threads would
        # find nothing to do: on two cores waking them was a twentieth of the CPU of a run.
        self.small = False
        self._lock = threading.Lock()
        self._note_lock = threading.Lock()
        self._connection: duckdb.DuckDBPyConnection | None = None
        self._holders = 0
        self._read_only = False
        self._spoilt = False

    # What an adapter says.

    @property
    @abstractmethod
    def place(self) -> str: ...

    @property
    @abstractmethod
    def exists(self) -> bool:
        """Whether there is anything yet: the first commit makes it."""

    @abstractmethod
    def attach(self, connection: duckdb.DuckDBPyConnection, alias: str) -> None:
        """Attach it read-only to somebody's connection under a name.

        Raises SourceError or StoreError when it is not there or cannot be read.
        """

    @abstractmethod
    def _open(self, read_only: bool) -> duckdb.DuckDBPyConnection:
        """Return a connection on which it is attached as CATALOG; raises StoreError."""

    # What an adapter may say otherwise.

    @property
    def spill(self) -> str:
        """Where DuckDB puts what goes beyond `memory`; it is deleted when the store is closed."""
        return str(Path(tempfile.gettempdir()) / f"lupom-{os.getpid()}-spill")

    def check(self) -> None:  # noqa: B027 -- an adapter need not
        """Raise StoreError where nothing can be kept at this place, before a run begins."""

    def stored(self, cursor: duckdb.DuckDBPyConnection, select: str) -> str:
        """Return a select whose rows can be kept: columns of a type that cannot are cast."""
        return select

    def stored_type(self, kind: str) -> str:
        """Return the type in which values of a DuckDB type are kept."""
        return kind

    def _turn(self, run_id: str | None) -> AbstractContextManager[None]:
        """Hold back whoever else would commit at the same time."""
        return nullcontext()

    def relations(
        self, cursor: duckdb.DuckDBPyConnection, schema: str = "main", alias: str = CATALOG
    ) -> dict[str, str]:
        """Return 'table' or 'view' by name, for every relation of a schema.

        `alias` is the name it is attached under, as the cursor's current database.
        """
        return relation_kinds(cursor, schema)

    def _standing(self, cursor: duckdb.DuckDBPyConnection) -> dict[str, str]:
        """Return the relations of the schema main."""
        return self.relations(cursor)

    def _committed(self, record: TableRecord) -> None:  # noqa: B027
        """Take note that a relation stands."""

    def _seal(  # noqa: B027
        self, cursor: duckdb.DuckDBPyConnection, run_id: str | None, what: str
    ) -> None:
        """Do what is to be done at the end of a transaction, before it is committed."""

    def _again(self, error: Exception, attempt: int) -> bool:
        """Tell whether a transaction that failed so is to be done again."""
        return False

    def _begun(self) -> None:  # noqa: B027
        """Take note that a transaction begins."""

    def _landed(self, cursor: duckdb.DuckDBPyConnection, error: Exception) -> bool:
        """Tell whether the transaction was committed, whatever error was raised."""
        return False

    def came_back(self, error: Exception) -> bool:
        """Tell whether an error is that of a server that was gone, and is there again; waits."""
        return False

    @property
    def name(self) -> str:
        """What the database is called in catalogs of tables."""
        return CATALOG

    def at(self, text: str) -> Store:
        """Return the store as it was after a run, at a snapshot's number or at a time.

        Raises UsageError where there is no such state, or none but the present is kept.
        """
        raise UsageError(f"--at: {_NO_SNAPSHOTS}", hint=_TO_HAVE_THEM)

    def snapshots(self) -> list[Snapshot]:
        """Return the states that are kept, the oldest first; raises UsageError where none are."""
        raise UsageError(_NO_SNAPSHOTS, hint=_TO_HAVE_THEM)

    def expire(self, before: datetime, *, dry_run: bool = False) -> Expired:
        """Give up states from before a time, but never the present; returns what that frees."""
        raise UsageError(_NO_SNAPSHOTS, hint=_TO_HAVE_THEM)

    # What all share.

    @property
    def idle(self) -> bool:
        """Whether nobody in this process has it open."""
        return self._holders == 0

    @contextmanager
    def hold(self, *, read_only: bool = False) -> Iterator[duckdb.DuckDBPyConnection]:
        """Open the store, or join whoever has it open in this process; yields a cursor.

        Raises StoreError when another process holds it for longer than `wait` seconds, or when
        there is none at its place.
        """
        self.acquire(read_only=read_only)
        try:
            cursor = self._cursor()
            try:
                yield cursor
            finally:
                cursor.close()
        finally:
            self.release()

    def reading(self) -> AbstractContextManager[duckdb.DuckDBPyConnection]:
        """Hold the store to read from it, whether or not somebody here writes to it."""
        return self.hold(read_only=True)

    @contextmanager
    def kept_open(self, *, read_only: bool = True) -> Iterator[None]:
        """Keep the store open between the reads of a block, which otherwise open its file each.

        A file takes about 15 ms of CPU to attach and as much to detach: 94 data tests of the
        General Social Survey, or the pages of a report, took seconds for it. Where it cannot be
        opened the reads themselves say why.
        """
        with ExitStack() as stack:
            if self.exists:
                with suppress(StoreError):
                    self.acquire(read_only=read_only)
                    stack.callback(self.release)
            yield

    def acquire(self, *, read_only: bool = False) -> None:
        """Take a share of the connection; each needs one `release`."""
        with self._lock:
            if self._holders and self._read_only and not read_only:
                raise StoreError("the store is open for reading only")
            if not self._holders:
                self._connection = self._ready(read_only)
                self._read_only = read_only
            self._holders += 1

    def release(self) -> None:
        """Give a share back; the last one closes the store."""
        with self._lock:
            self._holders -= 1
            if self._holders == 0:
                self._unheld()

    def spoil(self) -> None:
        """Say that SQL which may change DuckDB's settings is run on the connection held now: it is
        not used again once it is released."""
        with self._lock:
            self._spoilt = self._connection is not None

    def _ready(self, read_only: bool) -> duckdb.DuckDBPyConnection:
        """Return the connection that whoever comes first holds."""
        connection = self._open(read_only)
        try:
            self._attach_others(connection)
            if self.memory is not None:
                self._bound(connection, self.memory)
        except BaseException:
            connection.close()
            raise
        return connection

    def _bound(self, connection: duckdb.DuckDBPyConnection, memory: str) -> None:
        """Let DuckDB take so much memory, and go on in files beside the store."""
        connection.execute(f"set memory_limit = {literal(memory)}")
        connection.execute(f"set temp_directory = {literal(self.spill)}")
        # Once it was used the directory cannot be another: nobody else gets this instance.
        self._spoilt = True

    def _unheld(self) -> None:
        """Give up the connection: nobody holds it any more."""
        if self._connection is not None:
            if self._spoilt:
                self._connection.close()
            else:
                give_back(self._connection)
            self._connection, self._spoilt = None, False

    def _attach_others(self, connection: duckdb.DuckDBPyConnection) -> None:
        for alias, path in self.attached.items():
            attach(connection, alias, path)
        for alias, store in self.beside.items():
            store.attach(connection, alias)

    def _cursor(self) -> duckdb.DuckDBPyConnection:
        assert self._connection is not None
        cursor = self._connection.cursor()
        cursor.execute(f"use {CATALOG}")
        return cursor

    def _prepare(self, connection: duckdb.DuckDBPyConnection) -> None:
        connection.execute(_META)

    def records(self) -> dict[str, TableRecord]:
        """Return what the store knows of the relations LUPoM built, by node; {} without a store."""
        if not self.exists:
            return {}
        with self.reading() as cursor:
            return self.records_on(cursor)

    def records_on(self, cursor: duckdb.DuckDBPyConnection) -> dict[str, TableRecord]:
        """Return the same as somebody sees it who has a transaction open on a cursor."""
        if "tables" not in self.relations(cursor, "lupom_meta"):
            return {}
        rows = cursor.execute(
            "select node, kind, fingerprint, code, parts, content_hash, row_count, run_id"
            " from lupom_meta.tables"
        ).fetchall()
        kinds = self._standing(cursor)
        return {
            row[0]: TableRecord(
                row[0],
                row[1],
                row[2],
                row[3],
                json.loads(row[4]),
                row[5],
                row[6],
                row[7],
                exists=kinds.get(row[0]) == row[1],
            )
            for row in rows
        }

    def write(
        self,
        work: Work,
        *,
        finish: Work | None = None,
        run_id: str | None = None,
        what: str = "",
    ) -> None:
        """Do work in a transaction, all of it or nothing.

        Parameters
        ----------
        work : is given the transaction's cursor. It may be called again, in another transaction,
            where somebody else committed meanwhile.
        finish : the end of the work, one at a time in this process.
        run_id, what : whose work it is and what for, for those who look at a lake's snapshots.
        """
        import duckdb

        with self.hold() as cursor:
            attempt = 0
            while True:
                attempt += 1
                with self._turn(run_id):
                    self._begun()
                    cursor.execute("begin")
                    try:
                        work(cursor)
                        # DuckDB refuses two open transactions that touch one row group.
                        with self._note_lock:
                            if finish is not None:
                                finish(cursor)
                            self._seal(cursor, run_id, what)
                            cursor.execute("commit")
                        return
                    except BaseException as error:
                        # A commit that failed has ended its transaction.
                        with suppress(duckdb.Error):
                            cursor.execute("rollback")
                        if not isinstance(error, Exception):
                            raise
                        if self._landed(cursor, error):
                            return
                        if not self._again(error, attempt):
                            raise

    def commit(
        self,
        record: TableRecord,
        build: Work,
        *,
        hashed: bool = True,
        quarantine: list[tuple[str, str, str | None, str | None]] | None = None,
    ) -> TableRecord:
        """Build a relation and note what it is, both or neither.

        Parameters
        ----------
        record : what to note; content_hash and row_count are filled in here.
        build : makes the relation on the cursor it gets, within the transaction.
        hashed : whether the relation is a table, whose rows are hashed.
        quarantine : (key, call id, error, answer) of rows of an llm model that have no answer.
        """

        given = (record.fingerprint, record.code, copy.deepcopy(record.parts))

        def make(cursor: duckdb.DuckDBPyConnection) -> None:
            # A transaction that is done again begins with what was given.
            record.fingerprint, record.code = given[:2]
            record.parts = copy.deepcopy(given[2])
            standing = self._standing(cursor).get(record.node, record.kind)
            if standing != record.kind:
                cursor.execute(f"drop {standing} {quoted('main', record.node)}")
            build(cursor)
            if record.settle is not None:
                record.settle(record, cursor)
            if hashed:
                record.content_hash, record.row_count = content_hash(
                    cursor, record.node, without=record.measured, ordered=record.ordered
                )

        def note(cursor: duckdb.DuckDBPyConnection) -> None:
            _note(cursor, record, quarantine)

        self.write(make, finish=note, run_id=record.run_id, what=record.node)
        self._committed(record)
        return record

    def close(self) -> None:
        """Close the store, whoever holds it in this process."""
        with self._lock:
            if self._connection is not None:
                # Not given back: somebody may be at work on it.
                self._connection.close()
                self._connection, self._spoilt = None, False
            self._holders = 0


def _note(
    cursor: duckdb.DuckDBPyConnection,
    record: TableRecord,
    quarantine: list[tuple[str, str, str | None, str | None]] | None,
) -> None:
    cursor.execute("delete from lupom_meta.tables where node = ?", [record.node])
    cursor.execute(
        "insert into lupom_meta.tables values (?, ?, ?, ?, ?, ?, ?, ?, now())",
        [
            record.node,
            record.kind,
            record.fingerprint,
            record.code,
            json.dumps(record.parts),
            record.content_hash,
            record.row_count,
            record.run_id,
        ],
    )
    if quarantine is not None:
        cursor.execute("delete from lupom_meta.quarantine where node = ?", [record.node])
        if quarantine:
            cursor.executemany(
                "insert into lupom_meta.quarantine values (?, ?, ?, ?, ?)",
                [(record.node, *row) for row in quarantine],
            )
