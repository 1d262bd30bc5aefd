"""The few statements in which SQLite and PostgreSQL differ; all else is the same text for both.

Statements are written with SQLite's `:name` and spelled for the driver by `Dialect.driver`.
"""

from __future__ import annotations

import json
import re
import sqlite3
import time
from collections.abc import Iterable, Mapping
from contextlib import closing
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

    from lupom.engine.state.location import Location

# Any number that no other program takes for its advisory locks: the first bytes of sha256("lupom").
_LOCK = 0x5F8B2C
# Seconds that a SQLite file may be locked by others, and between two looks.
_BUSY, _LOOK = 30.0, 0.01


class Dialect:
    """What a kind of database does in its own way.

    Attributes
    ----------
    clock : SQL of seconds since 1970, by the clock that all who share the database have.
    next_seq : SQL of the next number of a write to the ledger.
    latest_first : SQL that orders runs which began in the same millisecond.
    skip_locked : what ends the reading of a queue (as `q`), so that two readers never wait for each
        other.
    shared : whether other machines may be at it.
    """

    name: str
    clock: str
    next_seq: str
    latest_first: str
    skip_locked: str
    shared: bool

    def driver(self, sql: str) -> str:
        """Spell a statement for `exec_driver_sql`."""
        raise NotImplementedError

    def among(self, column: str, name: str) -> str:
        """Return the condition that a column is one of the keys bound as `name`."""
        raise NotImplementedError

    def table(self, name: str) -> str:
        """Return the table, of one column `value`, of the keys bound as `name`."""
        raise NotImplementedError

    def keys(self, keys: Iterable[str]) -> Any:
        """Return keys as `among` wants them bound: one value, however many they are."""
        raise NotImplementedError

    def row(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return a row as the driver takes it."""
        return dict(values)

    def batched_keys(self) -> str:
        """Return the query of the keys of an endpoint's calls that are out in batches."""
        raise NotImplementedError

    def insert(self, table: Any) -> Any:
        """Return an insert that knows `on_conflict_do_nothing` and `on_conflict_do_update`."""
        raise NotImplementedError

    def engine(self, location: Location) -> Engine:
        """Make the engine; its transactions are of one writer where option `writes` is set."""
        raise NotImplementedError

    def lock_schema(self, connection: Connection) -> None:
        """Be the only one who changes tables, until the transaction ends."""
        raise NotImplementedError

    def version(self, connection: Connection) -> int:
        """Return the version of the tables; 0 where there are none."""
        raise NotImplementedError

    def set_version(self, connection: Connection, version: int) -> None:
        raise NotImplementedError

    def columns(self, connection: Connection, table: str) -> set[str]:
        """Return the names of a table's columns; none where there is no such table."""
        raise NotImplementedError

    def back_up(self, connection: Connection, location: Location, name: str) -> str:
        """Copy all that is there, within the transaction; returns where to, for people."""
        raise NotImplementedError


class SQLite(Dialect):
    """One file, one writer at a time: `begin immediate` is the lock of every transaction."""

    name = "sqlite"
    # Milliseconds are what it has; `unixepoch('subsec')` came with 3.42.
    clock = "((julianday('now') - 2440587.5) * 86400.0)"
    next_seq = "(select coalesce(max(seq), 0) + 1 from calls)"
    latest_first = "rowid desc"
    skip_locked = ""
    shared = False

    def driver(self, sql: str) -> str:
        return sql

    def among(self, column: str, name: str) -> str:
        return f"{column} in (select value from json_each(:{name}))"

    def table(self, name: str) -> str:
        return f"json_each(:{name})"

    def keys(self, keys: Iterable[str]) -> Any:
        return json.dumps(list(keys))

    def batched_keys(self) -> str:
        return (
            "select json_extract(value, '$.key') from batches, json_each(batches.calls)"
            " where endpoint = :endpoint and status in ('submitting', 'out')"
        )

    def insert(self, table: Any) -> Any:
        from sqlalchemy.dialects.sqlite import insert

        return insert(table)

    def engine(self, location: Location) -> Engine:
        from sqlalchemy import URL, create_engine, event

        # As a part of a URL, not in its text: there % and ? in a folder's name mean something else.
        engine = create_engine(URL.create("sqlite", database=str(location.path)))

        @event.listens_for(engine, "connect")
        def prepare(connection: Any, _record: Any) -> None:
            # Transactions are ours: 'begin immediate' takes the write lock before anything is read.
            connection.isolation_level = None
            cursor = connection.cursor()
            cursor.execute(f"pragma busy_timeout = {_BUSY * 1000:.0f}")
            _write_ahead(cursor)
            cursor.execute("pragma synchronous = full")
            cursor.close()

        @event.listens_for(engine, "begin")
        def begin(connection: Connection) -> None:
            if connection.get_execution_options().get("writes"):
                connection.exec_driver_sql("begin immediate")

        return engine

    def lock_schema(self, connection: Connection) -> None:
        """Nothing is left to do: 'begin immediate' has done it."""

    def version(self, connection: Connection) -> int:
        return int(connection.exec_driver_sql("pragma user_version").scalar() or 0)

    def set_version(self, connection: Connection, version: int) -> None:
        connection.exec_driver_sql(f"pragma user_version = {version:d}")

    def columns(self, connection: Connection, table: str) -> set[str]:
        return {row[1] for row in connection.exec_driver_sql(f"pragma table_info({table})")}

    def back_up(self, connection: Connection, location: Location, name: str) -> str:
        assert location.path is not None
        to = location.path.with_name(f"{location.path.stem}-{name}{location.path.suffix}")
        part = to.with_name(to.name + ".part")
        part.unlink(missing_ok=True)
        # A second connection reads what was committed before: the first has only the lock yet.
        with closing(sqlite3.connect(location.path)) as old, closing(sqlite3.connect(part)) as new:
            old.backup(new)
        part.replace(to)
        return str(to)


def _write_ahead(cursor: sqlite3.Cursor) -> None:
    """Have a SQLite file keep a write-ahead log, which is set once in its life.

    SQLite does not wait there for others who open a new file at the same moment, whatever its
    timeout: of 150 new files that six opened at once 6 had somebody who was told that it is locked.
    """
    until = time.monotonic() + _BUSY
    while True:
        try:
            cursor.execute("pragma journal_mode = wal")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                raise
            time.sleep(_LOOK)


class PostgreSQL(Dialect):
    """A server, many writers: whoever numbers rows of the ledger locks the row of its totals."""

    name = "postgresql"
    clock = "extract(epoch from clock_timestamp())::double precision"
    next_seq = "nextval('calls_seq')"
    latest_first = "run_id desc"
    skip_locked = " for update of q skip locked"
    shared = True

    def driver(self, sql: str) -> str:
        return _pyformat(sql)

    def among(self, column: str, name: str) -> str:
        return f"{column} = any(cast(:{name} as text[]))"

    def table(self, name: str) -> str:
        return f"unnest(cast(:{name} as text[])) as one(value)"

    def keys(self, keys: Iterable[str]) -> Any:
        return list(keys)

    def row(self, values: Mapping[str, Any]) -> dict[str, Any]:
        # Its texts hold every character but this one, which a model may well write.
        return {
            name: value.replace("\0", "\ufffd") if isinstance(value, str) else value
            for name, value in values.items()
        }

    def batched_keys(self) -> str:
        return (
            "select one.call ->> 'key' from batches,"
            " json_array_elements(batches.calls) as one(call)"
            " where endpoint = :endpoint and status in ('submitting', 'out')"
        )

    def insert(self, table: Any) -> Any:
        from sqlalchemy.dialects.postgresql import insert

        return insert(table)

    def engine(self, location: Location) -> Engine:
        from sqlalchemy import URL, create_engine

        url = URL.create(
            "postgresql+psycopg",
            username=location.user,
            password=location.password,
            host=location.host,
            port=location.port,
            database=location.database,
            query=location.words,
        )
        # Errors name no values of rows: they are respondents' texts.
        return create_engine(url, pool_size=4, max_overflow=28, hide_parameters=True)

    def lock_schema(self, connection: Connection) -> None:
        connection.exec_driver_sql(f"select pg_advisory_xact_lock({_LOCK})")

    def version(self, connection: Connection) -> int:
        if not self.columns(connection, "lupom_version"):
            return 0
        return int(connection.exec_driver_sql("select version from lupom_version").scalar() or 0)

    def set_version(self, connection: Connection, version: int) -> None:
        connection.exec_driver_sql(
            "create table if not exists lupom_version (version integer not null)"
        )
        connection.exec_driver_sql("delete from lupom_version")
        connection.exec_driver_sql(f"insert into lupom_version values ({version:d})")

    def columns(self, connection: Connection, table: str) -> set[str]:
        # information_schema would hide tables that the user may not read.
        query = (
            "select attname from pg_attribute where attnum > 0 and not attisdropped and attrelid ="
            f" to_regclass(quote_ident(current_schema()) || '.{table}')"
        )
        return set(connection.exec_driver_sql(query).scalars())

    def back_up(self, connection: Connection, location: Location, name: str) -> str:
        schema = "lupom_" + name.replace("-", "_").lower()
        tables = connection.exec_driver_sql(
            "select tablename from pg_tables where schemaname = current_schema()"
        ).scalars()
        from lupom.engine.state.tables import ALL

        ours = {table.name for table in ALL} | {"lupom_version"}
        connection.exec_driver_sql(f'create schema "{schema}"')
        for table in sorted(ours & set(tables)):
            connection.exec_driver_sql(f'create table "{schema}".{table} as table {table}')
        return f"schema {schema} of {location.shown}"


@cache
def _pyformat(sql: str) -> str:
    return re.sub(r"(?<!:):([a-z]\w*)", r"%(\1)s", sql.replace("%", "%%"))


def dialect_of(location: Location) -> Dialect:
    """Return the dialect of a location."""
    return PostgreSQL() if location.kind == PostgreSQL.name else SQLite()
