"""The ledger: every LLM call ever paid for, by its key."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from lupom.engine.state.access import Access
    from lupom.engine.state.dialect import Dialect
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
WRITTEN = (
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
UNSAID = {
    **dict.fromkeys(("tokens_cached", "tokens_written", "characters"), 0),
    **dict.fromkeys(("counted_tokens", "counted_cost")),
    "repaired": False,
}
# What budgets count of a call.
TOKENS = "coalesce(counted_tokens, tokens_in + tokens_out, 0)"
MONEY = "coalesce(counted_cost, cost, 0)"


def upsert(dialect: Dialect) -> str:
    """Return the statement that writes a call; the columns are the constants above."""
    return dialect.driver(
        f"insert into calls (seq, created_at, updated_at, {', '.join(WRITTEN)}) values"
        f" ({dialect.next_seq}, :created_at, :updated_at,"
        f" {', '.join(':' + name for name in WRITTEN)})"
        " on conflict (key) do update set seq = excluded.seq, updated_at = excluded.updated_at, "
        + ", ".join(f"{name} = excluded.{name}" for name in WRITTEN[1:])
    )


class Ledger:
    """Reads and writes of calls; reads open a connection each, writes go through the one writer.

    What is spent is added to the pots with each writing, and taken off what the process `owner` was
    granted of them.
    """

    def __init__(self, access: Access, owner: str) -> None:
        self._access = access
        self._dialect = access.dialect
        self._owner = owner
        self._upsert = upsert(access.dialect)
        # A call that has its end is leased no more, and waits for no worker.
        self._done = access.dialect.driver(
            f"delete from queue where {access.dialect.among('key', 'keys')}"
        )
        self._free = access.dialect.driver(
            f"delete from leases where owner = :owner and {access.dialect.among('key', 'keys')}"
        )
        self.writer: Writer | None = None

    def lookup(self, keys: Iterable[str]) -> dict[str, Entry]:
        """Return what is known of the calls with these keys, by key."""
        return self._access.read(lambda connection: self.entries(connection, keys))

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

    def entries(self, connection: Connection, keys: Iterable[str]) -> dict[str, Entry]:
        """Return what is known of calls, as a transaction sees it."""
        return {row[0]: _entry(row) for row in self._rows(connection, _COLUMNS, keys)}

    def _select(self, columns: str, keys: Iterable[str]) -> Any:
        return self._access.read(lambda connection: self._rows(connection, columns, keys))

    def _rows(self, connection: Connection, columns: str, keys: Iterable[str]) -> Any:
        # One bound value whatever the number of keys.
        query = f"select {columns} from calls where {self._dialect.among('key', 'keys')}"
        bound = {"keys": self._dialect.keys(keys)}
        return connection.exec_driver_sql(self._dialect.driver(query), bound).all()

    async def record(self, row: Mapping[str, Any]) -> Entry | None:
        """Write a call as it now is; returns after the commit.

        `row` has the columns of the table but `seq` and the times; `parameters`, `history` and
        `probabilities` are JSON texts. The first writing sets `created_at`. `characters`,
        `repaired`, what budgets count and the tokens of the prompt cache may be left out. `since`:
        how many attempts its writer knew of.

        Where another process has written an answer meanwhile, that one stands and is returned, and
        what this one took is added to it; else None.
        """
        assert self.writer is not None
        entry: Entry | None = await self.writer.record({**UNSAID, **row})
        return entry

    def write(
        self, connection: Connection, rows: Sequence[Mapping[str, Any]]
    ) -> list[Entry | None]:
        """Write calls within a transaction; returns for each the entry that stands before it."""
        ended = [row["key"] for row in rows if row["status"] != PENDING]
        if ended:
            bound = {"owner": self._owner, "keys": self._dialect.keys(ended)}
            connection.exec_driver_sql(self._free, bound)
            connection.exec_driver_sql(self._done, bound)
        self.lock(connection)
        keys = [row["key"] for row in rows]
        query = f"key, status, {TOKENS}, {MONEY}, attempts"
        before = {row[0]: row[1:] for row in self._rows(connection, query, keys)}
        since = {row["key"]: row.get("since", 0) for row in rows}
        answered = [k for k, known in before.items() if known[0] == OK and known[3] > since[k]]
        standing = self.entries(connection, answered) if answered else {}
        times = dict.fromkeys(("created_at", "updated_at"), now())
        values = []
        for row in rows:
            old = standing.get(row["key"])
            out = row if old is None else _besides(old, row)
            made = {**times, **out, "repaired": bool(out["repaired"])}
            made.pop("since", None)
            values.append(self._dialect.row(made))
        connection.exec_driver_sql(self._upsert, values)
        spent: dict[str, tuple[int, float]] = {}
        for row in values:
            tokens, money = _counted(row)
            if (known := before.get(row["key"])) is not None:
                tokens, money = tokens - int(known[1]), money - float(known[2])
            before[row["key"]] = (row["status"], *_counted(row), row["attempts"])
            of_run = spent.get(row["run_id"], (0, 0.0))
            spent[row["run_id"]] = (of_run[0] + tokens, of_run[1] + money)
        self.spend(connection, spent)
        return [standing.get(key) for key in keys]

    def unite(self, connection: Connection, rows: Sequence[Mapping[str, Any]]) -> tuple[int, int]:
        """Take calls of another ledger in, within a transaction; returns how many were new, and how
        many took the place of what was known.

        An answer wins over none; of two without one the later. What stands else stays as it is.
        Rows have their times.
        """
        self.lock(connection)
        found = self._rows(connection, "key, status, updated_at", [row["key"] for row in rows])
        known = {row[0]: row[1:] for row in found}
        taken: dict[str, Mapping[str, Any]] = {}
        new = 0
        for row in rows:
            key, status = row["key"], row["status"]
            old = known.get(key)
            if old is not None and (old[0] == OK or (status != OK and row["updated_at"] <= old[1])):
                continue
            new += old is None
            known[key] = (status, row["updated_at"])
            taken[key] = row
        if taken:
            # Whatever stands there is to be replaced.
            self.write(connection, [{**row, "since": 1 << 30} for row in taken.values()])
        return new, len(taken) - new

    def lock(self, connection: Connection) -> None:
        """Be the only one who numbers calls, until the transaction ends.

        A number that is taken is committed before the next one is, so that whoever reads what came
        after a number misses nothing.
        """
        if self._dialect.shared:
            connection.exec_driver_sql("select 1 from pots where name = 'project' for update")

    def spend(self, connection: Connection, by_run: Mapping[str, tuple[int, float]]) -> None:
        """Add what was spent to the pots, within a transaction that has the lock."""
        tokens = sum(spent[0] for spent in by_run.values())
        money = sum(spent[1] for spent in by_run.values())
        added = {"project": (tokens, money), **{f"run {k}": v for k, v in by_run.items()}}
        connection.exec_driver_sql(
            self._dialect.driver(
                "update pots set tokens = tokens + :tokens, money = money + :money"
                " where name = :name"
            ),
            [{"name": name, "tokens": t, "money": m} for name, (t, m) in added.items()],
        )
        less = "case when {0} > :{0} then {0} - :{0} else 0 end"
        connection.exec_driver_sql(
            self._dialect.driver(
                f"update grants set tokens = {less.format('tokens')},"
                f" money = {less.format('money')} where pot = :name and owner = :owner"
            ),
            [
                {"name": name, "owner": self._owner, "tokens": t, "money": m}
                for name, (t, m) in added.items()
            ],
        )

    def taken(
        self,
        *,
        node: str | None = None,
        alias: str | None = None,
        model: str | None = None,
        limit: int = 2000,
    ) -> list[Taken]:
        """Return what the latest ended calls of a node, alias and model took; None is any."""
        given = {"node": node, "alias": alias, "model": model}
        bound = {name: value for name, value in given.items() if value is not None}
        conditions = "".join(f" and {name} = :{name}" for name in bound)
        query = self._dialect.driver(
            "select characters, tokens_in, tokens_out, tokens_cached, tokens_written,"
            f" status = '{OK}', case when attempts > 1 then attempts else 1 end from calls"
            f" where status <> '{PENDING}'"
            f" and tokens_in > 0 and tokens_out is not null and characters > 0{conditions}"
            " order by seq desc limit :limit"
        )
        rows = self._access.read(
            lambda connection: connection.exec_driver_sql(query, {**bound, "limit": limit}).all()
        )
        return [
            Taken(characters, tokens_in, tokens_out, cached, written, bool(ok), attempts)
            for characters, tokens_in, tokens_out, cached, written, ok, attempts in rows
        ]

    def spent(self) -> tuple[int, float]:
        """Return tokens and USD of everything ever asked and embedded.

        What a provider did not say counts by the requests' own estimate; unknown prices are 0.
        """
        query = "select tokens, money from pots where name = 'project'"
        tokens, money = self._access.read(lambda c: c.exec_driver_sql(query).one())
        # A sum of binary fractions that went up and down may miss nothing by a hair.
        return int(tokens), max(0.0, float(money))

    def calls_since(self, seq: int = 0, limit: int | None = None) -> list[dict[str, Any]]:
        """Return calls written after the given `seq`, in the order of writing, as dicts.

        A call that got another attempt is returned again, with a new `seq`.
        """
        query = "select * from calls where seq > :seq order by seq"
        bound = {"seq": seq}
        if limit is not None:
            query, bound = f"{query} limit :limit", {"seq": seq, "limit": limit}
        query = self._dialect.driver(query)
        rows = self._access.read(
            lambda connection: connection.exec_driver_sql(query, bound).mappings().all()
        )
        return [dict(row) for row in rows]


def _counted(row: Mapping[str, Any]) -> tuple[int, float]:
    """Return what budgets count of a call, as TOKENS and MONEY do."""
    tokens, cost = row["counted_tokens"], row["counted_cost"]
    if tokens is None:
        known = row["tokens_in"] is not None and row["tokens_out"] is not None
        tokens = row["tokens_in"] + row["tokens_out"] if known else 0
    return int(tokens), float((row["cost"] if cost is None else cost) or 0.0)


def _besides(standing: Entry, row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a standing answer's row with what another answer to the same call took added."""
    kept = {
        "status": standing.status,
        "answer": standing.answer,
        "probabilities": None
        if standing.probabilities is None
        else json.dumps(standing.probabilities, ensure_ascii=False),
        "missing_mass": standing.missing_mass,
        "history": json.dumps(standing.history, ensure_ascii=False) if standing.history else "[]",
        "error": standing.error,
        "repaired": standing.repaired,
        "tokens_cached": standing.tokens_cached + row["tokens_cached"],
        "tokens_written": standing.tokens_written + row["tokens_written"],
    }
    for name in ("tokens_in", "tokens_out", "cost", "latency", "attempts"):
        one, other = getattr(standing, name), row[name]
        kept[name] = None if one is None or other is None else one + other
    if standing.counted_tokens is not None or row["counted_tokens"] is not None:
        one, other = _counted(asdict(standing)), _counted(row)
        kept["counted_tokens"], kept["counted_cost"] = one[0] + other[0], one[1] + other[1]
    return {**row, **kept}


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
