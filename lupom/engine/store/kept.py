"""The types in which a lake keeps values: what Parquet or DuckLake cannot hold is cast.

DuckLake refuses ENUM, UNION, arrays, BIT and BIGNUM. Parquet has no whole numbers of 128 bits, for
which DuckDB writes doubles: 2^53 + 1 comes back as 2^53. Of an INTERVAL it has no microseconds and
no sign, of a TIME WITH TIME ZONE no zone, and TIME_NS ends the process's DuckDB.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lupom.engine.store.names import quoted

if TYPE_CHECKING:
    import duckdb

_AS_TEXT = frozenset(
    {"enum", "union", "bit", "bignum", "varint", "interval", "time with time zone", "time_ns"}
)
# sum() of whole numbers is a HUGEINT. Of 39 digits 38 are kept, and a larger number is an error.
_WIDE = {"hugeint": "DECIMAL(38, 0)", "uhugeint": "DECIMAL(38, 0)"}


def kept_type(kind: Any) -> str | None:
    """Return the type in which values of a DuckDBPyType are kept; None where it is that type."""
    name = kind.id
    if name in _AS_TEXT:
        return "VARCHAR"
    if name in _WIDE:
        return _WIDE[name]
    if name == "array":
        return f"{_inner(kind.children[0][1])}[]"
    if name == "list":
        child = kept_type(kind.children[0][1])
        return None if child is None else f"{child}[]"
    if name == "struct":
        if all(kept_type(inner) is None for _, inner in kind.children):
            return None
        fields = ", ".join(f"{quoted(field)} {_inner(inner)}" for field, inner in kind.children)
        return f"STRUCT({fields})"
    if name == "map":
        (_, key), (_, value) = kind.children
        if kept_type(key) is None and kept_type(value) is None:
            return None
        return f"MAP({_inner(key)}, {_inner(value)})"
    return None


def _inner(kind: Any) -> str:
    # DuckDB makes a column of nothing but NULL one of INTEGER.
    return kept_type(kind) or ("INTEGER" if kind.id in ("null", "sqlnull") else str(kind))


def kept_select(cursor: duckdb.DuckDBPyConnection, select: str) -> str:
    """Return a select with its columns in the types in which they are kept."""
    relation = cursor.sql(select)
    casts = [kept_type(kind) for kind in relation.types]
    if not any(casts):
        return select
    names = [quoted(name) for name in relation.columns]
    columns = [
        name if cast is None else f"cast({name} as {cast}) as {name}"
        for name, cast in zip(names, casts, strict=True)
    ]
    return f"select {', '.join(columns)} from (\n{select}\n) as t({', '.join(names)})"
