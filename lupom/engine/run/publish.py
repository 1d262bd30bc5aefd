"""Copies runs, node results and calls from the state to the store, one SQL join from the rows."""

from __future__ import annotations

from typing import Any

from lupom.engine.run.context import Context
from lupom.engine.store.names import quoted

_TABLES = {
    "runs": """
        run_id varchar, command varchar, target varchar, flags varchar, status varchar,
        started_at timestamptz, seconds double
    """,
    "nodes": """
        run_id varchar, node varchar, kind varchar, status varchar, message varchar,
        reason varchar, rows bigint, seconds double, calls bigint, cached bigint, asked bigint,
        invalid bigint, tokens_in bigint, tokens_out bigint, cost double
    """,
    "calls": """
        call_id varchar, node varchar, run_id varchar, alias varchar, provider varchar,
        model varchar, parameters varchar, draw bigint, status varchar, answer varchar,
        missing_mass double, error varchar, tokens_in bigint, tokens_out bigint, cost double,
        latency double, attempts bigint, messages_hash varchar, created_at timestamptz,
        updated_at timestamptz
    """,
}
_KEYS = {"runs": "run_id", "nodes": "run_id", "calls": "call_id"}


def publish(context: Context) -> None:
    """Bring lupom.runs, lupom.nodes and lupom.calls up to date in one transaction.

    Only runs that the store has not seen finished are copied, and only calls updated since the
    last copy: a ledger of a million calls is not read again after each run.
    """
    import pyarrow as pa

    state = context.state
    with context.store.hold() as cursor:
        cursor.execute("begin")
        try:
            for name, columns in _TABLES.items():
                cursor.execute(f"create table if not exists main.{name} ({columns})")
            seen = {
                row[0]
                for row in cursor.execute(
                    "select run_id from main.runs where status <> 'running'"
                ).fetchall()
            }
            # fetchall, since DuckDB 2 leaves a connection busy until the last row is fetched.
            ((latest,),) = cursor.execute(
                "select epoch(max(updated_at)) from main.calls"
            ).fetchall()
            runs = [run for run in state.runs() if run["run_id"] not in seen]
            fresh: dict[str, list[dict[str, Any]]] = {
                "runs": runs,
                "nodes": state.nodes([run["run_id"] for run in runs]),
                "calls": [{**c, "call_id": c["key"]} for c in state.calls(since=latest)],
            }
            for name, rows in fresh.items():
                if not rows:
                    continue
                names = [c.split()[0] for c in _TABLES[name].split(",")]
                kinds = [c.split()[1] for c in _TABLES[name].split(",")]
                table = pa.table({n: [row.get(n) for row in rows] for n in names})
                cursor.register("__lupom_rows", table)
                key = _KEYS[name]
                cursor.execute(
                    f"delete from main.{name} where {key} in (select {key} from __lupom_rows)"
                )
                casts = ", ".join(_cast(n, k) for n, k in zip(names, kinds, strict=True))
                cursor.execute(f"insert into main.{name} select {casts} from __lupom_rows")
                cursor.unregister("__lupom_rows")
            cursor.execute("commit")
        except BaseException:
            cursor.execute("rollback")
            raise


def _cast(name: str, kind: str) -> str:
    if kind == "timestamptz":
        return f"to_timestamp({quoted(name)}::double)"
    return f"cast({quoted(name)} as {kind})"
