"""The tables of the state database: SQLModel classes of what is kept, and plain tables."""

from __future__ import annotations

from typing import Any

from sqlalchemy import JSON, BigInteger, Boolean, Column, Float, LargeBinary, String, Table
from sqlmodel import Field, SQLModel

# Raised with any change to the tables; a newer database is not opened.
VERSION = 9


class Run(SQLModel, table=True):
    """One run: a command that built something, or tried to. Times are UTC, ISO 8601.

    `place` is the checkout it was made in, 'user@host:folder': several may share a database.
    """

    __tablename__ = "runs"

    run_id: str = Field(primary_key=True)
    command: str
    target: str | None = None
    version: str | None = None
    arguments: dict[str, Any] = Field(default_factory=dict, sa_column=Column(JSON))
    status: str = "running"
    message: str = ""
    started_at: str
    finished_at: str | None = None
    seconds: float | None = None
    place: str | None = None


class NodeRun(SQLModel, table=True):
    """How one node of a run ended.

    `tokens_low` to `tokens_high` and `cost_low` to `cost_high` are what its calls were estimated at
    before they were made. `embedded_texts` are those it had embedded by endpoints in this run, by
    `embedding_requests`; they took `embedding_tokens` and `embedding_cost`, NULL where not known.
    """

    __tablename__ = "nodes"

    id: int | None = Field(default=None, primary_key=True)
    run_id: str = Field(index=True)
    node: str
    kind: str
    status: str
    message: str = ""
    reason: str = ""
    rows: int | None = None
    seconds: float = 0.0
    fingerprint: str | None = None
    content_hash: str | None = None
    calls: int | None = None
    cached: int | None = None
    asked: int | None = None
    invalid: int | None = None
    tokens_in: int | None = None
    tokens_out: int | None = None
    cost: float | None = None
    tokens_low: int | None = None
    tokens_high: int | None = None
    cost_low: float | None = None
    cost_high: float | None = None
    requests: int | None = None
    tokens_cached: int | None = None
    embedded_texts: int | None = None
    embedding_requests: int | None = None
    embedding_tokens: int | None = None
    embedding_cost: float | None = None
    finished_at: str


class Call(SQLModel, table=True):
    """One LLM call: what decides its answer is its key; attempts are kept in `history`.

    `status` is 'pending' (invalid so far, attempts left), 'ok' or 'invalid' (quarantined). `seq`
    grows with every write, so that what is new since a given one can be read. `history` holds the
    invalid attempts as {text, error}; those of an earlier round of attempts have `earlier`.
    `characters` is the length of its messages, corrections aside. `tokens_in` covers
    `tokens_cached` (read from the provider's prompt cache) and `tokens_written` (put into it).
    Where the provider did not say what it took, `tokens_in`, `tokens_out` and `cost` are NULL, and
    `counted_tokens` and `counted_cost` what budgets count by the requests' own estimate.
    `repaired` is true where the answer's text had to be changed to be read.
    """

    __tablename__ = "calls"

    key: str = Field(primary_key=True)
    seq: int = Field(sa_column=Column(BigInteger, nullable=False, index=True))
    provider: str
    model: str
    alias: str
    node: str = Field(index=True)
    run_id: str
    messages_hash: str
    schema_hash: str
    parameters: str
    draw: int = 0
    status: str
    answer: str | None = None
    probabilities: str | None = None
    missing_mass: float | None = None
    history: str = "[]"
    tokens_in: int | None = 0
    tokens_out: int | None = 0
    tokens_cached: int = 0
    tokens_written: int = 0
    characters: int = 0
    cost: float | None = None
    latency: float = 0.0
    attempts: int = 0
    error: str | None = None
    repaired: bool = False
    counted_tokens: int | None = None
    counted_cost: float | None = None
    created_at: str
    updated_at: str


class Embedding(SQLModel, table=True):
    """One embedded text of a paid endpoint; `vector` is little-endian float32.

    Where the provider did not say what it took, `tokens` and `cost` are NULL, and `counted_tokens`
    and `counted_cost` what budgets count by the request's own estimate.
    """

    __tablename__ = "embeddings"

    key: str = Field(primary_key=True)
    provider: str
    model: str
    vector: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    tokens: int | None = 0
    cost: float | None = None
    counted_tokens: int | None = None
    counted_cost: float | None = None
    created_at: str


class EndpointCapabilities(SQLModel, table=True):
    """How an endpoint takes requests, as its first answers and complaints showed."""

    __tablename__ = "manners"

    endpoint: str = Field(primary_key=True)
    # The table and its column are called as in databases of version 0.1.0.
    capabilities: dict[str, Any] = Field(default_factory=dict, sa_column=Column("manner", JSON))
    updated_at: str


class Batch(SQLModel, table=True):
    """Calls given to a provider by the batch.

    `status` is 'submitting' (noted, not known to be created), 'out', 'done' or 'lost' (never
    created). `calls` holds what the ledger will say of each; `tokens` and `money` are the most they
    may take.
    """

    __tablename__ = "batches"

    token: str = Field(primary_key=True)
    batch_id: str | None = None
    endpoint: str = Field(index=True)
    alias: str
    node: str
    run_id: str
    status: str
    calls: list[dict[str, Any]] = Field(default_factory=list, sa_column=Column(JSON))
    tokens: int = Field(default=0, sa_column=Column(BigInteger, nullable=False, default=0))
    money: float = 0.0
    created_at: str
    updated_at: str


# What processes say to one another stands in plain tables: nobody makes objects of their rows, and
# a class of Pydantic takes 4 ms of every start.


def _made(name: str, *columns: Column[Any]) -> Table:
    return Table(name, SQLModel.metadata, *columns)


def _text(name: str, **options: Any) -> Column[Any]:
    return Column(name, String, **{"nullable": False, **options})


def _whole(name: str, **options: Any) -> Column[Any]:
    return Column(name, BigInteger, **{"nullable": False, **options})


def _real(name: str, **options: Any) -> Column[Any]:
    return Column(name, Float, **{"nullable": False, **options})


MEMBERS = _made(
    "members",
    _text("owner", primary_key=True),
    _text("kind"),
    _text("place"),
    _real("until"),
    _text("started_at"),
    _text("message", nullable=True),
)
"""Processes that have the database open and take part in the asking, as 'run' or 'worker'.

One is alive while `until` (seconds since 1970, the database's clock) lies ahead; what a dead one
held is free. `message` is what it wants others to know.
"""

LEASES = _made("leases", _text("key", primary_key=True), _text("owner", index=True))
"""Calls that a member has in flight, or is about to have; each is worth what its member is."""

POTS = _made(
    "pots",
    _text("name", primary_key=True),
    _whole("tokens"),
    _real("money"),
    _whole("most_tokens", nullable=True),
    _real("most_money", nullable=True),
)
"""What was spent, in all ('project') or by one run ('run ID'): written with each answer.

`most_tokens` and `most_money` are the budget of a run that workers ask for. The row 'project' is
also the lock of whoever numbers rows of the ledger.
"""

GRANTS = _made(
    "grants",
    _text("pot", primary_key=True),
    _text("owner", primary_key=True),
    _whole("tokens"),
    _real("money"),
)
"""What a member may yet spend of a pot: promised to its requests in flight, or about to be."""

RATES = _made(
    "rates", _text("endpoint", primary_key=True), _real("requests_at"), _real("tokens_at")
)
"""When what was sent to an endpoint is worked off, by its alias's limits a minute."""

QUEUE = _made(
    "queue",
    _text("key", primary_key=True),
    _whole("position", index=True),
    _text("run_id", index=True),
    _text("owner"),
    _text("alias"),
    _text("node"),
    _text("content"),
    Column("fresh", Boolean, nullable=False),
    _whole("known"),
    _whole("failures"),
    _text("error", nullable=True),
)
"""Calls that runs want workers to ask, in the order of `position`.

`content` is JSON: what a call says, the class that reads its answer and what limits that. `known`
is how many attempts the run knew of: a call that ended with more has its end.
"""

FACTS = _made("facts", _text("name", primary_key=True), _text("value"))
"""What is so of the database as a whole: its `id`, by which others know it again."""


def _table(model: type[SQLModel]) -> Table:
    return SQLModel.metadata.tables[str(model.__tablename__)]


RUNS, NODES, CALLS = _table(Run), _table(NodeRun), _table(Call)
EMBEDDINGS, MANNERS, BATCHES = _table(Embedding), _table(EndpointCapabilities), _table(Batch)
ALL = (
    *(RUNS, NODES, CALLS, EMBEDDINGS, MANNERS, BATCHES),
    *(MEMBERS, LEASES, POTS, GRANTS, RATES, QUEUE, FACTS),
)
