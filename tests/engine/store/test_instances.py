"""DuckDB instances that are used again: nothing of one use is left for the next."""

from __future__ import annotations

import subprocess
import sys
from contextlib import suppress

import pytest

from lupom import Project
from lupom.engine.errors import UsageError
from lupom.engine.store.duck import DuckFile
from lupom.engine.store.instances import give_back, instance, take


def databases(connection):
    sql = "select database_name from duckdb_databases() where not internal order by all"
    return [name for (name,) in connection.execute(sql).fetchall()]


def test_one_that_is_given_back_is_taken_again_with_nothing_attached(tmp_path):
    first = take()
    first.execute(f"attach '{tmp_path / 'a.duckdb'}' as a")
    first.execute(f"attach '{tmp_path / 'b.duckdb'}' as \"b c\"")
    first.execute("use a")
    give_back(first)
    with instance() as again:
        assert again is first
        assert databases(again) == ["memory"]
        assert again.execute("select current_database()").fetchall() == [("memory",)]


def test_one_that_failed_is_not_used_again():
    taken = []

    def fail():
        with instance() as failed:
            taken.append(failed)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    with instance() as other:
        assert other not in taken


def test_two_at_a_time_are_two():
    with instance() as one, instance() as other:
        one.execute("create temp table t as select 1")
        assert one is not other
        one.execute("drop table t")


def test_a_store_that_nobody_holds_is_free_for_other_processes(tmp_path):
    store = DuckFile(tmp_path / "s.duckdb")
    with store.hold() as cursor:
        cursor.execute("create table t as select 1 as a")
    code = (
        "import duckdb, sys; c = duckdb.connect(sys.argv[1]); c.execute('insert into t select 2')"
    )
    subprocess.run([sys.executable, "-c", code, str(store.path)], check=True)
    with store.hold(read_only=True) as cursor:
        assert cursor.execute("select a from t order by a").fetchall() == [(1,), (2,)]


def test_a_setting_that_a_query_changes_is_gone_with_the_next(make_project):
    folder = make_project({"models/a.sql": "select 1 as a"})
    with Project(folder) as project:
        project.run()
        order = "select current_setting('default_null_order')"
        before = project.query(order).rows()
        # DuckDB 2 says that it is done.
        with suppress(UsageError):
            project.query("set global default_null_order = 'nulls_first'")
        assert project.query(order).rows() == before
