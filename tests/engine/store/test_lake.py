"""A lake: what a plain file does, for many; by a lease, and with a snapshot of each commit."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading
from contextlib import closing

import duckdb
import pytest

from lupom.engine.errors import StoreError, UsageError
from lupom.engine.place import POSTGRESQL, SQLITE
from lupom.engine.store.duck import DuckFile
from lupom.engine.store.lake import DuckLake
from lupom.engine.store.lease import LeaseLost, TableLease
from tests.support import lakes
from tests.support.lakes import making, record, rows


@pytest.fixture(params=lakes.KINDS)
def every(request, tmp_path):
    """An empty lake, its catalog of each kind there is."""
    with closing(lakes.empty(request.param, tmp_path, lakes.cluster_of(request))) as made:
        yield made


@pytest.fixture(params=lakes.KINDS)
def absent(request, tmp_path):
    """A lake that the first commit makes, its catalog of each kind there is."""
    lakes.require()
    catalog = lakes.catalog_of(request.param, tmp_path, lakes.cluster_of(request))
    with closing(DuckLake(catalog, str(tmp_path / "data"))) as made:
        yield made


@pytest.fixture
def store(tmp_path):
    """An empty lake whose catalog is a file."""
    with closing(lakes.empty(SQLITE, tmp_path)) as made:
        yield made


@pytest.fixture(params=[SQLITE, POSTGRESQL])
def shared(request, tmp_path):
    """An empty lake that several may have open at once."""
    with closing(lakes.empty(request.param, tmp_path, lakes.cluster_of(request))) as made:
        yield made


def test_a_commit_makes_the_table_and_the_note_of_it(absent):
    assert not absent.exists
    assert absent.records() == {}
    made = absent.commit(record(), making("select 1 as x"))
    assert made.row_count == 1
    known = absent.records()["t"]
    assert (known.content_hash, known.fingerprint, known.exists) == (made.content_hash, "f", True)


def test_the_contents_have_the_digest_they_have_in_a_file(store, tmp_path):
    sql = (
        "select i, 'word ' || i as word, [i, null] as some, {'a': i / 3} as one from range(9) t(i)"
    )
    plain = DuckFile(tmp_path / "s.duckdb").commit(record(), making(sql))
    assert store.commit(record(), making(sql)).content_hash == plain.content_hash


def test_a_failed_build_leaves_table_and_note_as_they_were(store):
    first = store.commit(record(), making("select 1 as x"))

    def build(cursor):
        making("select 2 as x")(cursor)
        raise ValueError("boom")

    with pytest.raises(ValueError, match="boom"):
        store.commit(record(), build)
    assert store.records()["t"].content_hash == first.content_hash
    assert rows(store) == [(1,)]


def test_a_table_becomes_a_view_and_a_table_again(store):
    store.commit(record(), making("select 1 as x"))
    view = "create or replace view main.t as select 2 as x"
    store.commit(record(kind="view"), lambda cursor: cursor.execute(view), hashed=False)
    assert store.records()["t"].exists
    store.commit(record(), making("select 3 as x"))
    assert rows(store) == [(3,)]


def test_it_is_read_only_to_who_reads(store):
    store.commit(record(), making("select 1 as x"))
    with (
        store.hold(read_only=True) as cursor,
        pytest.raises(duckdb.InvalidInputException, match="read-only"),
    ):
        cursor.execute("drop table main.t")


def test_reading_before_anything_was_built_says_what_to_do(tmp_path):
    lakes.require()
    store = DuckLake(lakes.catalog_of(SQLITE, tmp_path), str(tmp_path / "data"))
    with pytest.raises(StoreError, match="there is no lake yet"), store.hold(read_only=True):
        pass


@pytest.fixture(scope="module")
def typed(tmp_path_factory):
    with closing(lakes.empty(SQLITE, tmp_path_factory.mktemp("typed"))) as made:
        yield made


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        ("'a'::enum('a', 'b')", "VARCHAR"),
        ("[1, 2]::int[2]", "INTEGER[]"),
        ("9007199254740993::hugeint", "DECIMAL(38,0)"),
        ("interval '-1 month 3.123456 seconds'", "VARCHAR"),
        ("{'a': [1::hugeint], 'b': 'x'}", "STRUCT(a DECIMAL(38,0)[], b VARCHAR)"),
        ("map {'a': '10:00:00+01'::timetz}", "MAP(VARCHAR, VARCHAR)"),
        ("'10:00'::time_ns", "VARCHAR"),
        ("null::enum('a')", "VARCHAR"),
        ("-0.0::double", "DOUBLE"),
        ("timestamptz '2026-03-01 12:00:00.123456+00'", "TIMESTAMP WITH TIME ZONE"),
        ("chr(0) || 'ä'", "VARCHAR"),
    ],
)
def test_what_parquet_cannot_hold_is_kept_in_a_type_that_can(typed, value, kept):
    select = f"select {value} as x"

    def build(cursor):
        making(typed.stored(cursor, select))(cursor)

    typed.commit(record(), build)
    with typed.hold(read_only=True) as cursor:
        ((kind, text),) = cursor.execute("select typeof(x), x::varchar from main.t").fetchall()
        ((meant,),) = cursor.execute(f"select x::varchar from ({select})").fetchall()
    assert (kind, text) == (kept, meant)


def test_a_number_too_wide_to_be_kept_is_an_error_and_never_rounded(typed):
    def build(cursor):
        wide = "170141183460469231731687303715884105727::hugeint"
        making(typed.stored(cursor, f"select {wide} as x"))(cursor)

    with pytest.raises(duckdb.ConversionException):
        typed.commit(record(), build)


def test_a_commit_says_whose_it_is(store):
    store.commit(record(), making("select 1 as x"))
    last = store.snapshots()[-1]
    assert (last.run, last.what) == ("20260301T120000-abcdef", "t")
    assert "@" in last.author


def test_the_lake_as_it_was_after_a_run(shared):
    shared.commit(record(run="20260301T120000-aaaaaa"), making("select 1 as x"))
    shared.commit(record(run="20260301T120000-aaaaaa", name="u"), making("select 7 as x", "u"))
    shared.commit(record(run="20260302T120000-bbbbbb"), making("select 2 as x"))
    then = shared.at("20260301T120000-aaaaaa")
    assert rows(then) == [(1,)]
    assert rows(then, "from u") == [(7,)]
    assert rows(shared.at("20260302")) == [(2,)]
    number = shared.snapshots()[-2].id
    assert rows(shared.at(str(number))) == [(1,)]
    between = shared.snapshots()[-2].at.isoformat()
    assert rows(shared.at(between)) == [(1,)]
    assert rows(shared) == [(2,)]


@pytest.fixture(scope="module")
def twice(tmp_path_factory):
    """A lake of two commits."""
    lakes.require()
    made = lakes.empty(SQLITE, tmp_path_factory.mktemp("twice"))
    made.commit(record(run="20260301T120000-aaaaaa"), making("select 1 as x"))
    made.commit(record(run="20260302T120000-bbbbbb"), making("select 2 as x"))
    yield made
    made.close()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("20260301T120000-aaaaab", "did you mean '20260301T120000-aaaaaa'"),
        ("2026030", "2 runs begin with"),
        (" ", "no run, number or time is given"),
        ("4711", "there are 0 to"),
        ("1999-01-01", "no snapshot as old as"),
        ("yesterday", "lists them"),
    ],
)
def test_a_state_that_is_not_there_is_said_not_to_be(twice, text, message):
    with pytest.raises(UsageError, match=message):
        twice.at(text)


def test_a_plain_file_says_that_it_keeps_no_states(tmp_path):
    store = DuckFile(tmp_path / "s.duckdb")
    with pytest.raises(UsageError, match="type: ducklake"):
        store.at("20260301")


def test_threads_of_one_process_take_turns(every):
    every.commit(record(), making("select 0 as x"))

    def work(name):
        for i in range(3):
            every.commit(record(name=name), making(f"select {i} as x", name))

    # As a run does for nodes in threads.
    every.acquire()
    threads = [threading.Thread(target=work, args=(name,)) for name in ("a", "b", "c")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    every.release()
    assert {name for name, known in every.records().items() if known.exists} == {*"abct"}
    assert [rows(every, f"from {name}") for name in "abc"] == [[(2,)]] * 3


def test_a_reader_sees_the_old_or_the_new_and_waits_for_nobody(shared):
    shared.commit(record(), making("select 1 as x from range(100)"))
    reader = lakes.again(shared, wait=0.0)
    seen = []

    def build(cursor):
        making("select 2 as x from range(50)")(cursor)
        seen.append(rows(reader, "select sum(x) from t"))

    shared.commit(record(), build)
    seen.append(rows(reader, "select sum(x) from t"))
    reader.close()
    assert seen == [[(100,)], [(100,)]]


def test_who_waits_is_told_for_whom(shared):
    shared.commit(record(), making("select 1 as x"))
    other = lakes.again(shared, wait=0.0)

    def build(cursor):
        with pytest.raises(StoreError, match=rf"PID {os.getpid()}, run 20260301T120000-abcdef"):
            other.commit(record(run="other"), making("select 3 as x"))
        making("select 2 as x")(cursor)

    shared.commit(record(), build)
    other.close()
    assert rows(shared) == [(2,)]


def test_two_commit_one_after_the_other(shared):
    shared.commit(record(), making("select 0 as x"))
    other = lakes.again(shared)
    said = []
    inside = threading.Event()

    def note(message):
        said.append(message)
        inside.set()

    other.on_wait = note
    late = threading.Thread(
        target=lambda: other.commit(record(run="late"), making("select 2 as x"))
    )

    def build(cursor):
        making("select 1 as x")(cursor)
        late.start()
        assert inside.wait(60)

    shared.commit(record(run="early"), build)
    late.join()
    other.close()
    assert rows(shared) == [(2,)]
    assert "run early" in said[0]
    assert [s.run for s in shared.snapshots()][-2:] == ["early", "late"]


def test_what_somebody_else_commits_past_lupom_is_not_overwritten_by_half(shared):
    """A client of DuckDB takes no lease: the commit that it came before is done again."""
    shared.commit(record(), making("select 0 as x"))
    calls = []

    def build(cursor):
        calls.append(1)
        cursor.execute("create or replace table main.t as select count(*) as x from main.t")
        if len(calls) == 1:
            client = lakes.again(shared)
            with client.hold() as other:
                other.execute("create table main.theirs as select 5 as y")
            client.close()

    shared.commit(record(), build)
    assert len(calls) == 2
    assert rows(shared) == [(1,)]
    assert rows(shared, "from theirs") == [(5,)]


CHILD = """
    import sys
    from lupom.engine.store.catalog import Catalog
    from lupom.engine.store.lake import DuckLake
    from lupom.engine.store.records import TableRecord

    kind, place, data = sys.argv[1:]
    if kind == "postgresql":
        user, password, port, database = place.split("|")
        catalog = Catalog(kind, user=user, password=password, host="127.0.0.1", port=int(port),
                          database=database)
    else:
        from pathlib import Path
        catalog = Catalog(kind, Path(place))
    store = DuckLake(catalog, data, wait=60)

    def build(cursor):
        cursor.execute("create or replace table main.t as select 9 as x from range(9)")
        print("within", flush=True)
        sys.stdin.readline()

    made = TableRecord("t", "table", fingerprint="g", code="c", run_id="killed")
    store.commit(made, build)
"""


def child(store):
    """Start a process that is within a commit to the lake."""
    c = store.catalog
    place = str(c.path) if c.path else f"{c.user}|{c.password}|{c.port}|{c.database}"
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(CHILD), c.kind, place, store.data],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline().strip() == "within"
    return process


def test_a_committer_that_is_killed_leaves_the_tables_whole(every, monkeypatch):
    if every.catalog.kind == POSTGRESQL:
        # The lease of whoever was killed ends by itself.
        ended = []
        take = TableLease._take

        def soon(self, run_id):
            if not ended:
                self._ask("update {table} set held_until = clock_timestamp() returning 1")
                ended.append(1)
            return take(self, run_id)

    first = every.commit(record(), making("select 1 as x"))
    every.close()
    process = child(every)
    try:
        os.kill(process.pid, signal.SIGKILL)
    finally:
        process.communicate()
    assert every.records()["t"].content_hash == first.content_hash
    if every.catalog.kind == POSTGRESQL:
        owner = TableLease(every.catalog, 0.0).owner()
        assert (owner.pid, owner.run) == (process.pid, "killed")
        monkeypatch.setattr(TableLease, "_take", soon)
    every.commit(record(), making("select 2 as x"))
    assert rows(every) == [(2,)]


def test_a_lease_that_is_not_renewed_is_taken_over_and_whoever_had_it_commits_nothing(
    tmp_path, postgres
):
    lakes.require()
    store = lakes.empty(POSTGRESQL, tmp_path, postgres)
    store.commit(record(), making("select 0 as x"))
    other = lakes.again(store)
    calls = []

    def build(cursor):
        calls.append(1)
        making("select 1 as x")(cursor)
        if len(calls) == 1:
            # As if this process had slept for longer than its lease.
            lease = TableLease(store.catalog, 0.0)
            lease._ask("update {table} set held_until = clock_timestamp() returning 1")
            lease.close()
            other.commit(record(run="other"), making("select 2 as x"))

    store.commit(record(run="slow"), build)
    assert len(calls) == 2
    assert [s.run for s in store.snapshots()][-2:] == ["other", "slow"]
    assert rows(store) == [(1,)]
    for one in (store, other):
        one.close()


def test_a_lease_is_renewed_for_as_long_as_it_is_held(tmp_path, postgres):
    lakes.require()
    catalog = lakes.catalog_of(POSTGRESQL, tmp_path, postgres)
    lease, other = (TableLease(catalog, wait=0.0, seconds=0.3) for _ in range(2))
    renewed = threading.Event()
    renew = lease._renew

    def heard():
        done = renew()
        renewed.set()
        return done

    lease._renew = heard
    with lease.hold("mine"):
        for _ in range(4):
            renewed.clear()
            assert renewed.wait(60)
        with pytest.raises(StoreError, match="run mine"), other.hold("theirs"):
            pass
        lease.check()
        other._ask("delete from {table} returning 1")
        with pytest.raises(LeaseLost, match="taken over"):
            lease.check()
    with other.hold("theirs"):
        pass
    for one in (lease, other):
        one.close()


def test_a_connection_that_breaks_within_a_commit_is_waited_for(tmp_path, postgres):
    lakes.require()
    store = lakes.empty(POSTGRESQL, tmp_path, postgres)
    store.commit(record(), making("select 0 as x"))
    said = []
    store.on_wait = said.append

    def build(cursor):
        making("select 1 as x")(cursor)
        if not said:
            postgres.stop()
            starting.start()

    starting = threading.Thread(target=postgres.start)
    try:
        store.commit(record(), build)
    finally:
        starting.join()
    assert rows(store) == [(1,)]
    assert "waiting for the server" in said[0]
    store.close()


@pytest.fixture
def fallen(tmp_path, postgres):
    """A lake of one table whose server has just crashed, and is started as soon as it is missed."""
    lakes.require()
    store = lakes.empty(POSTGRESQL, tmp_path, postgres)
    store.commit(record(), making("select 0 as x"))
    starting = threading.Thread(target=postgres.start)
    said = []

    def missed(message):
        if not said:
            starting.start()
        said.append(message)

    store.on_wait = missed
    postgres.stop()
    yield store
    assert "waiting for the server" in said[0]
    starting.join()
    store.close()


def test_a_server_that_is_gone_before_a_commit_is_waited_for(fallen):
    fallen.commit(record(), making("select 1 as x"))
    assert rows(fallen) == [(1,)]


def test_a_server_that_is_gone_before_a_read_is_waited_for(fallen):
    assert list(fallen.records()) == [record().node]


def test_a_server_that_is_never_back_is_an_error_that_says_so(fallen):
    fallen.wait, hears, fallen.on_wait = 0.1, fallen.on_wait, None
    with pytest.raises(StoreError, match=r"PostgreSQL at .* cannot be reached"):
        fallen.records()
    fallen.wait, fallen.on_wait = 60.0, hears
    assert fallen.records()


def test_a_lake_is_read_along_with_another_store(every, tmp_path):
    every.commit(record(), making("select 1 as x"))
    every.close()
    plain = DuckFile(tmp_path / "s.duckdb")
    plain.beside["there"] = every
    with plain.hold() as cursor:
        assert cursor.execute("select x from there.main.t").fetchall() == [(1,)]
