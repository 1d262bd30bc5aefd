"""Copies runs, node results and calls from the state to the store, one SQL join from the rows."""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING, Any

from lupom.engine.run.context import Context
from lupom.engine.store.names import quoted

if TYPE_CHECKING:
    import duckdb

_TABLES = {
    "runs": """
        run_id varchar, command varchar, target varchar, version varchar, arguments varchar,
        status varchar, message varchar, started_at timestamptz, finished_at timestamptz,
        seconds double
    """,
    "nodes": """
        run_id varchar, node varchar, kind varchar, status varchar, message varchar,
        reason varchar, rows bigint, seconds double, calls bigint, cached bigint, asked bigint,
        invalid bigint, tokens_in bigint, tokens_out bigint, cost double, finished_at timestamptz,
        tokens_low bigint, tokens_high bigint, cost_low double, cost_high double,
        requests bigint, tokens_cached bigint,
        embedded_texts bigint, embedding_requests bigint, embedding_tokens bigint,
        embedding_cost double
    """,
    "calls": """
        call_id varchar, node varchar, run_id varchar, alias varchar, provider varchar,
        model varchar, parameters varchar, draw bigint, status varchar, answer varchar,
        probabilities varchar, missing_mass double, history varchar, error varchar,
        tokens_in bigint, tokens_out bigint, cost double, latency double, attempts bigint,
        messages_hash varchar, schema_hash varchar, created_at timestamptz,
        updated_at timestamptz, seq bigint,
        tokens_cached bigint, tokens_written bigint, characters bigint, repaired boolean,
        counted_tokens bigint, counted_cost double
    """,
}


# What a lake's snapshots say of these commits.
WHAT = "runs, nodes, calls"

# Calls in memory at one time, 4 KB each with their JSON.
_AT_ONCE = 5000


def publish(context: Context, run_id: str | None = None) -> None:
    """Bring lupom.runs, lupom.nodes and lupom.calls up to date.

    Only runs that the store has not seen finished are copied, and only calls written since the
    last copy: a ledger of a million calls is not read again after each run. Many calls go in
    several transactions, in the order they were written, so that the next copy goes on after the
    last one that came through.
    """
    store, state = context.store, context.state
    latest = 0

    def begin(cursor: duckdb.DuckDBPyConnection) -> None:
        nonlocal latest
        _prepare(cursor)
        _know_again(cursor, context)
        seen = cursor.execute("select run_id from main.runs where status <> 'running'").fetchall()
        known = {row[0] for row in seen}
        # fetchall, since DuckDB 2 leaves a connection busy until the last row is fetched.
        ((latest,),) = cursor.execute("select coalesce(max(seq), 0) from main.calls").fetchall()
        runs = [
            {**run, "arguments": json.dumps(run["arguments"])}
            for run in state.runs(everyone=True)
            if run["run_id"] not in known
        ]
        nodes = [row for run in runs for row in state.nodes(run["run_id"])]
        _replace(cursor, "runs", "run_id", runs)
        _replace(cursor, "nodes", "run_id", nodes)
        if calls := state.calls_since(latest, _AT_ONCE):
            latest = _take(cursor, calls)

    with store.hold():
        store.write(begin, run_id=run_id, what=WHAT)
        while calls := state.calls_since(latest, _AT_ONCE):
            store.write(partial(_take, calls=calls), run_id=run_id, what=WHAT)
            latest = calls[-1]["seq"]


def _take(cursor: duckdb.DuckDBPyConnection, calls: list[dict[str, Any]]) -> int:
    """Put calls in; returns where the next ones begin."""
    rows = [{**call, "call_id": call["key"], "repaired": bool(call["repaired"])} for call in calls]
    _replace(cursor, "calls", "call_id", rows)
    return int(calls[-1]["seq"])


def _prepare(cursor: duckdb.DuckDBPyConnection) -> None:
    """Make the tables, and add the columns that those of an earlier LUPoM lack."""
    found = cursor.execute(
        "select table_name, list(column_name) from duckdb_columns()"
        " where database_name = current_database() and schema_name = 'main'"
        " and list_contains($1, table_name) group by table_name",
        [list(_TABLES)],
    ).fetchall()
    standing = dict(found)
    for name, columns in _TABLES.items():
        if name not in standing:
            cursor.execute(f"create table main.{name} ({columns})")
            continue
        for column, kind in (column.split() for column in columns.split(",")):
            if column not in standing[name]:
                cursor.execute(f"alter table main.{name} add column {quoted(column)} {kind}")


def _know_again(cursor: duckdb.DuckDBPyConnection, context: Context) -> None:
    """Begin anew with the calls of another ledger than the last one: it has numbers of its own."""
    ((noted,),) = cursor.execute(
        "select comment from duckdb_tables() where database_name = current_database()"
        " and schema_name = 'main' and table_name = 'calls'"
    ).fetchall()
    if noted is None and context.shared_state is None and not context.store.shared:
        return
    ours = context.state.id
    if noted != ours:
        cursor.execute("update main.calls set seq = 0")
        cursor.execute(f"comment on table main.calls is '{ours}'")


def _replace(
    cursor: duckdb.DuckDBPyConnection, name: str, key: str, rows: list[dict[str, Any]]
) -> None:
    """Put rows in the place of those with the same key."""
    if not rows:
        return
    # As JSON: pyarrow would import pandas to make a table of lists, half a second of CPU for a
    # few rows, and executemany takes 0.4 ms a row.
    columns = [column.split() for column in _TABLES[name].split(",")]
    shape = json.dumps([{column: kind.upper() for column, kind in columns}])
    text = json.dumps(
        [{column: row.get(column) for column, _ in columns} for row in rows], default=str
    )
    keys = list({row[key] for row in rows})
    cursor.execute(f"delete from main.{name} where {key} in (select unnest($1))", [keys])
    # A table of an earlier LUPoM has its columns in another order.
    names = ", ".join(quoted(column) for column, _ in columns)
    cursor.execute(
        f"insert into main.{name} ({names})"
        f" select row.* from (select unnest(from_json($1, '{shape}')) as row)",
        [text],
    )
