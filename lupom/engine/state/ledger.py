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
    tokens_in, tokens_out, cost, latency : of all its attempts together; seconds, USD. None is
        unknown: the provider did not say, or the price is.
    tokens_cached, tokens_written : the part of `tokens_in` that came from the provider's prompt
        cache, and the part that was put into it.
    repaired : the answer's text had to be changed to be read.
    counted_tokens, counted_cost : what budgets count, by the requests' own estimate, where the
        provider did not say; None where it did.
    """

    key: str
    status: str
    answer: str | None
    probabilities: dict[str, float] | None
    missing_mass: float | None
    history: list[dict[str, Any]]
    tokens_in: int | None
    tokens_out: int | None
    cost: float | None
    latency: float
    attempts: int
    error: str | None
    tokens_cached: int = 0
    tokens_written: int = 0
    repaired: bool = False
    counted_tokens: int | None = None
    counted_cost: float | None = None


@dataclass(frozen=True, slots=True)
class Taken:
    """What an ended call took: characters of its messages, tokens of all attempts."""

    characters: int
    tokens_in: int
    tokens_out: int
    tokens_cached: int
    tokens_written: int
    ok: bool
    attempts: int


_COLUMNS = (
    "key, status, answer, probabilities, missing_mass, history, tokens_in, tokens_out, cost,"
    " latency, attempts, error, tokens_cached, tokens_written, repaired, counted_tokens,"
    " counted_cost"
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
    "tokens_cached",
    "tokens_written",
    "characters",
    "cost",
    "latency",
    "attempts",
    "error",
    "repaired",
    "counted_tokens",
    "counted_cost",
)
# Bound by name; the columns are the constants above.
_UPSERT = (
    f"insert into calls (seq, created_at, updated_at, {', '.join(_WRITTEN)}) values"
    " ((select coalesce(max(seq), 0) + 1 from calls), :now, :now,"
    f" {', '.join(':' + name for name in _WRITTEN)})"
    " on conflict (key) do update set seq = excluded.seq, updated_at = excluded.updated_at, "
    + ", ".join(f"{name} = excluded.{name}" for name in _WRITTEN[1:])
)


_UNSAID = {
    **dict.fromkeys(("tokens_cached", "tokens_written", "characters", "repaired"), 0),
    **dict.fromkeys(("counted_tokens", "counted_cost")),
}


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

    def origin(self, key: str) -> dict[str, Any] | None:
        """Return who was asked a call, for what and when: provider, model, alias, node, run_id,
        created_at, updated_at; None for an unknown one."""
        names = ("provider", "model", "alias", "node", "run_id", "created_at", "updated_at")
        for row in self._select(", ".join(names), [key]):
            return dict(zip(names, row, strict=True))
        return None

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
        `probabilities` are JSON texts. The first writing sets `created_at`. `characters`,
        `repaired`, what budgets count and the tokens of the prompt cache may be left out.
        """
        values = {**_UNSAID, **row, "now": now()}
        await self._writer.do_async(lambda connection: _write(connection, values))

    def taken(
        self,
        *,
        node: str | None = None,
        alias: str | None = None,
        model: str | None = None,
        limit: int = 2000,
    ) -> list[Taken]:
        """Return what the latest ended calls of a node, alias and model took; None is any."""
        from sqlalchemy import text

        given = {"node": node, "alias": alias, "model": model}
        bound = {name: value for name, value in given.items() if value is not None}
        conditions = "".join(f" and {name} = :{name}" for name in bound)
        query = (
            "select characters, tokens_in, tokens_out, tokens_cached, tokens_written,"
            f" status = '{OK}', max(attempts, 1) from calls where status <> '{PENDING}'"
            f" and tokens_in > 0 and tokens_out is not null and characters > 0{conditions}"
            " order by seq desc limit :limit"
        )
        with self._engine.connect() as connection:
            rows = connection.execute(text(query), {**bound, "limit": limit})
            return [
                Taken(characters, tokens_in, tokens_out, cached, written, bool(ok), attempts)
                for characters, tokens_in, tokens_out, cached, written, ok, attempts in rows
            ]

    def spent(self) -> tuple[int, float]:
        """Return tokens and USD of everything ever asked and embedded.

        What a provider did not say counts by the requests' own estimate; unknown prices are 0.
        """
        from sqlalchemy import text

        query = (
            "select coalesce(sum(tokens), 0), coalesce(sum(cost), 0) from"
            " (select coalesce(counted_tokens, tokens_in + tokens_out) as tokens,"
            " coalesce(counted_cost, cost) as cost from calls union all select"
            " coalesce(counted_tokens, tokens), coalesce(counted_cost, cost) from embeddings)"
        )
        with self._engine.connect() as connection:
            tokens, cost = connection.execute(text(query)).one()
        return int(tokens), float(cost)

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


def _write(connection: Connection, values: dict[str, Any]) -> None:
    connection.exec_driver_sql(_UPSERT, values)


def _entry(row: Any) -> Entry:
    entry = Entry(*row)
    if isinstance(entry.probabilities, str):
        entry.probabilities = json.loads(entry.probabilities)
    entry.repaired = bool(entry.repaired)
    history: Any = entry.history
    entry.history = json.loads(history) if history != "[]" else []
    return entry


def now() -> str:
    """Return the time, UTC, to the millisecond."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")
