"""Tables of .lupom/state.db. Times are seconds since 1970 (UTC), money is USD, latency seconds."""

from __future__ import annotations

from sqlmodel import Field, SQLModel


class Run(SQLModel, table=True):
    """One run of the project. `status`: running, success, error, stopped."""

    __tablename__ = "runs"

    run_id: str = Field(primary_key=True)
    command: str
    target: str
    flags: str
    status: str = "running"
    started_at: float
    seconds: float | None = None


class NodeRow(SQLModel, table=True):
    """How one node of a run ended."""

    __tablename__ = "nodes"

    run_id: str = Field(primary_key=True, foreign_key="runs.run_id")
    node: str = Field(primary_key=True)
    kind: str
    status: str
    message: str = ""
    reason: str = ""
    rows: int | None = None
    seconds: float = 0.0
    calls: int = 0
    cached: int = 0
    asked: int = 0
    invalid: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    cost: float | None = None


class Call(SQLModel, table=True):
    """One call of an LLM, by what decides its answer.

    `status`: 'pending' (an invalid answer came back, a corrective attempt is still to make), 'ok',
    'invalid' (no valid answer within the attempts allowed). `history` is a JSON list of the invalid
    answers before the last one, with their errors. Tokens and money are summed over attempts.
    """

    __tablename__ = "calls"

    key: str = Field(primary_key=True)
    provider: str
    model: str | None = None
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
    error: str | None = None
    tokens_in: int = 0
    tokens_out: int = 0
    cost: float | None = None
    latency: float = 0.0
    attempts: int = 0
    created_at: float
    updated_at: float = Field(index=True)


class Embedding(SQLModel, table=True):
    """The vector of a text, as paid for at an embeddings endpoint (little-endian float32)."""

    __tablename__ = "embeddings"

    key: str = Field(primary_key=True)
    model: str
    vector: bytes
    created_at: float
