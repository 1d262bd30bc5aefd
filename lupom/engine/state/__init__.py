"""State: runs, node results and the ledger of LLM calls, in SQLite."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from lupom.engine.errors import StateError
from lupom.engine.state.ledger import Entry, Ledger, now
from lupom.engine.state.writer import Writer

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine, Table

__all__ = ["Entry", "State"]

# Servers are updated: what one could not do a month ago it may do now.
CAPABILITIES_LAST = timedelta(days=30)


class State:
    """The state database of a project, `.lupom/state.db`.

    SQLite in WAL mode, synchronous: what was recorded survives a killed process and a lost machine.
    Several processes may have it open; each has one writer, and they wait for each other.
    Methods may be called from any thread.
    """

    def __init__(self, path: Path) -> None:
        """Open the database, making it where there is none; raises StateError."""
        self.path = Path(path)
        self._engine = _open(self.path)
        self._writer = Writer(self._engine)
        self.ledger = Ledger(self._engine, self._writer)
        # Callers ask the state; that the ledger is a part with a class of its own is our affair.
        self.lookup = self.ledger.lookup
        self.statuses = self.ledger.statuses
        self.record = self.ledger.record
        self.calls_since = self.ledger.calls_since

    def __enter__(self) -> State:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def start_run(
        self,
        command: str,
        *,
        target: str | None = None,
        version: str | None = None,
        arguments: Mapping[str, Any] | None = None,
    ) -> str:
        """Record that a run starts; returns its id, which sorts by time of start."""
        from lupom.engine.state.tables import RUNS

        begun = datetime.now(UTC)
        run_id = f"{begun:%Y%m%dT%H%M%S}-{secrets.token_hex(3)}"
        self._insert(
            RUNS,
            {
                "run_id": run_id,
                "command": command,
                "target": target,
                "version": version,
                "arguments": dict(arguments or {}),
                "status": "running",
                "message": "",
                "started_at": begun.isoformat(timespec="milliseconds"),
            },
        )
        return run_id

    def finish_run(self, run_id: str, status: str, *, message: str = "") -> None:
        """Record how a run ended: 'success', 'error', 'stopped', 'budget', 'waiting'."""
        from sqlalchemy import update

        from lupom.engine.state.tables import RUNS

        ended = now()

        def work(connection: Connection) -> None:
            begun = connection.execute(
                RUNS.select().with_only_columns(RUNS.c.started_at).where(RUNS.c.run_id == run_id)
            ).scalar()
            if begun is None:
                raise ValueError(f"no run '{run_id}'")
            taken = datetime.fromisoformat(ended) - datetime.fromisoformat(begun)
            connection.execute(
                update(RUNS)
                .where(RUNS.c.run_id == run_id)
                .values(
                    status=status,
                    message=message,
                    finished_at=ended,
                    seconds=taken.total_seconds(),
                )
            )

        self._writer.do(work)

    def record_node(self, run_id: str, node: str, kind: str, status: str, **fields: Any) -> None:
        """Record how a node of a run ended.

        `fields`: message, reason, rows, seconds, fingerprint, content_hash, calls, cached, asked,
        invalid, tokens_in, tokens_out, cost; what is left out is NULL. Raises TypeError for others.
        """
        from lupom.engine.state.tables import NODES

        unknown = sorted(set(fields) - set(NODES.columns.keys()))
        if unknown:
            raise TypeError(f"a node result has no field '{unknown[0]}'")
        defaults = {"message": "", "reason": "", "seconds": 0.0}
        own = {"run_id": run_id, "node": node, "kind": kind, "status": status}
        self._insert(NODES, {**defaults, **fields, **own, "finished_at": now()})

    def record_nodes(self, run_id: str, results: Sequence[Mapping[str, Any]]) -> None:
        """Record how nodes of a run ended, in one transaction; each as in `record_node`."""
        from lupom.engine.state.tables import NODES

        if not results:
            return
        empty = dict.fromkeys(NODES.columns.keys()) | {
            "message": "",
            "reason": "",
            "seconds": 0.0,
        }
        empty.pop("id", None)
        rows = [{**empty, **row, "run_id": run_id, "finished_at": now()} for row in results]
        statement = NODES.insert()
        self._writer.do(lambda connection: connection.execute(statement, rows))

    def runs(self, limit: int | None = None) -> list[dict[str, Any]]:
        """Return runs as dicts, the latest first."""
        from sqlalchemy import text

        from lupom.engine.state.tables import RUNS

        # Ids sort by the second only, and two runs may start within one.
        latest = RUNS.select().order_by(RUNS.c.started_at.desc(), text("rowid desc"))
        return self._rows(latest.limit(limit))

    def nodes(self, run_id: str | None = None) -> list[dict[str, Any]]:
        """Return node results as dicts, in the order they ended; of one run, or of all."""
        from lupom.engine.state.tables import NODES

        query = NODES.select().order_by(NODES.c.id)
        return self._rows(query if run_id is None else query.where(NODES.c.run_id == run_id))

    def capabilities(self, endpoint: str) -> dict[str, Any] | None:
        """Return how an endpoint takes requests; None when that is not known, or a month old."""
        from lupom.engine.state.tables import MANNERS

        since = (datetime.now(UTC) - CAPABILITIES_LAST).isoformat(timespec="milliseconds")
        rows = self._rows(
            MANNERS.select().where(MANNERS.c.endpoint == endpoint, MANNERS.c.updated_at > since)
        )
        return rows[0]["manner"] if rows else None

    async def record_capabilities(self, endpoint: str, capabilities: Mapping[str, Any]) -> None:
        """Remember how an endpoint takes requests."""
        from sqlalchemy.dialects.sqlite import insert

        from lupom.engine.state.tables import MANNERS

        new = {"manner": dict(capabilities), "updated_at": now()}
        statement = insert(MANNERS).values(endpoint=endpoint, **new)
        statement = statement.on_conflict_do_update(index_elements=["endpoint"], set_=new)
        await self._writer.do_async(lambda connection: connection.execute(statement))

    def open_batches(self, endpoint: str) -> list[dict[str, Any]]:
        """Return the batches of an endpoint that were not collected yet, the oldest first."""
        from lupom.engine.state.tables import BATCHES

        mine = BATCHES.c.endpoint == endpoint
        still = BATCHES.c.status.in_(("submitting", "out"))
        return self._rows(BATCHES.select().where(mine, still).order_by(BATCHES.c.created_at))

    def batched(self, endpoint: str) -> frozenset[str]:
        """Return the keys of the calls of an endpoint that are out in batches."""
        from sqlalchemy import text

        query = (
            "select json_extract(value, '$.key') from batches, json_each(batches.calls)"
            " where endpoint = :endpoint and status in ('submitting', 'out')"
        )
        with self._engine.connect() as connection:
            return frozenset(connection.scalars(text(query), {"endpoint": endpoint}))

    def promised(self) -> tuple[int, float]:
        """Return tokens and USD that the batches still out may take."""
        from sqlalchemy import text

        query = (
            "select coalesce(sum(tokens), 0), coalesce(sum(money), 0) from batches"
            " where status in ('submitting', 'out')"
        )
        with self._engine.connect() as connection:
            tokens, money = connection.execute(text(query)).one()
        return int(tokens), float(money)

    async def begin_batch(self, token: str, **fields: Any) -> None:
        """Note that a batch is about to be created; `fields` are the table's."""
        from lupom.engine.state.tables import BATCHES

        times = {"created_at": now(), "updated_at": now()}
        statement = BATCHES.insert().values(token=token, status="submitting", **fields, **times)
        await self._writer.do_async(lambda connection: connection.execute(statement))

    async def update_batch(self, token: str, **fields: Any) -> None:
        """Change what is known of a batch: `batch_id`, `status`."""
        from lupom.engine.state.tables import BATCHES

        statement = BATCHES.update().where(BATCHES.c.token == token)
        statement = statement.values(**fields, updated_at=now())
        await self._writer.do_async(lambda connection: connection.execute(statement))

    def embeddings(self, keys: Iterable[str]) -> dict[str, bytes]:
        """Return the vectors kept under these keys, as little-endian float32."""
        import json

        from sqlalchemy import text

        query = (
            "select key, vector from embeddings where key in (select value from json_each(:keys))"
        )
        with self._engine.connect() as connection:
            rows = connection.execute(text(query), {"keys": json.dumps(list(keys))})
            return {row[0]: row[1] for row in rows}

    async def record_embeddings(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Write embeddings; returns after the commit. `rows` have the table's columns."""
        from sqlalchemy.dialects.sqlite import insert

        from lupom.engine.state.tables import EMBEDDINGS

        stamped = [{**row, "created_at": now()} for row in rows]
        statement = insert(EMBEDDINGS).on_conflict_do_nothing()
        await self._writer.do_async(lambda connection: connection.execute(statement, stamped))

    def close(self) -> None:
        """Commit what waits and close; safe to call twice."""
        self._writer.close()
        self._engine.dispose()

    def _insert(self, table: Table, values: Mapping[str, Any]) -> None:
        statement = table.insert()
        self._writer.do(lambda connection: connection.execute(statement, dict(values)))

    def _rows(self, query: Any) -> list[dict[str, Any]]:
        with self._engine.connect() as connection:
            return [dict(row) for row in connection.execute(query).mappings()]


def _open(path: Path) -> Engine:
    from sqlalchemy import URL, create_engine, event
    from sqlalchemy.exc import DBAPIError

    from lupom.engine.state import migration, tables

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StateError(f"{path.parent} cannot be made: {error.strerror}") from None
    # As a part of a URL, not in its text: there % and ? in a folder's name mean something else.
    engine = create_engine(URL.create("sqlite", database=str(path)))

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _record: Any) -> None:
        # Transactions are ours: 'begin immediate' takes the write lock before anything is read.
        connection.isolation_level = None
        cursor = connection.cursor()
        cursor.execute("pragma busy_timeout = 30000")
        cursor.execute("pragma journal_mode = wal")
        cursor.execute("pragma synchronous = full")
        cursor.close()

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        if connection.get_execution_options().get("writes"):
            connection.exec_driver_sql("begin immediate")

    try:
        with engine.connect() as connection:
            version = connection.exec_driver_sql("pragma user_version").scalar() or 0
        if version > tables.VERSION:
            raise StateError(
                f"the state database is of a newer LUPoM (version {version})",
                file=path,
                hint="update LUPoM, or move the file away",
            )
        if version < tables.VERSION:
            with engine.execution_options(writes=True).begin() as connection:
                of_tables, of_indexes = _definitions()
                for statement in of_tables:
                    connection.exec_driver_sql(statement)
                if version:
                    _complete(connection, tables.ALL)
                for statement in of_indexes:
                    connection.exec_driver_sql(statement)
                if 0 < version < 4:
                    migration.admit_unknown_usage(connection)
                connection.exec_driver_sql(f"pragma user_version = {tables.VERSION:d}")
    except DBAPIError as error:
        engine.dispose()
        raise StateError(
            f"the state database cannot be opened: {error.orig}",
            file=path,
            hint="it holds the answers paid for: keep a copy before you move it away",
        ) from None
    return engine


@cache
def _definitions() -> tuple[list[str], list[str]]:
    """Return the SQL of tables and of indexes that are not there; it takes 15 ms to write."""
    from sqlalchemy.dialects import sqlite
    from sqlalchemy.schema import CreateIndex, CreateTable

    from lupom.engine.state import tables

    dialect = sqlite.dialect()
    indexes = [index for table in tables.ALL for index in table.indexes]
    return (
        [str(CreateTable(t, if_not_exists=True).compile(dialect=dialect)) for t in tables.ALL],
        [str(CreateIndex(i, if_not_exists=True).compile(dialect=dialect)) for i in indexes],
    )


def _complete(connection: Connection, wanted: Sequence[Any]) -> None:
    """Add the columns that an older database lacks; nothing in it is changed."""
    for table in wanted:
        there = {row[1] for row in connection.exec_driver_sql(f"pragma table_info({table.name})")}
        for column in table.columns:
            if column.name in there:
                continue
            default = "" if column.nullable else " not null default 0"
            kind = column.type.compile(connection.dialect)
            connection.exec_driver_sql(
                f'alter table {table.name} add column "{column.name}" {kind}{default}'
            )
