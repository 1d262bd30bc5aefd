"""One store's tables, views and notes in another: from a plain file to a lake, and back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from lupom.engine.errors import StoreError, UsageError
from lupom.engine.store.base import CATALOG, FAILURES, Store
from lupom.engine.store.contents import content_hash
from lupom.engine.store.names import quoted
from lupom.engine.store.relations import relation_kinds

if TYPE_CHECKING:
    import duckdb

_FROM = "lupom_from"
_NOTES = "lupom_meta"


def copy(source: Store, other: Store, order: Sequence[str], *, replace: bool = False) -> int:
    """Copy everything from one store to another, all of it or nothing; returns how many relations.

    Every table is read again where it came to, and has the digest it had.

    Parameters
    ----------
    other : a store that nobody in this process has open.
    order : names of views in an order in which each stands behind those it reads.
    replace : drop what stands there first; without it there may be nothing.

    Raises
    ------
    UsageError : where something stands there.
    StoreError : where a store cannot be opened, or a table cannot be kept there.
    """
    import duckdb

    other.beside[_FROM] = source
    copied = 0

    def work(cursor: duckdb.DuckDBPyConnection) -> None:
        nonlocal copied
        standing = {schema: relation_kinds(cursor, schema) for schema in ("main", FAILURES)}
        if standing["main"] and not replace:
            raise UsageError(
                f"{other.place} has {len(standing['main'])} relations already",
                hint="--replace drops them",
            )
        for schema, kinds in standing.items():
            # Views first, which may be of any of the tables.
            for name in sorted(kinds, key=lambda name: kinds[name] == "table"):
                cursor.execute(f"drop {kinds[name]} {quoted(schema, name)}")
        copied = _copy(cursor, other, order)

    try:
        other.write(work, what=f"copied from {source.place}")
    except duckdb.Error as error:
        raise StoreError(f"cannot copy to {other.place}: {error}") from error
    finally:
        other.close()
        other.beside.pop(_FROM)
    return copied


def _copy(cursor: duckdb.DuckDBPyConnection, other: Store, order: Sequence[str]) -> int:
    cursor.execute(f"use {_FROM}")
    found = {schema: relation_kinds(cursor, schema) for schema in ("main", FAILURES)}
    views = dict(
        cursor.execute(
            "select view_name, sql from duckdb_views() where schema_name = 'main'"
            " and database_name = current_database()"
        ).fetchall()
    )
    cursor.execute(f"use {CATALOG}")
    if found[FAILURES]:
        cursor.execute(f"create schema if not exists {quoted(FAILURES)}")
    for schema, kinds in found.items():
        for name in [name for name, kind in kinds.items() if kind == "table"]:
            _table(cursor, other, schema, name)
    for name in ("tables", "quarantine"):
        cursor.execute(f"delete from {quoted(_NOTES, name)}")
        cursor.execute(f"insert into {quoted(_NOTES, name)} from {quoted(_FROM, _NOTES, name)}")
    place = {name: i for i, name in enumerate(order)}
    wanted = [name for name, kind in found["main"].items() if kind == "view"]
    for name in sorted(wanted, key=lambda name: place.get(name, len(place))):
        cursor.execute(views[name])
    return sum(len(kinds) for kinds in found.values())


def _table(cursor: duckdb.DuckDBPyConnection, other: Store, schema: str, name: str) -> None:
    plain = f"select * from {quoted(_FROM, schema, name)}"
    rows = other.stored(cursor, plain)
    cursor.execute(f"create table {quoted(schema, name)} as {rows}")
    kept = content_hash(cursor, name, schema)
    if rows == plain:
        cursor.execute(f"use {_FROM}")
        had = content_hash(cursor, name, schema)
        cursor.execute(f"use {CATALOG}")
    else:
        # Of other types it has another digest: that of the same select.
        cursor.execute(f"create or replace temp table __lupom_had as {rows}")
        had = content_hash(cursor, "__lupom_had", "temp")
        cursor.execute("drop table temp.__lupom_had")
    if kept != had:
        raise StoreError(f"'{name}' is not the same in {other.place}: nothing was copied")
