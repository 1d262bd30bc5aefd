"""Older databases are renewed once, with a copy from before."""

from __future__ import annotations

import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

from lupom.engine.errors import StateError
from lupom.engine.state import State, location_of
from lupom.engine.state.tables import VERSION

OLD = Path(__file__).with_name("version_0_1_0.sql")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "state.db"
    with sqlite3.connect(path) as database:
        database.executescript(OLD.read_text(encoding="utf-8"))
    return path


def renewed_at_once(where, count: int = 4) -> list[str]:
    """Open a database from several threads at once; return what was said of it."""
    said: list[str] = []
    ready = threading.Barrier(count)

    def work():
        ready.wait()
        State(where, say=said.append).close()

    with ThreadPoolExecutor(count) as pool:
        for done in [pool.submit(work) for _ in range(count)]:
            # An error of any of them is the test's.
            done.result()
    return said


def test_a_file_is_renewed_once_and_what_it_was_is_kept(path):
    (said,) = renewed_at_once(path)
    (copy,) = path.parent.glob("state-version-*.db")
    assert str(copy) in said
    with sqlite3.connect(copy) as before, sqlite3.connect(path) as after:
        count = "select count(*) from calls"
        assert before.execute(count).fetchall() == after.execute(count).fetchall()
        (old,), (new,) = (d.execute("pragma user_version").fetchone() for d in (before, after))
    assert old < new == VERSION
    assert renewed_at_once(path) == []


def test_a_file_with_tables_of_another_program_is_left_alone(tmp_path):
    path = tmp_path / "others.db"
    with sqlite3.connect(path) as database:
        database.execute("create table runs (kilometres)")
    with pytest.raises(StateError, match=r"not those of a ledger \(there is a table 'runs'"):
        State(location_of(str(path), tmp_path))
    with sqlite3.connect(path) as database:
        assert database.execute("select name from sqlite_master").fetchall() == [("runs",)]


def test_a_new_file_may_be_opened_at_once_and_has_no_copy(tmp_path):
    for number in range(20):
        folder = tmp_path / f"new{number}"
        assert renewed_at_once(folder / "state.db", 6) == []
        assert [p.name for p in folder.glob("*version*")] == []


def test_what_was_spent_before_is_summed_up(path):
    with State(path, say=lambda _: None) as state:
        assert state.ledger.spent() == (2 + 4 + 5, 0.25)


def test_a_server_s_tables_are_renewed_once_and_copied(postgres, tmp_path):
    url = postgres.database()
    where = location_of(url, tmp_path)
    with State(where) as state:
        first = state.start_run("run")
    with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as database:
        # As a version before leases had it.
        for table in ("members", "leases", "pots", "grants", "rates", "queue", "facts"):
            database.execute(f"drop table {table}")
        database.execute("alter table runs drop column place")
        database.execute("update lupom_version set version = 5")
    (said,) = renewed_at_once(where)
    assert "schema lupom_version_5_of_" in said
    with State(where) as state:
        assert [run["run_id"] for run in state.runs()] == [first]
        assert state.ledger.spent() == (0, 0.0)
    with psycopg.connect(url.replace("+psycopg", "")) as database:
        ((schema,),) = database.execute(
            "select schema_name from information_schema.schemata where schema_name like 'lupom%'"
        ).fetchall()
        assert database.execute(f"select run_id from {schema}.runs").fetchall() == [(first,)]
