"""The state database: SQLite in WAL mode, read by anyone, written by one thread.

Writes of calls are grouped: the writer takes what has arrived, waits at most 20 ms for more, and
commits it all at once. Whoever hands in a row is told when it is on disk.
"""

from __future__ import annotations

import asyncio
import queue
import secrets
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, Table, event, func
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.exc import DatabaseError
from sqlmodel import SQLModel, create_engine, select, update

from lupom.engine.errors import StateError
from lupom.engine.state.tables import Call, Embedding, NodeRow, Run

# A commit costs one fsync (0.2 to 5 ms); 20 ms of patience turns 500 calls a second into 50
# commits a second, and adds less to a call than the network does.
_GROUP_SECONDS = 0.02
_GROUP_ROWS = 1000
_CHUNK = 500

_Item = tuple[Table, dict[str, Any], "Future[None]"]


class State:
    """The state of a project.

    Parameters
    ----------
    path : the SQLite file; it and its folder are made when missing.

    Raises
    ------
    StateError : when the file is not a state database or cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._engine = _engine(path)
            SQLModel.metadata.create_all(self._engine)
        except (OSError, DatabaseError) as error:
            raise StateError(f"cannot open {path}: {error}") from error
        self._queue: queue.SimpleQueue[_Item | None] = queue.SimpleQueue()
        self._writer: threading.Thread | None = None
        self._lock = threading.Lock()
        self._closed = False

    # Runs and nodes

    def new_run_id(self) -> str:
        """Return an id that sorts by time: 20261124T101502-3f9a."""
        return datetime.now(UTC).strftime("%Y%m%dT%H%M%S-") + secrets.token_hex(2)

    def start_run(self, run_id: str, *, command: str, target: str, flags: str) -> None:
        """Note that a run began."""
        row = {"run_id": run_id, "command": command, "target": target, "flags": flags}
        self._write(Run, {**row, "status": "running", "started_at": time.time()})

    def finish_run(self, run_id: str, *, status: str, seconds: float) -> None:
        """Note how a run ended."""
        with self._engine.begin() as connection:
            connection.execute(
                update(Run)
                .where(_table(Run).c.run_id == run_id)
                .values(status=status, seconds=seconds)
            )

    def record_node(self, run_id: str, **fields: Any) -> None:
        """Note how a node ended; fields are those of NodeRow."""
        self._write(NodeRow, {"run_id": run_id, **fields})

    def runs(self) -> list[dict[str, Any]]:
        """Return all runs, oldest first."""
        return self._read(select(_table(Run)).order_by(_table(Run).c.started_at))

    def nodes(self, run_ids: Sequence[str]) -> list[dict[str, Any]]:
        """Return the node results of some runs."""
        out: list[dict[str, Any]] = []
        table = _table(NodeRow)
        for chunk in _chunks(run_ids):
            out += self._read(select(table).where(table.c.run_id.in_(chunk)))
        return out

    # The ledger

    def lookup(self, keys: Iterable[str]) -> dict[str, dict[str, Any]]:
        """Return the ledger's rows (as dicts of Call's fields) for those keys it has."""
        table = _table(Call)
        out: dict[str, dict[str, Any]] = {}
        for chunk in _chunks(list(dict.fromkeys(keys))):
            for row in self._read(select(table).where(table.c.key.in_(chunk))):
                out[row["key"]] = row
        return out

    def statuses(self, keys: Iterable[str]) -> dict[str, str]:
        """Return 'ok', 'invalid' or 'pending' for those keys the ledger has."""
        table = _table(Call)
        out: dict[str, str] = {}
        for chunk in _chunks(list(dict.fromkeys(keys))):
            query = select(table.c.key, table.c.status).where(table.c.key.in_(chunk))
            out.update({row["key"]: row["status"] for row in self._read(query)})
        return out

    async def record(self, row: Mapping[str, Any]) -> None:
        """Write a call (fields of Call), over an earlier row of its key; returns once on disk."""
        await asyncio.wrap_future(self._enqueue(Call, row))

    def calls(self, since: float | None = None) -> list[dict[str, Any]]:
        """Return calls updated at `since` or later, oldest first; all of them without it."""
        table = _table(Call)
        query = select(table).order_by(table.c.updated_at)
        return self._read(query if since is None else query.where(table.c.updated_at >= since))

    def mean_tokens_out(self, node: str) -> float | None:
        """Return the mean of answer tokens of a node's calls, None where it has made none."""
        table = _table(Call)
        query = select(func.avg(table.c.tokens_out).label("mean")).where(table.c.node == node)
        mean = self._read(query)[0]["mean"]
        return None if mean is None else float(mean)

    # Embeddings

    def vectors(self, keys: Iterable[str]) -> dict[str, bytes]:
        """Return the vectors the ledger has, by key."""
        table = _table(Embedding)
        out: dict[str, bytes] = {}
        for chunk in _chunks(list(dict.fromkeys(keys))):
            query = select(table.c.key, table.c.vector).where(table.c.key.in_(chunk))
            out.update({row["key"]: row["vector"] for row in self._read(query)})
        return out

    async def record_vectors(self, model: str, vectors: Mapping[str, bytes]) -> None:
        """Write vectors by key; returns once they are on disk."""
        now = time.time()
        rows = [
            {"key": k, "model": model, "vector": v, "created_at": now} for k, v in vectors.items()
        ]
        await asyncio.gather(*(asyncio.wrap_future(self._enqueue(Embedding, row)) for row in rows))

    def close(self) -> None:
        """Write what is still waiting and close the file; safe to call twice."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            writer = self._writer
        if writer is not None:
            self._queue.put(None)
            writer.join()
        self._engine.dispose()

    def _read(self, query: Any) -> list[dict[str, Any]]:
        try:
            with self._engine.connect() as connection:
                return [dict(row) for row in connection.execute(query).mappings()]
        except DatabaseError as error:
            raise StateError(f"cannot read {self.path}: {error.orig}") from error

    def _write(self, model: type[SQLModel], row: Mapping[str, Any]) -> None:
        self._enqueue(model, row).result()

    def _enqueue(self, model: type[SQLModel], row: Mapping[str, Any]) -> Future[None]:
        done: Future[None] = Future()
        with self._lock:
            if self._closed:
                raise StateError(f"{self.path} is closed")
            if self._writer is None:
                self._writer = threading.Thread(target=self._work, name="lupom-state", daemon=True)
                self._writer.start()
        self._queue.put((_table(model), dict(row), done))
        return done

    def _work(self) -> None:
        running = True
        while running:
            item = self._queue.get()
            if item is None:
                return
            group = [item]
            deadline = time.monotonic() + _GROUP_SECONDS
            while len(group) < _GROUP_ROWS:
                try:
                    following = self._queue.get(timeout=max(0.0, deadline - time.monotonic()))
                except queue.Empty:
                    break
                if following is None:
                    running = False
                    break
                group.append(following)
            self._commit(group)

    def _commit(self, group: list[_Item]) -> None:
        try:
            with self._engine.begin() as connection:
                for table, rows in _by_shape(group):
                    statement = insert(table)
                    keys = [column.name for column in table.primary_key]
                    changed = {n: statement.excluded[n] for n in rows[0] if n not in keys}
                    connection.execute(
                        statement.on_conflict_do_update(index_elements=keys, set_=changed), rows
                    )
        except Exception as error:
            failure = StateError(f"cannot write {self.path}: {error}")
            for _, _, done in group:
                done.set_exception(failure)
            return
        for _, _, done in group:
            done.set_result(None)


def _by_shape(group: list[_Item]) -> list[tuple[Table, list[dict[str, Any]]]]:
    """Gather rows of one table and one set of columns, in the order they came."""
    out: list[tuple[Table, list[dict[str, Any]]]] = []
    for table, row, _ in group:
        if out and out[-1][0] is table and out[-1][1][0].keys() == row.keys():
            out[-1][1].append(row)
        else:
            out.append((table, [row]))
    return out


def _engine(path: Path) -> Engine:
    engine = create_engine(f"sqlite:///{path}", connect_args={"timeout": 30})

    @event.listens_for(engine, "connect")
    def _pragmas(connection: Any, _: Any) -> None:
        cursor = connection.cursor()
        cursor.execute("pragma journal_mode = wal")
        # FULL: an answer that was paid for survives a power cut, too.
        cursor.execute("pragma synchronous = full")
        cursor.close()

    return engine


def _table(model: type[SQLModel]) -> Table:
    table = model.__table__  # type: ignore[attr-defined]
    assert isinstance(table, Table)
    return table


def _chunks(values: Sequence[str]) -> Iterable[list[str]]:
    # SQLite allows 32,766 parameters a statement; 500 keep a statement's text small.
    for start in range(0, len(values), _CHUNK):
        yield list(values[start : start + _CHUNK])
