"""The store: held for a moment, swapped atomically, hashed by contents."""

from __future__ import annotations

import itertools
import re
import subprocess
import sys

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lupom.engine.errors import StoreError
from lupom.engine.store.contents import content_hash
from lupom.engine.store.duck import ROW_GROUP, DuckFile
from lupom.engine.store.instances import instance
from lupom.engine.store.records import TableRecord


def record(name="t", kind="table"):
    return TableRecord(name, kind, fingerprint="f", code="c", parts={"SQL": "x"})


def making(sql):
    return lambda cursor: cursor.execute(sql)


@pytest.fixture
def store(tmp_path):
    return DuckFile(tmp_path / "s.duckdb", wait=0.0)


def test_a_commit_makes_the_table_and_the_note_of_it(store):
    made = store.commit(record(), making("create or replace table main.t as select 1 as x"))
    assert made.row_count == 1
    known = store.records()["t"]
    assert (known.content_hash, known.fingerprint, known.exists) == (made.content_hash, "f", True)


def test_what_was_measured_is_no_part_of_the_contents(store):
    def built(sql):
        made = TableRecord("t", "table", fingerprint="f", code="c", measured=("seconds",))
        return store.commit(made, making(f"create or replace table main.t as {sql}")).content_hash

    first = built("select 1 as x, 0.5 as seconds")
    assert built("select 1 as x, 0.7 as seconds") == first
    assert built("select 2 as x, 0.5 as seconds") != first
    assert built("select 1 as x, 7 as seconds") != first
    assert built("select 1 as x") != first
    alone = built("select 0.5 as seconds")
    assert built("select 0.7 as seconds") == alone
    assert built("select 0.7 as seconds from range(2)") != alone


def test_a_failed_build_leaves_table_and_note_as_they_were(store):
    first = store.commit(record(), making("create or replace table main.t as select 1 as x"))

    def build(cursor):
        cursor.execute("create or replace table main.t as select 2 as x")
        raise ValueError("boom")

    with pytest.raises(ValueError, match="boom"):
        store.commit(record(), build)
    assert store.records()["t"].content_hash == first.content_hash
    with store.hold() as cursor:
        assert cursor.execute("select x from main.t").fetchall() == [(1,)]


def test_a_table_becomes_a_view_and_a_table_again(store):
    store.commit(record(), making("create or replace table main.t as select 1 as x"))
    store.commit(
        record(kind="view"), making("create or replace view main.t as select 2 as x"), hashed=False
    )
    assert store.records()["t"].exists
    store.commit(record(), making("create or replace table main.t as select 3 as x"))
    with store.hold() as cursor:
        assert cursor.execute("select x from main.t").fetchall() == [(3,)]


def test_a_table_that_was_dropped_by_hand_is_noticed(store):
    store.commit(record(), making("create or replace table main.t as select 1 as x"))
    with duckdb.connect(str(store.path)) as connection:
        connection.execute("drop table main.t")
    assert not store.records()["t"].exists


def test_the_file_is_closed_when_nobody_holds_it(store):
    store.commit(record(), making("create or replace table main.t as select 1 as x"))
    code = f"import duckdb; print(duckdb.connect({str(store.path)!r}).execute('from t').fetchall())"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[(1,)]"


def test_holders_share_one_connection(store):
    with store.hold() as one, store.hold() as other:
        one.execute("create table a as select 1 as x")
        assert other.execute("select x from a").fetchall() == [(1,)]


def test_it_stays_open_between_the_reads_of_a_block(store):
    with store.kept_open():
        assert store.idle  # there is none yet, which whoever reads is told
        assert store.records() == {}
    store.commit(record(), making("create or replace table main.t as select 1 as x"))
    with store.kept_open():
        assert store.records()["t"].exists
        with store.reading() as cursor:
            assert cursor.execute("select x from main.t").fetchall() == [(1,)]
        assert not store.idle
    assert store.idle


def test_a_file_held_by_another_process_is_named_after_the_wait(store):
    store.commit(record(), making("create or replace table main.t as select 1 as x"))
    code = (
        f"import duckdb, sys; c = duckdb.connect({str(store.path)!r});"
        " print('held', flush=True); sys.stdin.read()"
    )
    other = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert other.stdout is not None
        assert other.stdout.readline().strip() == "held"
        with pytest.raises(StoreError, match=rf"is held by .*PID {other.pid}"):
            store.commit(record(), making("create or replace table main.t as select 2 as x"))
    finally:
        other.communicate("")


def test_a_file_that_is_no_database_is_said_to_be_none(tmp_path):
    path = tmp_path / "s.duckdb"
    path.write_text("not a database, by any means, however long one looks at it")
    with pytest.raises(StoreError, match="cannot open"), DuckFile(path).hold():
        pass


@pytest.fixture
def broken(tmp_path):
    """Return a database whose header has another version of the file's form than its checksum."""
    path = tmp_path / "s.duckdb"
    duckdb.connect(path).close()
    header = bytearray(path.read_bytes())
    # Behind the checksum and the letters DUCK.
    header[12:20] = (999_999).to_bytes(8, "little")
    path.write_bytes(header)
    return path


def test_a_broken_file_is_not_taken_for_one_that_is_held(broken):
    with pytest.raises(StoreError, match="Corrupt database file"), DuckFile(broken).hold():
        pass


def test_a_file_of_a_newer_duckdb_is_said_to_be_one(broken):
    with pytest.raises(StoreError) as caught, DuckFile(broken).hold():
        pass
    (right,) = re.findall(r"computed checksum (\d+)", str(caught.value))
    broken.write_bytes(int(right).to_bytes(8, "little") + broken.read_bytes()[8:])
    with pytest.raises(StoreError, match="pip install --upgrade duckdb"), DuckFile(broken).hold():
        pass


def test_reading_before_anything_was_built_says_what_to_do(store):
    with pytest.raises(StoreError, match="lupom run builds it"), store.hold(read_only=True):
        pass


rows = st.lists(
    st.tuples(st.integers(-5, 5) | st.none(), st.text(max_size=3) | st.none()), max_size=12
)


def hash_of(values):
    # A database of its own would take ten times as long to make as the table.
    with instance() as connection:
        connection.execute("create table t (a integer, b varchar)")
        if values:
            marks = ", ".join(["(?, ?)"] * len(values))
            connection.execute(f"insert into t values {marks}", list(itertools.chain(*values)))
        digest = content_hash(connection, "t")[0]
        connection.execute("drop table t")
    return digest


@settings(max_examples=40, deadline=None)
@given(rows, st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_matter(values, random):
    shuffled = list(values)
    random.shuffle(shuffled)
    assert hash_of(values) == hash_of(shuffled)


@settings(max_examples=60, deadline=None)
@given(rows, rows)
def test_other_rows_have_another_hash(one, other):
    key = repr
    assert (hash_of(one) == hash_of(other)) == (sorted(one, key=key) == sorted(other, key=key))


def test_the_hash_covers_names_and_types():
    def of(select):
        with duckdb.connect() as connection:
            connection.execute(f"create table t as {select}")
            return content_hash(connection, "t")[0]

    assert len({of("select 1 as a"), of("select 1 as b"), of("select 1::bigint as a")}) == 3


def test_exchanging_values_between_rows_changes_the_hash():
    assert hash_of([(1, "x"), (2, "y")]) != hash_of([(1, "y"), (2, "x")])


def test_beyond_its_memory_it_goes_on_in_files_that_are_gone_afterwards(tmp_path):
    store = DuckFile(tmp_path / "store.duckdb")
    store.memory = "40MB"
    with store.hold() as cursor:
        assert cursor.execute("select current_setting('memory_limit')").fetchone() == ("38.1 MiB",)
        cursor.execute("set threads = 1")
        many = "select i, md5(i::varchar) as word from range(1_000_000) as t(i) order by word"
        cursor.execute(f"create table words as {many}")
        assert (tmp_path / "store.duckdb.tmp").is_dir()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["store.duckdb"]
    with DuckFile(tmp_path / "other.duckdb").hold() as cursor:
        assert cursor.execute("select current_setting('memory_limit')").fetchone() != ("38.1 MiB",)


def threads(cursor) -> int:
    ((number,),) = cursor.execute("select current_setting('threads')").fetchall()
    return number


@pytest.fixture
def three_threads():
    """Every instance of DuckDB that is free has three threads."""
    with instance() as one:
        before = threads(one)
        one.execute("set threads = 3")
    yield
    with instance() as one:
        assert threads(one) == 3
        one.execute(f"set threads = {before}")


def test_a_store_of_few_rows_is_worked_on_one_thread(store, three_threads):
    store.small = True
    with store.hold() as cursor:
        assert threads(cursor) == 1
    with store.hold(read_only=True) as cursor:
        assert threads(cursor) == 3


def test_it_has_all_threads_as_soon_as_a_table_has_many_rows(store, three_threads):
    store.small = True
    with store.hold() as cursor:
        few = making(f"create or replace table main.t as from range({ROW_GROUP})")
        store.commit(record(), few)
        assert threads(cursor) == 1
        many = making(f"create or replace table main.t as from range({ROW_GROUP + 1})")
        store.commit(record(), many)
        assert threads(cursor) == 3
    with store.hold() as cursor:
        assert threads(cursor) == 3
