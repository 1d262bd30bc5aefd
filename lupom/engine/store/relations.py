"""Which relations stand in a store."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import duckdb

# Tables of the schema main that are LUPoM's own.
RESERVED = ("runs", "nodes", "calls")


def relation_kinds(cursor: duckdb.DuckDBPyConnection, schema: str = "main") -> dict[str, str]:
    """Return 'table' or 'view' by name, for every relation of a schema."""
    found: Any = cursor.execute(
        "select table_name, 'table' from duckdb_tables() where schema_name = $schema"
        " and database_name = current_database()"
        " union all select view_name, 'view' from duckdb_views() where schema_name = $schema"
        " and database_name = current_database()",
        {"schema": schema},
    ).fetchall()
    return dict(found)
