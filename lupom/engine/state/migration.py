"""What a state database of an earlier LUPoM needs beside new columns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy.schema import CreateTable

from lupom.engine.state.tables import CALLS, EMBEDDINGS

if TYPE_CHECKING:
    from sqlalchemy import Connection

# Bytes of a prompt and its answer per token, as requests estimate what they take.
_PER_TOKEN = 3.0
# Answers come with a prompt, and a prompt has tokens: none is what providers say that say nothing.
_UNSAID = "attempts > 0 and tokens_in <= 0 and provider <> 'embedded'"


def admit_unknown_usage(connection: Connection) -> None:
    """Let calls and embeddings have unknown tokens, and make 0 of what was never said unknown.

    Up to version 3 such calls were booked as 0 tokens, and no budget saw them. They are counted by
    their length now. No call is lost, and no key, answer or time is changed.
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
