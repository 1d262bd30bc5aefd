"""State: runs, node results and the ledger of LLM calls, in SQLite or PostgreSQL."""

from __future__ import annotations

import getpass
import os
import secrets
import socket
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from lupom.engine.errors import StateError
from lupom.engine.state.access import Access
from lupom.engine.state.ledger import Entry, Ledger, now
from lupom.engine.state.location import Location, file_of, location_of
from lupom.engine.state.members import PROMISED, Members
from lupom.engine.state.opening import open_engine, say
from lupom.engine.state.process import new_owner
from lupom.engine.state.queue import Queue
from lupom.engine.state.spool import Spool
from lupom.engine.state.writer import Writer

if TYPE_CHECKING:
    from sqlalchemy import Connection, Table

    from lupom.engine.state.dialect import Dialect

__all__ = ["Entry", "Location", "State", "StateError", "location_of"]

# Servers are updated: what one could not do a month ago it may do now.
CAPABILITIES_LAST = timedelta(days=30)


class State:
    """The state database of a project, `.lupom/state.db`, or the one of a team by its URL.

    SQLite in WAL mode, synchronous, or PostgreSQL: what was recorded survives a killed process and
    a lost machine. Several processes may have it open; each has one writer, and they wait for each
    other. Methods may be called from any thread.
    """

    def __init__(
        self,
        where: Path | Location,
        *,
        folder: Path | None = None,
        wait: float = 300.0,
        lease: float = 30.0,
        say: Callable[[str], None] = say,
        make: bool = True,
    ) -> None:
        """Open the database, making it where there is none; raises StateError.

        Parameters
        ----------
        folder : of a project whose checkout this is, `.lupom/`: there go calls that cannot be
            written, and the runs of other checkouts are told from its own.
        wait : seconds that a server may be gone before all that waits for it fails.
        lease : seconds after which others ask what a process had in flight that is dead.
        say : told of what happens to the database, a line each.
        make : whether tables are made where there are none; else that is an error.
        """
        location = where if isinstance(where, Location) else file_of(Path(where))
        self.location = location
        self.owner = new_owner()
        self._closed = False
        self.place = None if folder is None else place_of(folder)
        engine, self._dialect = open_engine(location, say, make)
        self._access = Access(engine, self._dialect, location, wait=wait, say=say)
        self.ledger = Ledger(self._access, self.owner)
        spool = None
        if folder is not None and self._dialect.shared:
            spool = Spool(folder, self.owner)
        self._writer = Writer(self._access, self.ledger.write, spool)
        self.ledger.writer = self._writer
        self.members = Members(
            *(self._access, self._writer, self.ledger, self.owner),
            lambda: self.place or place_of(Path.cwd() / ".lupom"),
            lease,
        )
        self.queue = Queue(self._access, self._writer, self.members)
        # Callers ask the state; that the ledger is a part with a class of its own is our affair.
        self.lookup = self.ledger.lookup
        self.statuses = self.ledger.statuses
        self.record = self.ledger.record
        self.calls_since = self.ledger.calls_since

    @property
    def path(self) -> Path | None:
        """The file, of SQLite."""
        return self.location.path

    @property
    def id(self) -> str:
        """What the database is known by, wherever it is; a copied file is another one.

        A copy of a project's folder counts its calls on its own from then on.
        """
        query = "select value from facts where name = 'id'"
        found = str(self._access.read(lambda c: c.exec_driver_sql(query).scalar()))
        # A file keeps its number where it is moved, and no copy has it.
        return found if self.path is None else f"{found}-{self.path.stat().st_ino}"

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
                "place": self.place,
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
        invalid, tokens_in, tokens_out, cost and the other columns of the table; what is left out is
        NULL. Raises TypeError for others.
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

    def runs(self, limit: int | None = None, *, everyone: bool = False) -> list[dict[str, Any]]:
        """Return runs as dicts, the latest first: this checkout's, or everyone's."""
        from sqlalchemy import text

        from lupom.engine.state.tables import RUNS

        # Ids sort by the second only, and two runs may start within one.
        latest = RUNS.select().order_by(RUNS.c.started_at.desc(), text(self._dialect.latest_first))
        if self.place is not None and not everyone:
            latest = latest.where(RUNS.c.place == self.place)
        return self._rows(latest.limit(limit))

    def nodes(self, run_id: str | None = None) -> list[dict[str, Any]]:
        """Return node results as dicts, in the order they ended; of one run, or of all runs of this
        checkout."""
        from lupom.engine.state.tables import NODES, RUNS

        query = NODES.select().order_by(NODES.c.id)
        if run_id is not None:
            query = query.where(NODES.c.run_id == run_id)
        elif self.place is not None:
            ours = RUNS.select().with_only_columns(RUNS.c.run_id)
            query = query.where(NODES.c.run_id.in_(ours.where(RUNS.c.place == self.place)))
        return self._rows(query)

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
        from lupom.engine.state.tables import MANNERS

        new = {"manner": dict(capabilities), "updated_at": now()}
        statement = self._dialect.insert(MANNERS).values(endpoint=endpoint, **new)
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
        query = self._dialect.driver(self._dialect.batched_keys())
        bound = {"endpoint": endpoint}
        return self._access.read(
            lambda connection: frozenset(connection.exec_driver_sql(query, bound).scalars())
        )

    def promised(self) -> tuple[int, float]:
        """Return tokens and USD that the batches still out may take."""
        tokens, money = self._access.read(lambda c: c.exec_driver_sql(PROMISED).one())
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
        condition = self._dialect.among("key", "keys")
        query = self._dialect.driver(f"select key, vector from embeddings where {condition}")
        bound = {"keys": self._dialect.keys(keys)}
        rows = self._access.read(lambda c: c.exec_driver_sql(query, bound).all())
        return {row[0]: bytes(row[1]) for row in rows}

    def write(self, work: Callable[[Connection], Any]) -> Any:
        """Run work in a transaction of the one writer, and return its result."""
        return self._writer.do(work)

    def read(self, work: Callable[[Connection], Any]) -> Any:
        """Return what work reads."""
        return self._access.read(work)

    @property
    def dialect(self) -> Dialect:
        """What this kind of database does in its own way."""
        return self._dialect

    async def record_embeddings(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Write embeddings; returns after the commit. `rows` have the table's columns, but what
        budgets count may be left out."""
        stamped = [
            {"counted_tokens": None, "counted_cost": None, **row, "created_at": now()}
            for row in rows
        ]
        await self._writer.do_async(lambda connection: self.embed(connection, stamped))

    def embed(self, connection: Connection, rows: Sequence[Mapping[str, Any]]) -> int:
        """Write embeddings within a transaction; returns how many were new."""
        from lupom.engine.state.tables import EMBEDDINGS

        self.ledger.lock(connection)
        condition = self._dialect.among("key", "keys")
        query = self._dialect.driver(f"select key from embeddings where {condition}")
        bound = {"keys": self._dialect.keys([row["key"] for row in rows])}
        known = set(connection.exec_driver_sql(query, bound).scalars())
        new = {row["key"]: row for row in rows if row["key"] not in known}
        if not new:
            return 0
        connection.execute(EMBEDDINGS.insert(), list(new.values()))
        tokens = sum(
            int((row["tokens"] if row["counted_tokens"] is None else row["counted_tokens"]) or 0)
            for row in new.values()
        )
        money = sum(
            float((row["cost"] if row["counted_cost"] is None else row["counted_cost"]) or 0)
            for row in new.values()
        )
        self.ledger.spend(connection, {"": (tokens, money)})
        return len(new)

    def close(self) -> None:
        """Commit what waits and close; safe to call twice."""
        if not self._closed:
            self._closed = True
            self._access.closing.set()
            with suppress(StateError):
                self.members.leave()
        self._writer.close()
        self._access.end()

    def _insert(self, table: Table, values: Mapping[str, Any]) -> None:
        statement = table.insert()
        self._writer.do(lambda connection: connection.execute(statement, dict(values)))

    def _rows(self, query: Any) -> list[dict[str, Any]]:
        return self._access.read(
            lambda connection: [dict(row) for row in connection.execute(query).mappings()]
        )


def place_of(folder: Path) -> str:
    """Return what a checkout is known by among others: whose it is, on which machine, where."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = str(os.getuid()) if hasattr(os, "getuid") else "?"
    return f"{user}@{socket.gethostname()}:{folder.resolve().parent}"
