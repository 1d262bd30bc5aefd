"""Digests of tables: equal just where the rows are."""

from __future__ import annotations

import random
from dataclasses import dataclass
from functools import cache
from typing import Any

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lupom import Project
from lupom.engine.store.contents import content_hash

# Rows come in another order where several threads read them.
pytestmark = pytest.mark.usefixtures("all_cores")


@cache
def memory() -> duckdb.DuckDBPyConnection:
    return duckdb.connect()


def digest_of(kind: str, *values: str) -> str:
    """Return the digest of a table of one column with these values, as SQL writes them."""
    memory().execute(f"create or replace table t (x {kind})")
    memory().execute("insert into t values " + ", ".join(f"({value})" for value in values))
    return content_hash(memory(), "t")[0]


# What DuckDB's own hash takes for equal, and other pairs that are easily taken for one another.
DIFFERENT = [
    ("int[]", "[0, 1]", "[1]"),
    ("int[]", "[0]", "[0, 0]"),
    ("int[]", "[]", "null"),
    ("int[]", "[null]", "[]"),
    ("int[]", "[null]", "null"),
    ("int[][]", "[[1], [2]]", "[[1, 2]]"),
    ("int[][]", "[[1], []]", "[[], [1]]"),
    ("int[][]", "[[]]", "[null]"),
    ("int[][]", "[[], []]", "[[]]"),
    ("varchar[]", "['a', 'b']", "['a, b']"),
    ("varchar[]", "['NULL']", "[null]"),
    ("varchar[]", "['']", "[]"),
    ("int[2]", "[null, null]", "null"),
    ("int[][2]", "[[1], [2, 3]]", "[[1, 2], [3]]"),
    ("map(varchar, int)", "map {}", "null"),
    ("map(varchar, int)", "map {'a': null}", "map {}"),
    ("map(varchar, int[])", "map {'a': [0]}", "map {'a': [0, 0]}"),
    ("map(varchar, int[])", "map {'a': []}", "map {'a': null}"),
    ("map(int[], int)", "map {[0]: 1}", "map {[0, 0]: 1}"),
    ("struct(a int, b int)", "{'a': null, 'b': null}", "null"),
    ("struct(a int, b int)", "{'a': 0, 'b': null}", "{'a': null, 'b': 0}"),
    ("struct(a int[], b int)", "{'a': [], 'b': 1}", "{'a': null, 'b': 1}"),
    ("struct(a struct(b int))", "{'a': null}", "{'a': {'b': null}}"),
    ("struct(a int)[]", "[{'a': null}]", "[null]"),
    ('struct("it\'s" int[])', "{'it''s': [0]}", "{'it''s': [0, 0]}"),
    ("union(a int, b int)", "union_value(a := 1)", "union_value(b := 1)"),
    ("union(a int, b int)", "union_value(a := null::int)", "null"),
    ("union(a int[], b int)", "union_value(a := [0])", "union_value(a := [0, 0])"),
    ("hugeint", "1", "18446744073709551616"),
    ("hugeint", "36893488147419103234", "55340232221128654851"),
    ("hugeint", "-1", "0"),
    ("hugeint[]", "[1]", "[18446744073709551616]"),
    ("uhugeint", "1", "18446744073709551616"),
    ("uuid", "'00000000-0000-0000-8000-000000000001'", "'00000000-0000-0001-8000-000000000000'"),
    ("uuid[]", "['00000000000000010000000000000001']", "['00000000000000020000000000000002']"),
    ("decimal(38, 2)", "0.01", "184467440737095516.16"),
    ("decimal(38, 0)", "1", "18446744073709551616"),
    ("decimal(19, 0)", "9223372036854775808", "-9223372036854775808"),
    ("double", "0.0", "'-0.0'"),
    ("float", "0.0", "'-0.0'"),
    ("double[]", "[0.0]", "['-0.0'::double]"),
    ("double[]", "['-0.0'::double, 0.0]", "[0.0, '-0.0'::double]"),
    ("map(double, float)", "map {1: 0.0}", "map {1: '-0.0'::float}"),
    ("struct(a double)", "{'a': 0.0}", "{'a': '-0.0'::double}"),
    ("double", "'nan'", "'inf'"),
    ("double", "'nan'", "null"),
    ("interval", "interval 1 month", "interval 30 days"),
    ("interval", "interval 1 day", "interval 24 hours"),
    ("interval[]", "[interval 1 day]", "[interval 24 hours]"),
    ("time with time zone", "'12:00:00+01'", "'11:00:00+00'"),
    ("varchar", "'a'", "'a' || chr(0)"),
    ("varchar", "''", "null"),
    ("varchar", "'e\u0301'", "'\u00e9'"),
    ("blob", "'\\x00'", "'\\x00\\x00'"),
    ("bit", "'0101'", "'101'"),
    ("boolean", "false", "null"),
    ("json", "'1'", "'1.0'"),
]


@pytest.mark.parametrize(("kind", "one", "other"), DIFFERENT)
def test_different_values_have_different_digests(kind, one, other):
    assert digest_of(kind, one) != digest_of(kind, other)


SAME = [
    ("double", "'nan'", "-('nan'::double)"),
    ("double[]", "['nan'::double, 0]", "[-('nan'::double), 0]"),
    ("timestamptz", "'2024-01-01 12:00:00+01'", "'2024-01-01 11:00:00+00'"),
    ("decimal(20, 2)", "1.5", "1.50"),
    ("interval", "interval 12 months", "interval 1 year"),
    ("uuid", "'A0000000-0000-0000-8000-000000000001'", "'a0000000000000008000000000000001'"),
]


@pytest.mark.parametrize(("kind", "one", "other"), SAME)
def test_a_value_written_in_two_ways_has_one_digest(kind, one, other):
    assert digest_of(kind, one) == digest_of(kind, other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("select 1::int as x", "select 1::bigint as x"),
        ("select 1 as x", "select 1 as y"),
        ("select 1 as x, 2 as y", "select 2 as y, 1 as x"),
        ("select {'a': 1} as x", "select {'b': 1} as x"),
        ("select 'a'::enum('a', 'b') as x", "select 'b'::enum('b', 'a') as x"),
        ("select 'a'::varchar as x", "select 'a'::blob as x"),
        ("select 1::int as x where false", "select 'a' as x where false"),
        ("select 0 as x", "from (values (0), (0)) t(x)"),
        ("select 0 as x where false", "select 0 as x"),
        (
            "from (values (1, true), (2, false)) t(x, y)",
            "from (values (1, false), (2, true)) t(x, y)",
        ),
    ],
)
def test_names_types_and_numbers_of_rows_count(one, other):
    digests = []
    for select in (one, other):
        with duckdb.connect() as connection:
            connection.execute(f"create table t as {select}")
            digests.append(content_hash(connection, "t")[0])
    assert digests[0] != digests[1]


def test_the_time_zone_of_a_session_is_no_content():
    digests = []
    for zone in ("UTC", "Asia/Tokyo"):
        with duckdb.connect() as connection:
            connection.execute(f"set TimeZone = '{zone}'")
            connection.execute("create table t as select [timestamptz '2024-01-01 00:00:00+00'] x")
            digests.append(content_hash(connection, "t")[0])
    assert digests[0] == digests[1]


def test_two_rows_that_swap_a_flag_are_noticed():
    with duckdb.connect() as connection:
        seen = set()
        for swapped in range(64):
            connection.execute(
                f"create or replace table t as select i, i = {swapped} as flag from range(64) r(i)"
            )
            seen.add(content_hash(connection, "t")[0])
    assert len(seen) == 64


# -- any type, any values --------------------------------------------------------------------------


@dataclass(frozen=True)
class Kind:
    """A type, and values of it: (what the value is, as SQL)."""

    name: str
    values: st.SearchStrategy[tuple[Any, str]]


def _plain(name: str, *texts: str) -> Kind:
    return Kind(name, st.sampled_from([(text, f"{text}::{name}") for text in texts]))


# Few values of each type, so that near ones meet: 0 and NULL, and what differs by 2^64.
FLAT = [
    _plain("int", "0", "1", "2"),
    _plain("bigint", "0", "1", "(-9223372036854775808)"),
    _plain("hugeint", "0", "1", "18446744073709551616", "18446744073709551617", "(-1)"),
    _plain("decimal(38, 3)", "0.001", "18446744073709551.616", "'-0.001'", "0"),
    _plain("decimal(9, 2)", "0", "0.01", "1"),
    _plain("double", "'0.0'", "'-0.0'", "'nan'", "'inf'", "'1e-320'"),
    _plain("float", "'0.0'", "'-0.0'", "'nan'", "'1.5'"),
    _plain("varchar", "''", "'a'", "'b'", "'NULL'", "'[a]'", "'a, b'", "'twelve bytes and more'"),
    _plain("blob", "''", "'a'", "'\\x00'"),
    _plain("boolean", "true", "false"),
    _plain("date", "'1970-01-01'", "'1970-01-02'", "'infinity'"),
    _plain("timestamptz", "'1970-01-01 00:00:00+00'", "'1970-01-01 00:00:00+01'"),
    _plain("timestamp", "'1970-01-01 00:00:00'", "'1970-01-01 00:00:00.000001'"),
    _plain("interval", "'1 month'", "'30 days'", "'720 hours'", "'0 days'"),
    _plain(
        "uuid", "'00000000-0000-0001-0000-000000000000'", "'00000000-0000-0000-0000-000000000001'"
    ),
    _plain("enum('x', 'y')", "'x'", "'y'"),
]


def _or_null(kind: Kind) -> st.SearchStrategy[tuple[Any, str]]:
    return st.just((None, f"null::{kind.name}")) | kind.values


def _list(item: Kind) -> Kind:
    def made(items: list[tuple[Any, str]]) -> tuple[Any, str]:
        text = f"[{', '.join(sql for _, sql in items)}]::{item.name}[]"
        return ["list", *(value for value, _ in items)], text

    return Kind(f"{item.name}[]", st.lists(_or_null(item), max_size=3).map(made))


def _array(item: Kind) -> Kind:
    def made(items: list[tuple[Any, str]]) -> tuple[Any, str]:
        text = f"[{', '.join(sql for _, sql in items)}]::{item.name}[2]"
        return ["array", *(value for value, _ in items)], text

    return Kind(f"{item.name}[2]", st.lists(_or_null(item), min_size=2, max_size=2).map(made))


def _struct(first: Kind, second: Kind) -> Kind:
    name = f'struct(a {first.name}, "b c" {second.name})'

    def made(pair: tuple[tuple[Any, str], tuple[Any, str]]) -> tuple[Any, str]:
        (one, a), (other, b) = pair
        return ["struct", one, other], f"{{'a': {a}, 'b c': {b}}}::{name}"

    return Kind(name, st.tuples(_or_null(first), _or_null(second)).map(made))


def _map(key: Kind, item: Kind) -> Kind:
    name = f"map({key.name}, {item.name})"

    def made(pairs: list[tuple[tuple[Any, str], tuple[Any, str]]]) -> tuple[Any, str]:
        # DuckDB takes 0.0 and -0.0 for one key, so keys are told apart by its own equality below.
        keys = ", ".join(k for (_, k), _ in pairs)
        items = ", ".join(v for _, (_, v) in pairs)
        text = f"map([{keys}]::{key.name}[], [{items}]::{item.name}[])"
        return ["map", *([k, v] for (k, _), (v, _) in pairs)], text

    pairs = st.lists(
        st.tuples(key.values, _or_null(item)), max_size=3, unique_by=lambda pair: str(pair[0][0])
    )
    return Kind(name, pairs.map(made))


def _union(first: Kind, second: Kind) -> Kind:
    name = f"union(a {first.name}, b {second.name})"
    values = st.one_of(
        _or_null(first).map(lambda v: (["a", v[0]], f"union_value(a := {v[1]})::{name}")),
        _or_null(second).map(lambda v: (["b", v[0]], f"union_value(b := {v[1]})::{name}")),
    )
    return Kind(name, values)


def _nested(kinds: st.SearchStrategy[Kind]) -> st.SearchStrategy[Kind]:
    keys = st.sampled_from([k for k in FLAT if k.name not in ("double", "float", "interval")])
    return st.one_of(
        kinds.map(_list),
        kinds.map(_array),
        st.tuples(kinds, kinds).map(lambda two: _struct(*two)),
        st.tuples(keys, kinds).map(lambda two: _map(*two)),
    )


KINDS = st.recursive(st.sampled_from(FLAT), _nested, max_leaves=4)
ANY = KINDS | st.tuples(KINDS, st.sampled_from(FLAT)).map(lambda two: _union(*two))


@st.composite
def _two_tables(draw: st.DrawFn) -> tuple[str, list[tuple[Any, str]], list[tuple[Any, str]]]:
    kind = draw(ANY)
    rows = st.lists(_or_null(kind), min_size=1, max_size=3)
    one = draw(rows)
    # The same rows in another order, one of them another, or anything.
    other = draw(st.permutations(one) | rows)
    if draw(st.booleans()):
        other = [*other[:-1], draw(_or_null(kind))]
    return kind.name, one, other


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(_two_tables())
def test_digests_are_equal_just_where_the_rows_are(tables):
    kind, one, other = tables
    same = sorted(repr(value) for value, _ in one) == sorted(repr(value) for value, _ in other)
    digests = [digest_of(kind, *(sql for _, sql in rows)) for rows in (one, other)]
    assert (digests[0] == digests[1]) == same


def test_a_million_rows_in_another_order_have_one_digest():
    digests = []
    for order in ("i", "hash(i)"):
        with duckdb.connect() as connection:
            connection.execute(
                "create table t as select i, [i, i % 7] as l, {'a': i / 2} as s"
                f" from range(1000000) r(i) order by {order}"
            )
            digests.append(content_hash(connection, "t"))
    assert digests[0] == digests[1]
    assert digests[0][1] == 1_000_000


def test_any_change_of_one_cell_of_many_rows_is_noticed():
    chooser = random.Random(7)
    with duckdb.connect() as connection:
        connection.execute(
            "create table t as select i, [i % 3, 0] as l, map {i % 5: [null]} as m"
            " from range(5000) r(i)"
        )
        seen = {content_hash(connection, "t")[0]}
        for step in range(1, 41):
            at = chooser.randrange(5000)
            column, value = chooser.choice([("l", "l || [0]"), ("m", "map {i % 5: []::int[]}")])
            connection.execute(f"update t set {column} = {value} where i = {at}")
            connection.execute(f"update t set l = l || [0] where i = {(at * 31 + step) % 5000}")
            seen.add(content_hash(connection, "t")[0])
    assert len(seen) == 41


def test_what_an_earlier_version_built_is_built_once_more(make_project):
    folder = make_project(
        {
            "seeds/s.csv": "x\n1\n",
            "models/m.sql": "select * from {{ ref('s') }}",
            "models/v.sql": "{{ config(materialized='view') }} select * from {{ ref('m') }}",
        }
    )
    with Project(folder) as project:
        project.run()
    with duckdb.connect(str(folder / "lupom.duckdb")) as store:
        # As version 0.1.0 wrote it: a digest of the sum of row hashes, without a version.
        old = "5f2b7c0de1a94f08b1d6a3e2c4f50917"
        store.execute("update lupom_meta.tables set content_hash = ? where kind = 'table'", [old])
    with Project(folder) as project:
        reasons = {step.node: step.reason for step in project.plan().doing()}
        assert reasons["s"] == "built by an earlier LUPoM"
        assert "built by an earlier LUPoM" in reasons["m"]
        assert project.run().status == "success"
        assert project.query("from v").rows() == [(1,)]
    with Project(folder) as project:
        assert project.plan().doing() == []


def test_where_rows_have_an_order_another_one_is_another_content():
    def digest(values: str, ordered: bool) -> str:
        with duckdb.connect() as connection:
            connection.execute(f"create table t as select x from (values {values}) v(x)")
            return content_hash(connection, "t", ordered=ordered)[0]

    one, other = "(1), (2), (2)", "(2), (1), (2)"
    assert digest(one, False) == digest(other, False)
    assert digest(one, True) != digest(other, True)
    assert digest(one, True) == digest(one, True)
