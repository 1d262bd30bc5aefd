"""The store: a DuckDB file that is open only for the moment of a read or a commit.

DuckDB lets one process write a file, and nobody else open it meanwhile. So a connection here is
held for as long as somebody holds it (`Store.hold`), and closed as soon as nobody does.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lupom.engine.errors import StoreError
from lupom.engine.store import messages
from lupom.engine.store.attached import attach, check_path
from lupom.engine.store.contents import content_hash
from lupom.engine.store.instances import give_back, take
from lupom.engine.store.names import literal, quoted

if TYPE_CHECKING:
    import duckdb

# LUPoM's own connections attach the file under this name whatever it is called, so that
# `lupom.calls` means the table `calls` of the file, here as in any client on lupom.duckdb. A schema
# of that name would be ambiguous in just those clients: DuckDB refuses `lupom.calls` where both
# the catalog and a schema are called so.
CATALOG = "lupom"

# The schema of failing rows that data tests keep.
FAILURES = "lupom_failures"

# Tables of the schema main that are LUPoM's own.
RESERVED = ("runs", "nodes", "calls")

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


@dataclass(slots=True)
class TableRecord:
    """What the store knows of a relation LUPoM built.

    Attributes
    ----------
    kind : 'table' or 'view'.
    fingerprint : of its code and the contents of its inputs.
    code : hash of its code alone.
    parts : hash by part, inputs under 'inputs', so that a plan can say what changed.
    content_hash : of its rows, whatever their order, and its schema; None for a view.
    measured : columns whose values are no part of that; not kept.
    exists : whether the relation stands in the store now.
    settle : called when the rows are there and nothing is noted yet, to put right in the record
        what its inputs turned out to be; not kept.
    """

    node: str
    kind: str
    fingerprint: str
    code: str
    parts: dict[str, Any] = field(default_factory=dict)
    content_hash: str | None = None
    row_count: int | None = None
    run_id: str | None = None
    exists: bool = True
    measured: tuple[str, ...] = field(default=(), compare=False)
    settle: Callable[[TableRecord], None] | None = field(default=None, repr=False, compare=False)


class Store:
    """A DuckDB file with the few verbs a run needs.

    Parameters
    ----------
    path : the file; made at the first commit.
    wait : seconds to wait for another process that holds the file.
    on_wait : called once with a message when a wait begins.
    """

    def __init__(
        self, path: Path, wait: float = 60.0, on_wait: Callable[[str], None] | None = None
    ) -> None:
        self.path = path
        self._wait = wait
        self.on_wait = on_wait
        # Other DuckDB files that are read along, by name: {alias: path}.
        self.attached: dict[str, Path] = {}
        self._lock = threading.Lock()
        self._write = threading.Lock()
        self._connection: duckdb.DuckDBPyConnection | None = None
        self._holders = 0
        self._read_only = False
        self._spoilt = False
        # Relations standing in the file, read once at its opening: asking DuckDB's catalog before
        # each of 500 commits costs 1 ms each, a sixth of the whole run.
        self._kinds: dict[str, str] = {}

    @property
    def exists(self) -> bool:
        return self.path.is_file()

    @property
    def idle(self) -> bool:
        """Whether nobody in this process has the file open."""
        return self._holders == 0

    @contextmanager
    def hold(self, *, read_only: bool = False) -> Iterator[duckdb.DuckDBPyConnection]:
        """Open the store, or join whoever has it open in this process; yields a cursor.

        Raises StoreError when another process holds the file for longer than `wait` seconds, or
        when the file is not a DuckDB database.
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

    def acquire(self, *, read_only: bool = False) -> None:
        """Take a share of the connection; each needs one `release`."""
        with self._lock:
            if self._holders and self._read_only and not read_only:
                raise StoreError("the store is open for reading only")
            if not self._holders:
                self._connection = self._open(read_only)
                self._read_only = read_only
            self._holders += 1

    def release(self) -> None:
        """Give a share back; the last one closes the file."""
        with self._lock:
            self._holders -= 1
            if self._holders == 0 and self._connection is not None:
                if self._spoilt:
                    self._connection.close()
                else:
                    give_back(self._connection)
                self._connection, self._spoilt = None, False

    def spoil(self) -> None:
        """Say that SQL which may change DuckDB's settings is run on the connection held now: it is
        not used again once it is released."""
        with self._lock:
            self._spoilt = self._connection is not None

    def _cursor(self) -> duckdb.DuckDBPyConnection:
        assert self._connection is not None
        cursor = self._connection.cursor()
        cursor.execute(f"use {CATALOG}")
        return cursor

    def _open(self, read_only: bool) -> duckdb.DuckDBPyConnection:
        import duckdb

        check_path(self.path)
        if read_only and not self.exists:
            raise StoreError(f"there is no store yet at {self.path}", hint="lupom run builds it")
        if not read_only:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        deadline = time.monotonic() + self._wait
        pause, told = 0.02, False
        while True:
            try:
                connection = _attach(self.path, read_only)
            except duckdb.IOException as error:
                if "lock" not in str(error):
                    raise self._closed(error) from error
                holder = messages.holder(error) or "another process"
                if time.monotonic() >= deadline:
                    raise StoreError(
                        f"the store {self.path} is held by {holder}",
                        hint=f"close it there; waited {self._wait:g} s (store_wait)",
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
                self._attach_sources(connection)
                self._kinds = relation_kinds(connection)
                return connection

    def _closed(self, error: duckdb.Error) -> StoreError:
        return StoreError(f"cannot open {self.path}: {messages.first_line(error)}")

    def _prepare(self, connection: duckdb.DuckDBPyConnection) -> None:
        connection.execute(_META)

    def _attach_sources(self, connection: duckdb.DuckDBPyConnection) -> None:
        try:
            for alias, path in self.attached.items():
                attach(connection, alias, path)
        except BaseException:
            connection.close()
            raise

    def records(self) -> dict[str, TableRecord]:
        """Return what the store knows of the relations LUPoM built, by node; {} without a store."""
        if not self.exists:
            return {}
        with self.hold(read_only=self.idle) as cursor:
            if not _has_meta(cursor):
                return {}
            rows = cursor.execute(
                "select node, kind, fingerprint, code, parts, content_hash, row_count, run_id"
                " from lupom_meta.tables"
            ).fetchall()
            kinds = dict(self._kinds)
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

    def commit(
        self,
        record: TableRecord,
        build: Callable[[duckdb.DuckDBPyConnection], None],
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
        with self.hold() as cursor:
            cursor.execute("begin")
            try:
                standing = self._kinds.get(record.node, record.kind)
                if standing != record.kind:
                    cursor.execute(f"drop {standing} {quoted('main', record.node)}")
                build(cursor)
                if record.settle is not None:
                    record.settle(record)
                if hashed:
                    record.content_hash, record.row_count = content_hash(
                        cursor, record.node, without=record.measured
                    )
                # One note at a time: DuckDB refuses two open transactions that touch one row group.
                with self._write:
                    _note(cursor, record, quarantine)
                    cursor.execute("commit")
                self._kinds[record.node] = record.kind
            except BaseException:
                cursor.execute("rollback")
                raise
        return record

    def close(self) -> None:
        """Close the file, whoever holds it in this process."""
        with self._lock:
            if self._connection is not None:
                # Not given back: somebody may be at work on it.
                self._connection.close()
                self._connection, self._spoilt = None, False
            self._holders = 0


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


def relation_kinds(cursor: duckdb.DuckDBPyConnection, schema: str = "main") -> dict[str, str]:
    """Return 'table' or 'view' by name, for every relation of a schema."""
    return dict(
        cursor.execute(
            "select table_name, 'table' from duckdb_tables() where schema_name = $schema"
            " and database_name = current_database()"
            " union all select view_name, 'view' from duckdb_views() where schema_name = $schema"
            " and database_name = current_database()",
            {"schema": schema},
        ).fetchall()
    )


def _has_meta(cursor: duckdb.DuckDBPyConnection) -> bool:
    ((count,),) = cursor.execute(
        "select count(*) from duckdb_tables()"
        " where schema_name = 'lupom_meta' and table_name = 'tables'"
    ).fetchall()
    return bool(count)
