"""The ledger: every LLM call ever paid for, by its key."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

    from lupom.engine.state.writer import Writer

PENDING, OK, INVALID = "pending", "ok", "invalid"


@dataclass(slots=True)
class Entry:
    """What the ledger knows of a call.

    Attributes
    ----------
    history : invalid attempts, oldest first, each {text, error}.
    tokens_in, tokens_out, cost, latency : of all its attempts together; seconds, USD.
    """

    key: str
    status: str
    answer: str | None
    probabilities: dict[str, float] | None
    missing_mass: float | None
    history: list[dict[str, Any]]
    tokens_in: int
    tokens_out: int
    cost: float | None
    latency: float
    attempts: int
    error: str | None


_COLUMNS = (
    "key, status, answer, probabilities, missing_mass, history, tokens_in, tokens_out, cost,"
    " latency, attempts, error"
)
_WRITTEN = (
    "key",
    "provider",
    "model",
    "alias",
    "node",
    "run_id",
    "messages_hash",
    "schema_hash",
    "parameters",
    "draw",
    "status",
    "answer",
    "probabilities",
    "missing_mass",
    "history",
    "tokens_in",
    "tokens_out",
    "cost",
    "latency",
    "attempts",
    "error",
)
# Bound by name; the columns are the constants above.
_UPSERT = (
    f"insert into calls (seq, created_at, updated_at, {', '.join(_WRITTEN)}) values"
    " ((select coalesce(max(seq), 0) + 1 from calls), :now, :now,"
    f" {', '.join(':' + name for name in _WRITTEN)})"
    " on conflict (key) do update set seq = excluded.seq, updated_at = excluded.updated_at, "
    + ", ".join(f"{name} = excluded.{name}" for name in _WRITTEN[1:])
)


class Ledger:
    """Reads and writes of calls; reads open a connection each, writes go through the one writer."""

    def __init__(self, engine: Engine, writer: Writer) -> None:
        self._engine = engine
        self._writer = writer

    def lookup(self, keys: Iterable[str]) -> dict[str, Entry]:
        """Return what is known of the calls with these keys, by key."""
        rows = self._select(_COLUMNS, keys)
        return {row[0]: _entry(row) for row in rows}

    def statuses(self, keys: Iterable[str]) -> dict[str, str]:
        """Return the status of the calls with these keys: 'pending', 'ok' or 'invalid'."""
        return {row[0]: row[1] for row in self._select("key, status", keys)}

    def _select(self, columns: str, keys: Iterable[str]) -> Any:
        from sqlalchemy import text

        wanted = json.dumps(list(keys))
        # One bound value whatever the number of keys: json_each makes it a table.
        query = f"select {columns} from calls where key in (select value from json_each(:keys))"
        with self._engine.connect() as connection:
            return connection.execute(text(query), {"keys": wanted}).all()

    async def record(self, row: Mapping[str, Any]) -> None:
        """Write a call as it now is; returns after the commit.

        `row` has the columns of the table but `seq` and the times; `parameters`, `history` and
        `probabilities` are JSON texts. The first writing sets `created_at`.
        """
        values = {**row, "now": now()}
        await self._writer.do_async(lambda connection: _write(connection, values))

    def mean_tokens_out(self, node: str) -> float | None:
        """Return the mean of answer tokens of a node's calls; None where it has made none."""
        from sqlalchemy import text

        query = "select avg(tokens_out) from calls where node = :node and tokens_out > 0"
        with self._engine.connect() as connection:
            mean = connection.execute(text(query), {"node": node}).scalar()
        return None if mean is None else float(mean)

    def calls_since(self, seq: int = 0, limit: int | None = None) -> list[dict[str, Any]]:
        """Return calls written after the given `seq`, in the order of writing, as dicts.

        A call that got another attempt is returned again, with a new `seq`.
        """
        from sqlalchemy import text

        query = "select * from calls where seq > :seq order by seq limit :limit"
        with self._engine.connect() as connection:
            rows = connection.execute(
                text(query), {"seq": seq, "limit": -1 if limit is None else limit}
            )
            return [dict(row) for row in rows.mappings()]


def _write(connection: Connection, values: Mapping[str, Any]) -> None:
    connection.exec_driver_sql(_UPSERT, values)  # type: ignore[arg-type]


def _entry(row: Any) -> Entry:
    entry = Entry(*row)
    if isinstance(entry.probabilities, str):
        entry.probabilities = json.loads(entry.probabilities)
    history: Any = entry.history
    entry.history = json.loads(history) if history != "[]" else []
    return entry


def now() -> str:
    """Return the time, UTC, to the millisecond."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")
