"""Which relations stand in a store."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lupom.engine.store.names import literal

if TYPE_CHECKING:
    import duckdb

# Tables of the schema main that are LUPoM's own.
RESERVED = ("runs", "nodes", "calls")


def relation_kinds(cursor: duckdb.DuckDBPyConnection, schema: str = "main") -> dict[str, str]:
    """Return 'table' or 'view' by name, for every relation of a schema."""
    # Written out, not bound: DuckDB imports pandas for any bound value, and that is a third of what
    # a run costs that has nothing to do (.5 of 1.5 CPU seconds).
    here = f"where schema_name = {literal(schema)} and database_name = current_database()"
    found: Any = cursor.execute(
        f"select table_name, 'table' from duckdb_tables() {here}"
        f" union all select view_name, 'view' from duckdb_views() {here}"
    ).fetchall()
    return dict(found)
