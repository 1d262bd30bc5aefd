"""Brings a state database to the version of this LUPoM: forward only, once, with a copy before."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any

from sqlalchemy.schema import CreateIndex, CreateTable

from lupom.engine.errors import StateError
from lupom.engine.state import tables
from lupom.engine.state.tables import CALLS, EMBEDDINGS

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from lupom.engine.state.dialect import Dialect
    from lupom.engine.state.location import Location

# Bytes of a prompt and its answer per token, as requests estimate what they take.
_PER_TOKEN = 3.0
# Answers come with a prompt, and a prompt has tokens: none is what providers say that say nothing.
_UNSAID = "attempts > 0 and tokens_in <= 0 and provider <> 'embedded'"
# What budgets count of a call and of an embedding.
SPENT = (
    "select coalesce(sum(tokens), 0), coalesce(sum(cost), 0) from"
    " (select coalesce(counted_tokens, tokens_in + tokens_out) as tokens,"
    " coalesce(counted_cost, cost) as cost from calls union all select"
    " coalesce(counted_tokens, tokens), coalesce(counted_cost, cost) from embeddings) as taken"
)


def migrate(connection: Connection, dialect: Dialect, location: Location) -> str | None:
    """Make the tables, or complete older ones; returns where the copy from before is, if any.

    The transaction is the caller's. Whoever comes second waits for the schema's lock and finds
    nothing to do.
    """
    dialect.lock_schema(connection)
    version = dialect.version(connection)
    if version >= tables.VERSION:
        return None
    copy = None
    if version:
        name = f"version-{version}-of-{datetime.now(UTC):%Y%m%dT%H%M%S}"
        copy = dialect.back_up(connection, location, name)
    else:
        _refuse_others(connection, dialect, location)
    of_tables, of_indexes = _definitions(dialect.name)
    for statement in of_tables:
        connection.exec_driver_sql(statement)
    if version:
        _complete(connection, dialect, tables.ALL)
    for statement in of_indexes:
        connection.exec_driver_sql(statement)
    if 0 < version < 4:
        admit_unknown_usage(connection)
    if version < 6:
        _begin_totals(connection)
        connection.execute(tables.FACTS.insert().values(name="id", value=secrets.token_hex(8)))
    dialect.set_version(connection, tables.VERSION)
    return copy


def _refuse_others(connection: Connection, dialect: Dialect, location: Location) -> None:
    """Raise StateError where a database without a version has a table called as one of ours."""
    theirs = [t.name for t in tables.ALL if dialect.columns(connection, t.name)]
    if theirs:
        raise StateError(
            f"the state database at {location.shown}: its tables are not those of a ledger (there"
            f" is a table '{theirs[0]}', and no version of LUPoM's)",
            hint="give the ledger a database of its own",
        )


@cache
def _definitions(name: str) -> tuple[list[str], list[str]]:
    """Return the SQL of tables and of indexes that are not there; it takes 15 ms to write."""
    if name == "sqlite":
        from sqlalchemy.dialects import sqlite as module
    else:
        from sqlalchemy.dialects import postgresql as module  # type: ignore[no-redef]
    dialect = module.dialect()
    indexes = [index for table in tables.ALL for index in table.indexes]
    made = [str(CreateTable(t, if_not_exists=True).compile(dialect=dialect)) for t in tables.ALL]
    if name == "postgresql":
        made.append("create sequence if not exists calls_seq")
    return (
        made,
        [str(CreateIndex(i, if_not_exists=True).compile(dialect=dialect)) for i in indexes],
    )


def _complete(connection: Connection, dialect: Dialect, wanted: Sequence[Any]) -> None:
    """Add the columns that an older database lacks; nothing in it is changed."""
    for table in wanted:
        there = dialect.columns(connection, table.name)
        for column in table.columns:
            if column.name in there:
                continue
            kind = column.type.compile(connection.dialect)
            zero = "false" if kind == "BOOLEAN" else "0"
            default = "" if column.nullable else f" not null default {zero}"
            connection.exec_driver_sql(
                f'alter table {table.name} add column "{column.name}" {kind}{default}'
            )


def _begin_totals(connection: Connection) -> None:
    """Sum up what was spent so far; from now on each write adds to it."""
    tokens, money = connection.exec_driver_sql(SPENT).one()
    connection.exec_driver_sql("delete from pots where name = 'project'")
    connection.execute(
        tables.POTS.insert().values(name="project", tokens=int(tokens), money=float(money))
    )


def admit_unknown_usage(connection: Connection) -> None:
    """Let calls and embeddings have unknown tokens, and make 0 of what was never said unknown.

    Up to version 3 such calls were booked as 0 tokens, and no budget saw them. They are counted by
    their length now. No call is lost, and no key, answer or time is changed. Only SQLite files are
    so old.
    """
    for table in (CALLS, EMBEDDINGS):
        if _is_strict(connection, table):
            _rebuild(connection, table)
    connection.exec_driver_sql(
        "update calls set counted_tokens = cast((characters + coalesce(length(answer), 0))"
        f" / {_PER_TOKEN} as integer), counted_cost = null, tokens_in = null, tokens_out = null,"
        f" cost = null where {_UNSAID}"
    )


def _is_strict(connection: Connection, table: Any) -> bool:
    """Tell whether a table refuses NULL where it may stand now."""
    rows = connection.exec_driver_sql(f"pragma table_info({table.name})")
    strict = {row[1] for row in rows if row[3]}
    return any(column.nullable and column.name in strict for column in table.columns)


def _rebuild(connection: Connection, table: Any) -> None:
    """Make a table anew and move its rows, which is how SQLite takes a constraint away."""
    name, old = table.name, f"{table.name}_before"
    for index in table.indexes:
        connection.exec_driver_sql(f"drop index if exists {index.name}")
    connection.exec_driver_sql(f"alter table {name} rename to {old}")
    connection.execute(CreateTable(table))
    there = [row[1] for row in connection.exec_driver_sql(f"pragma table_info({old})")]
    columns = ", ".join(f'"{c.name}"' for c in table.columns if c.name in there)
    connection.exec_driver_sql(f"insert into {name} ({columns}) select {columns} from {old}")
    connection.exec_driver_sql(f"drop table {old}")
    for index in table.indexes:
        index.create(connection, checkfirst=True)
