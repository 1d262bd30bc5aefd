"""SQL models: views, tables, and tables that grow (incremental)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lupom.engine.errors import ModelError
from lupom.engine.project.nodes import Node
from lupom.engine.run.context import Context
from lupom.engine.store.names import quoted
from lupom.engine.store.records import TableRecord

if TYPE_CHECKING:
    import duckdb


def build(context: Context, node: Node, record: TableRecord, *, whole: bool) -> TableRecord:
    """Build a SQL node.

    Parameters
    ----------
    record : what to note in the store.
    whole : build an incremental model from nothing, as on its first build.
    """
    incremental = node.materialization.grows and not whole
    text = context.sql(node, incremental=incremental)
    relation = quoted("main", node.name)

    def view(cursor: duckdb.DuckDBPyConnection) -> None:
        cursor.execute(f"create or replace view {relation} as {text}")

    def table(cursor: duckdb.DuckDBPyConnection) -> None:
        rows = context.store.stored(cursor, text)
        cursor.execute(f"create or replace table {relation} as {rows}")
        if node.materialization.grows:
            _check_unique(cursor, node, relation, _unique_key(node))

    def grow(cursor: duckdb.DuckDBPyConnection) -> None:
        _grow(cursor, node, context.store.stored(cursor, text))

    if node.materialization.is_view:
        return context.store.commit(record, view, hashed=False)
    return context.store.commit(record, grow if incremental else table)


def _grow(cursor: duckdb.DuckDBPyConnection, node: Node, text: str) -> None:
    """Add the rows of a select to a table, in place of those with the same unique key.

    Raises ModelError when the columns differ or the unique key is not unique in the new rows.
    """
    relation, fresh = quoted("main", node.name), quoted(f"__lupom_new_{node.name}")
    cursor.execute(f"create or replace temp table {fresh} as {text}")
    try:
        before = cursor.execute(f"describe {relation}").fetchall()
        after = cursor.execute(f"describe {fresh}").fetchall()
        if [c[:2] for c in before] != [c[:2] for c in after]:
            raise ModelError(
                f"the columns of '{node.name}' changed:"
                f" {_columns(before)} became {_columns(after)}",
                file=node.file,
                hint="run with --full-refresh to build it anew",
            )
        keys = _unique_key(node)
        _check_unique(cursor, node, fresh, keys, "new ")
        if keys:
            same = " and ".join(
                f"old.{quoted(key)} is not distinct from new.{quoted(key)}" for key in keys
            )
            cursor.execute(f"delete from {relation} as old using {fresh} as new where {same}")
        cursor.execute(f"insert into {relation} select * from {fresh}")
    finally:
        cursor.execute(f"drop table if exists {fresh}")


def _check_unique(
    cursor: duckdb.DuckDBPyConnection, node: Node, relation: str, keys: list[str], new: str = ""
) -> None:
    """Raise ModelError when a table has not the columns of the unique key, or two rows of one key,
    as the first build may have as well as any later one. NULL is a value like others."""
    if not keys:
        return
    columns = [c[0] for c in cursor.execute(f"describe {relation}").fetchall()]
    known = {column.lower() for column in columns}
    unknown = [key for key in keys if key.lower() not in known]
    if unknown:
        raise ModelError(
            f"unique_key: the model has no column '{unknown[0]}'",
            file=node.file,
            hint="columns: " + ", ".join(columns),
        )
    names = ", ".join(quoted(key) for key in keys)
    twice = cursor.execute(
        f"select {names} from {relation} group by all having count(*) > 1 order by all limit 1"
    ).fetchall()
    if twice:
        said = ", ".join(
            f"{key} = {'NULL' if value is None else repr(value)}"
            for key, value in zip(keys, twice[0], strict=True)
        )
        raise ModelError(
            f"unique_key: two {new}rows have {said}",
            file=node.file,
            hint="make the rows of the select unique, or add a column to unique_key",
        )


def _unique_key(node: Node) -> list[str]:
    key = node.config.get("unique_key")
    return [key] if isinstance(key, str) else list(key or ())


def _columns(described: list[tuple[str, ...]]) -> str:
    return "(" + ", ".join(f"{c[0]} {c[1]}" for c in described) + ")"
