"""Reading the store for the site: whatever is built, and nothing where it is not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from lupom.engine.store.names import quoted

if TYPE_CHECKING:
    import duckdb

    from lupom.engine.workspace import Project


class Tables:
    """The relations of a project that stand in its store, read through one connection.

    `columns` has the type of every column by relation and name; a relation that is not built is not
    among them.
    """

    def __init__(self, cursor: duckdb.DuckDBPyConnection | None) -> None:
        self._cursor = cursor
        self.columns: dict[str, dict[str, str]] = {}
        self.kinds: dict[str, str] = {}
        if cursor is None:
            return
        found = cursor.execute(
            "select table_name, column_name, data_type from duckdb_columns()"
            " where schema_name = 'main' and database_name = current_database() and not internal"
            " order by table_name, column_index"
        ).fetchall()
        for table, column, kind in found:
            self.columns.setdefault(table, {})[column] = kind
        views = cursor.execute(
            "select view_name from duckdb_views() where schema_name = 'main'"
            " and database_name = current_database() and not internal"
        ).fetchall()
        self.kinds = dict.fromkeys(self.columns, "table") | {name: "view" for (name,) in views}

    def has(self, table: str, *columns: str) -> bool:
        """Say whether a relation is built and has these columns."""
        return table in self.columns and all(c in self.columns[table] for c in columns)

    def rows(
        self, sql: str, parameters: Sequence[Any] | Mapping[str, Any] = ()
    ) -> list[tuple[Any, ...]]:
        """Return the rows of a query; none without a store."""
        if self._cursor is None:
            return []
        given = parameters if isinstance(parameters, Mapping) else list(parameters)
        return list(self._cursor.execute(sql, given).fetchall())

    def dicts(self, sql: str, parameters: Sequence[Any] = ()) -> list[dict[str, Any]]:
        """Return the rows of a query as dicts."""
        if self._cursor is None:
            return []
        result = self._cursor.execute(sql, list(parameters))
        names = [column[0] for column in result.description or []]
        return [dict(zip(names, row, strict=True)) for row in result.fetchall()]

    def do(self, sql: str) -> None:
        """Run a statement, such as one that makes a temporary table."""
        if self._cursor is not None:
            self._cursor.execute(sql)

    def sample(self, table: str, limit: int) -> dict[str, Any]:
        """Return the first rows of a relation, as {columns, rows}; {} where it is not built."""
        if table not in self.columns:
            return {}
        rows = self.rows(f"select * from {quoted('main', table)} limit {int(limit)}")
        return {"columns": list(self.columns[table]), "rows": [list(row) for row in rows]}

    def count(self, table: str) -> int | None:
        """Return a relation's number of rows; None where it is not built."""
        if table not in self.columns:
            return None
        return int(self.rows(f"select count(*) from {quoted('main', table)}")[0][0])


def latest(rows: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return the last result of every node that ever ran."""
    return {row["node"]: dict(row) for row in rows}


def numbers_of_runs(project: Project) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return runs (the latest first) and node results (in the order they ended)."""
    state = project.context.state
    return state.runs(), state.nodes()
