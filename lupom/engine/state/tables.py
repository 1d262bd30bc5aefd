"""The tables of the state database."""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    Float,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
)

# Raised with any change to the tables; a newer database is not opened.
VERSION = 5

_METADATA = MetaData()


def _key(name: str, kind: Any = String) -> Column[Any]:
    return Column(name, kind, primary_key=True)


def _some(name: str, kind: Any = String, **more: Any) -> Column[Any]:
    """Return a column that is never NULL."""
    return Column(name, kind, nullable=False, **more)


# One run: a command that built something, or tried to. Times are UTC, ISO 8601.
RUNS = Table(
    "runs",
    _METADATA,
    _key("run_id"),
    _some("command"),
    Column("target", String),
    Column("version", String),
    Column("arguments", JSON),
    _some("status", default="running"),
    _some("message", default=""),
    _some("started_at"),
    Column("finished_at", String),
    Column("seconds", Float),
)

# How one node of a run ended.
#
# `tokens_low` to `tokens_high` and `cost_low` to `cost_high` are what its calls were estimated at
# before they were made.
NODES = Table(
    "nodes",
    _METADATA,
    _key("id", Integer),
    _some("run_id", index=True),
    _some("node"),
    _some("kind"),
    _some("status"),
    _some("message", default=""),
    _some("reason", default=""),
    Column("rows", Integer),
    _some("seconds", Float, default=0.0),
    Column("fingerprint", String),
    Column("content_hash", String),
    Column("calls", Integer),
    Column("cached", Integer),
    Column("asked", Integer),
    Column("invalid", Integer),
    Column("tokens_in", Integer),
    Column("tokens_out", Integer),
    Column("cost", Float),
    Column("tokens_low", Integer),
    Column("tokens_high", Integer),
    Column("cost_low", Float),
    Column("cost_high", Float),
    Column("requests", Integer),
    Column("tokens_cached", Integer),
    _some("finished_at"),
)

# One LLM call: what decides its answer is its key; attempts are kept in `history`.
#
# `status` is 'pending' (invalid so far, attempts left), 'ok' or 'invalid' (quarantined). `seq`
# grows with every write, so that what is new since a given one can be read. `history` holds the
# invalid attempts as {text, error}; those of an earlier round of attempts have `earlier`.
# `characters` is the length of its messages, corrections aside. `tokens_in` covers
# `tokens_cached` (read from the provider's prompt cache) and `tokens_written` (put into it).
# Where the provider did not say what it took, `tokens_in`, `tokens_out` and `cost` are NULL, and
# `counted_tokens` and `counted_cost` what budgets count by the requests' own estimate.
# `repaired` is true where the answer's text had to be changed to be read.
CALLS = Table(
    "calls",
    _METADATA,
    _key("key"),
    _some("seq", Integer, index=True),
    _some("provider"),
    _some("model"),
    _some("alias"),
    _some("node", index=True),
    _some("run_id"),
    _some("messages_hash"),
    _some("schema_hash"),
    _some("parameters"),
    _some("draw", Integer, default=0),
    _some("status"),
    Column("answer", String),
    Column("probabilities", String),
    Column("missing_mass", Float),
    _some("history", default="[]"),
    Column("tokens_in", Integer, default=0),
    Column("tokens_out", Integer, default=0),
    _some("tokens_cached", Integer, default=0),
    _some("tokens_written", Integer, default=0),
    _some("characters", Integer, default=0),
    Column("cost", Float),
    _some("latency", Float, default=0.0),
    _some("attempts", Integer, default=0),
    Column("error", String),
    _some("repaired", Boolean, default=False),
    Column("counted_tokens", Integer),
    Column("counted_cost", Float),
    _some("created_at"),
    _some("updated_at"),
)

# One embedded text of a paid endpoint; `vector` is little-endian float32.
#
# Where the provider did not say what it took, `tokens` and `cost` are NULL, and `counted_tokens`
# and `counted_cost` what budgets count by the request's own estimate.
EMBEDDINGS = Table(
    "embeddings",
    _METADATA,
    _key("key"),
    _some("provider"),
    _some("model"),
    _some("vector", LargeBinary),
    Column("tokens", Integer, default=0),
    Column("cost", Float),
    Column("counted_tokens", Integer),
    Column("counted_cost", Float),
    _some("created_at"),
)

# How an endpoint takes requests, as its first answers and complaints showed.
# Table and column are called as in databases of version 0.1.0.
MANNERS = Table(
    "manners",
    _METADATA,
    _key("endpoint"),
    Column("manner", JSON),
    _some("updated_at"),
)

# Calls given to a provider by the batch.
#
# `status` is 'submitting' (noted, not known to be created), 'out', 'done' or 'lost' (never
# created). `calls` holds what the ledger will say of each; `tokens` and `money` are the most they
# may take.
BATCHES = Table(
    "batches",
    _METADATA,
    _key("token"),
    Column("batch_id", String),
    _some("endpoint", index=True),
    _some("alias"),
    _some("node"),
    _some("run_id"),
    _some("status"),
    Column("calls", JSON),
    _some("tokens", Integer, default=0),
    _some("money", Float, default=0.0),
    _some("created_at"),
    _some("updated_at"),
)

ALL = tuple(_METADATA.tables.values())
