"""The digest of a table's contents: equal where the rows are equal, in any order.

DuckDB's `hash()` is fast, and no digest: it is 0 of 0, does not say how long a list is, nor
where an inner list ends, and takes NULL for an empty list, -0.0 for 0.0, a month for 30 days, and
the halves of a 128-bit number for one another. Here each column is hashed together with what
`hash()` leaves out of its type, so that what is hashed determines the value. A row's hash is mixed
once more before rows are added up: two rows that swap a boolean can leave a sum of unmixed hashes
as it was.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from lupom.engine.hashes import digest
from lupom.engine.store.names import literal, quoted

if TYPE_CHECKING:
    import duckdb

# How digests begin. Those of another version are not comparable: what they say is not trusted.
VERSION = "2:"

_INT64 = 2**63


def content_hash(
    cursor: duckdb.DuckDBPyConnection,
    name: str,
    schema: str = "main",
    *,
    without: Collection[str] = (),
    ordered: bool = False,
) -> tuple[str, int]:
    """Return a digest of a table's contents and its number of rows.

    The digest covers the rows in any order (duplicates count), or where they are `ordered` in
    theirs, and the column names and types in their order; of the columns `without` names nothing
    but that. Values are equal as they are written: 0.0 is not -0.0, 1 month is not 30 days, every
    NaN is NaN, a timestamp with a zone is its instant.
    """
    relation = cursor.sql(f"from {quoted(schema, name)}")
    columns = list(zip(relation.columns, relation.types, strict=True))
    shape = [[column, str(kind)] for column, kind in columns]
    values: list[str] = []
    for column, kind in columns:
        if column not in without:
            values += _determining(quoted(column), kind)
    if ordered:
        values.append("row_number() over ()")
    ((first, second, count),) = cursor.execute(
        "select coalesce(sum(row_hash), 0)::varchar, coalesce(sum(hash(row_hash)), 0)::varchar,"
        f" count(*) from (select hash({', '.join(values) or '0'}) as row_hash"
        f" from {quoted(schema, name)})"
    ).fetchall()
    return VERSION + digest(shape, first, second, count), int(count)


def is_current(noted: str | None) -> bool:
    """Tell whether a digest noted in a store was made as they are made now; a view has none."""
    return noted is None or noted.startswith(VERSION)


def _determining(value: str, kind: Any) -> list[str]:
    """Return expressions whose hashes together determine a column's value."""
    return [value, *_beside(value, kind)]


def _beside(value: str, kind: Any, depth: int = 0) -> list[str]:
    """Return expressions of what `hash(value)` does not tell of a value of this type.

    Parameters
    ----------
    value : a SQL expression, evaluated once for each of the expressions returned.
    kind : its DuckDBPyType.
    """
    name = kind.id
    if name in ("float", "double"):
        return [f"({value} = 0 and signbit({value}))"]
    if name in ("hugeint", "uhugeint"):
        return [_wide(value, f"0::{name}", f"{_INT64 - 1}::{name}")]
    if name == "decimal":
        (_, precision), (_, scale) = kind.children
        if precision <= 18:
            return []
        digits = str(_INT64 - 1).rjust(scale + 1, "0")
        most = f"{digits[: len(digits) - scale]}.{digits[len(digits) - scale :]}"
        typed = f"::decimal({precision}, {scale})"
        return [_wide(value, f"0{typed}", f"'{most}'{typed}")]
    if name == "uuid":
        # Its hash is that of its halves, one xor the other: with one of them it tells the other.
        return [_first_half(value)]
    if name in ("interval", "variant", "geometry"):
        kinds = [f"variant_typeof({value})"] if name == "variant" else []
        return [f"{value}::varchar", *kinds]
    if name in ("list", "array"):
        child = kind.children[0][1]
        size = f"len({value})" if name == "list" else f"({value} is null)"
        return [size, *_each(value, child, depth)]
    if name == "map":
        (_, key), (_, item) = kind.children
        inner = _each(f"map_keys({value})", key, depth) + _each(f"map_values({value})", item, depth)
        return [f"len(map_keys({value}))", *inner]
    if name == "struct":
        out = [f"({value} is null)"]
        for field, inner in kind.children:
            out += _beside(f"struct_extract({value}, {literal(field)})", inner, depth)
        return out
    if name == "union":
        out = [f"union_tag({value})"]
        for field, inner in kind.children[1:]:
            out += _beside(f"union_extract({value}, {literal(field)})", inner, depth)
        return out
    return []


def _first_half(uuid: str) -> str:
    """Return the upper 64 bits of a UUID, the same value of the same type in any DuckDB."""
    if _has_uuid_casts():
        return f"({uuid}::uhugeint >> 64)"
    return f"('0x' || replace(left({uuid}::varchar, 18), '-', ''))::ubigint::uhugeint"


def _has_uuid_casts() -> bool:
    import duckdb

    # Since DuckDB 2.
    return int(duckdb.__version__.partition(".")[0]) >= 2


def _each(values: str, kind: Any, depth: int) -> list[str]:
    """Return, for a list, a list of each expression `_beside` gives of its items."""
    item = f"_{depth}"
    if kind.id in ("float", "double"):
        # Looked at one by one only where there is a zero: that alone is 1.4 times the time.
        signs = f"list_transform({values}, lambda {item}: {item} = 0 and signbit({item}))"
        return [f"(case when list_contains({values}, 0::{kind.id}) then {signs} end)"]
    return [
        f"list_transform({values}, lambda {item}: {inner})"
        for inner in _beside(item, kind, depth + 1)
    ]


def _wide(value: str, least: str, most: str) -> str:
    """Return the text of 128-bit numbers other than those of 63 bits, which their hash tells apart.

    The hash of a 128-bit number is that of its halves, one xor the other: that of -1 is that of 0.
    """
    return f"(case when {value} between {least} and {most} then null else {value}::varchar end)"
