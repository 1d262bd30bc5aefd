"""A project whose tables are in a lake: every kind of model, several runs at once, copies."""

from __future__ import annotations

import shutil
import sqlite3
import threading
from contextlib import closing
from textwrap import dedent

import pytest

from lupom import Project
from lupom.engine.errors import UsageError
from lupom.engine.run.results import Silent
from tests.support import lakes
from tests.support.commands import lupom
from tests.support.postgres import PASSWORD, USER

FILES = {
    "lupom_project.yml": """
        name: demo
        models: {+materialized: table}
        target: lake
        targets:
          lake: {type: ducklake, catalog: lake.sqlite, data: data}
          file: {path: plain.duckdb}
          alone: {type: ducklake, catalog: alone.ducklake, data: alone}
        """,
    "seeds/people.csv": "id,trust\n1,high\n2,low\n3,high\n",
    "models/known.sql": "select id, trust from {{ ref('people') }} where id < 3",
    "models/shares.sql": """
        {{ config(materialized='view') }}
        select trust, count(*) as n, sum(id) as ids from {{ ref('known') }} group by all
        """,
    "models/grown.sql": """
        {{ config(materialized='incremental', unique_key='id') }}
        select id, trust::enum('high', 'low') as trust from {{ ref('people') }}
        """,
    "models/counted.py": """
        def model(lupom):
            return lupom.ref("shares").project("trust, n * 10 as n")
        """,
    "tests/data/nobody_is_low.sql": "select * from {{ ref('known') }} where trust = 'low'",
}
TABLES = ("people", "known", "shares", "grown", "counted")


@pytest.fixture
def folder(make_project):
    lakes.require()
    return make_project(FILES)


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """The project after its first run, to be copied: making a lake is most of a test's time."""
    lakes.require()
    folder = tmp_path_factory.mktemp("ran") / "project"
    for name, text in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(dedent(text), encoding="utf-8")
    assert set(run(folder).values()) == {"success"}
    return folder


@pytest.fixture
def built_folder(ran, tmp_path):
    """A project that has run once, with a lake of its own."""
    folder = tmp_path / "project"
    shutil.copytree(ran, folder)
    # A lake's catalog says where its data are.
    with closing(sqlite3.connect(folder / "lake.sqlite")) as catalog, catalog:
        moved = "update ducklake_metadata set value = ? where key = 'data_path' and value = ?"
        changed = catalog.execute(moved, (f"{folder / 'data'}/", f"{ran / 'data'}/"))
        assert changed.rowcount == 1
    return folder


@pytest.fixture
def two(make_project):
    """A project of a seed and a model."""
    lakes.require()
    few = ("lupom_project.yml", "seeds/people.csv", "models/known.sql")
    return make_project({name: FILES[name] for name in few})


def built(project):
    """Return each table's rows."""
    return {name: sorted(project.table(name).rows()) for name in TABLES}


def run(folder, target=None, **options):
    with Project(folder, target=target) as project:
        result = project.run(**options)
        return {node.node: node.status for node in result.nodes}


def test_a_lake_has_the_tables_of_a_plain_file(folder):
    assert set(run(folder).values()) == {"success"}
    run(folder, "file")
    with Project(folder) as lake, Project(folder, target="file") as plain:
        assert built(lake) == built(plain)
        lake_records, records = lake.records(), plain.records()
    same = [
        name for name in TABLES if lake_records[name].content_hash == records[name].content_hash
    ]
    # The other has an ENUM, which a lake keeps as text.
    assert same == ["people", "known", "shares", "counted"]


def test_a_second_run_has_nothing_to_do(built_folder):
    folder = built_folder
    with Project(folder) as project:
        result = project.run()
    assert (result.run_id, result.nodes) == (None, [])


def test_what_changed_is_built_and_what_stays_the_same_ends_the_wave(built_folder):
    folder = built_folder
    (folder / "seeds" / "people.csv").write_text("id,trust\n1,high\n2,low\n3,high\n4,low\n")
    found = run(folder)
    assert found == {
        "people": "success",
        "known": "success",
        "grown": "success",
        "shares": "unchanged",
        "counted": "unchanged",
    }
    with Project(folder) as project:
        assert sorted(project.table("grown").rows())[-1] == (4, "low")


def test_tests_of_data_and_what_they_keep(built_folder):
    folder = built_folder
    with Project(folder) as project:
        result = project.test(store_failures=True)
        assert [node.status for node in result.nodes] == ["fail"]
        assert project.query("from lupom_failures.nobody_is_low").rows() == [(2, "low")]


def test_plans_and_differences_are_made_beside_it(built_folder):
    folder = built_folder
    (folder / "models" / "known.sql").write_text("select id, trust from {{ ref('people') }}")
    with Project(folder) as project:
        assert [step.node for step in project.plan().doing()] == ["known", "shares", "counted"]
        difference = project.diff("known", ["id"])
        assert (difference.added, difference.gone, difference.same) == (1, 0, 2)
        assert len(project.table("known").rows()) == 2


def test_the_tables_as_they_were_after_a_run(two, capsys, monkeypatch):
    monkeypatch.chdir(two)
    run(two)
    with Project(two) as project:
        ((first,),) = project.query("select run_id from lupom.runs").rows()
    (two / "models" / "known.sql").write_text("select id, trust from {{ ref('people') }}")
    run(two)
    capsys.readouterr()
    for options, n in (("--at", first), 2), ((), 3):
        assert lupom("query", "select count(*) as n from known", "--format", "csv", *options) == 0
        assert capsys.readouterr().out == f"n\n{n}\n"
    assert lupom("query", "from known", "--at", "20200101T000000-aaaaaa") == 2
    assert "lupom store snapshots" in capsys.readouterr().err
    assert lupom("query", "from known", "--at", first, "--target", "file") == 2
    assert "type: ducklake" in capsys.readouterr().err
    assert lupom("store", "snapshots", "--format", "csv") == 0
    assert f",{first},known," in capsys.readouterr().out


def test_old_snapshots_are_given_up_with_their_files(two, capsys, monkeypatch):
    monkeypatch.chdir(two)
    for i in range(2):
        (two / "models" / "known.sql").write_text(
            f"select id, trust, {i} as i from {{{{ ref('people') }}}}"
        )
        run(two)
    with Project(two) as project:
        before, snapshots = project.table("known").rows(), len(project.snapshots())
    files = len(list((two / "data").rglob("*.parquet")))
    assert lupom("store", "expire", "--older-than", "1d") == 0
    assert "Gave up 0 snapshots" in capsys.readouterr().err
    assert lupom("store", "expire", "--older-than", "0m", "--dry-run") == 0
    # Merging the small files of LUPoM's own tables has made some more.
    assert int(capsys.readouterr().err.split()[3]) >= snapshots - 1
    assert lupom("store", "expire", "--older-than", "0m") == 0
    assert len(list((two / "data").rglob("*.parquet"))) < files
    with Project(two) as project:
        assert len(project.snapshots()) == 1
        assert project.table("known").rows() == before
        assert project.run().nodes == []
    assert lupom("store", "expire", "--older-than", "soon") == 2
    assert "30d" in capsys.readouterr().err


def test_a_store_goes_to_a_lake_and_back(folder):
    run(folder, "file")
    with Project(folder, target="file") as project:
        before = built(project)
        assert project.copy_store("lake") == len(TABLES) + 3
        with pytest.raises(UsageError, match="has 8 relations already"):
            project.copy_store("lake")
    assert run(folder) == {}
    with Project(folder) as project:
        assert built(project) == before
        project.copy_store("alone")
        project.copy_store("file", replace=True)
    assert run(folder, "file") == {}
    assert run(folder, "alone") == {}
    with Project(folder, target="file") as project:
        assert built(project) == before


def test_what_is_not_built_here_is_read_in_the_lake(built_folder):
    folder = built_folder
    with Project(folder, target="file", defer="lake") as project:
        assert [n.status for n in project.run("counted").nodes] == ["success"]
        assert sorted(project.table("counted").rows()) == [("high", 10), ("low", 10)]


def test_two_runs_at_once_both_end_and_the_tables_are_whole(folder):
    """Of two checkouts, as of two machines: each has its own state and lock."""
    other = folder.parent / "other"
    shutil.copytree(folder, other)
    text = (other / "lupom_project.yml").read_text()
    place = folder / "lake.sqlite"
    text = text.replace("lake.sqlite", str(place)).replace("data: data", f"data: {folder / 'data'}")
    (other / "lupom_project.yml").write_text(text)
    (other / "models" / "known.sql").write_text("select id, trust from {{ ref('people') }}")
    results = {}

    def work(place):
        results[place.name] = run(place)

    threads = [threading.Thread(target=work, args=(place,)) for place in (folder, other)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {status for found in results.values() for status in found.values()} <= {
        "success",
        "unchanged",
    }
    # Whoever runs last has the say, and finds out what the other left.
    run(folder)
    assert run(folder) == {}
    with Project(folder) as project:
        assert built(project)["shares"] == [("high", 1, 1), ("low", 1, 2)]
        assert built(project)["counted"] == [("high", 10), ("low", 10)]


def test_a_table_built_of_rows_that_another_run_replaced_is_stale(built_folder):
    folder = built_folder
    other = folder.parent / "other"
    shutil.copytree(folder, other)
    text = (other / "lupom_project.yml").read_text()
    text = text.replace("lake.sqlite", str(folder / "lake.sqlite"))
    (other / "lupom_project.yml").write_text(text.replace("data: data", f"data: {folder / 'data'}"))
    (other / "models" / "known.sql").write_text("select id, trust from {{ ref('people') }}")
    (folder / "models" / "counted.py").write_text(
        "def model(lupom):\n"
        "    lupom.note('reading')\n"
        "    return lupom.ref('shares').project('trust, n * 100 as n')\n"
    )

    class Reporter:
        def started(self, *_):
            pass

        ended = progressed = started

        def note(self, message):
            if "reading" in message:
                run(other, select="known")

    with Project(folder) as project:
        project.run(reporter=Reporter())
    # With the rows it was meant for it is built again, though these are what they were before.
    assert run(folder) == {"known": "success", "shares": "unchanged", "counted": "success"}


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("{type: ducklak}", "did you mean 'ducklake'"),
        ("{type: ducklake, path: x.duckdb}", "'path' is the file of a plain store"),
        ("{type: ducklake, data: d}", "wants 'catalog'"),
        ("{type: ducklake, catalog: x.sqlite}", "wants 'data'"),
        ("{catalog: x.sqlite, data: d}", "belongs to a target of 'type: ducklake'"),
        ("{type: ducklake, catalog: x.sqlit, data: d}", r"did you mean '.sqlite'"),
        (
            "{type: ducklake, catalog: 'mysql://a/b', data: d}",
            "catalog: there is no database 'mysql",
        ),
        (
            "{type: ducklake, catalog: 'postgresql://ann:pw@h/d', data: d}",
            "password is spelled out",
        ),
        ("{type: ducklake, catalog: 'postgresql://h', data: d}", "it names no database"),
        ("{type: ducklake, catalog: x.sqlite, data: 'gs://b/x'}", "a folder or s3://"),
        ("{type: ducklake, catalog: x.sqlite, data: 's3//b/x'}", "a folder or s3://"),
        ("{type: ducklake, catalog: x.sqlite, data: 's3:/b/x'}", "a folder or s3://"),
        ("{type: ducklake, catalog: x.sqlite, data: d, s3: {region: x}}", "'s3' belongs to"),
        (
            "{type: ducklake, catalog: x.db, data: d, catalog_schema: x}",
            "for a catalog in Postgre",
        ),
        ("{type: ducklake, catlog: x.sqlite, data: d}", "did you mean 'catalog'"),
    ],
)
def test_settings_that_make_no_sense_are_one_message(make_project, capsys, target, message):
    folder = make_project(
        {
            "lupom_project.yml": f"name: demo\ntargets:\n  dev: {target}\n",
            "models/a.sql": "select 1",
        }
    )
    assert lupom("ls", "--project-dir", str(folder)) == 2
    said = capsys.readouterr().err
    assert said.startswith("Error: lupom_project.yml:3: ")
    import re

    assert re.search(message, said), said
    assert ":pw@" not in said


def test_a_node_that_reads_while_the_catalog_s_server_is_gone_is_built_when_it_is_back(
    make_project, postgres, monkeypatch
):
    lakes.require()
    place, _, database = postgres.database().partition("://")[2].rpartition("/")
    monkeypatch.setenv("PGPASSWORD", PASSWORD)
    where = f"postgresql://{USER}@{place.rpartition('@')[2]}/{database}"
    folder = make_project(
        {
            "lupom_project.yml": f"""
                name: demo
                target: lake
                targets:
                  lake: {{type: ducklake, catalog: "{where}", data: data}}
                """,
            "seeds/people.csv": FILES["seeds/people.csv"],
            "models/counted.py": """
                from tests.support import lakes

                def model(lupom):
                    lakes.within_a_model()
                    return lupom.ref("people").count("*").to_arrow_table()
                """,
        }
    )
    starting = threading.Thread(target=postgres.start)

    def falls():
        if starting.ident is None:
            postgres.stop()

    monkeypatch.setattr(lakes, "within_a_model", falls)
    with Project(folder) as project:

        def missed(message):
            if "waiting for the server" in message and starting.ident is None:
                starting.start()

        project.store.on_wait = missed
        assert {node.status for node in project.run().nodes} == {"success"}
        assert project.table("counted").rows() == [(3,)]
    starting.join()


def test_tables_of_runs_that_cannot_be_written_do_not_end_a_run(two):
    run(two)
    for file in (two / "data" / "main" / "runs").iterdir():
        file.unlink()
    (two / "models" / "known.sql").write_text("select id + 1 as id from {{ ref('people') }}")
    notes = []
    with Project(two) as project:
        reporter = Silent()
        reporter.note = notes.append
        assert project.run(reporter=reporter).status == "success"
        assert len(project.table("known").rows()) == 3
    assert any(note.startswith("lupom.calls is not up to date: ") for note in notes)
