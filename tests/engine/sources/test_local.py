"""Sources that are files on this disk, or tables of another DuckDB file."""

from __future__ import annotations

import os
import re

import duckdb
import pytest

from lupom import Project
from lupom.engine.errors import LupomError
from tests.support.sources import built, rows, run

DATABASE = """
    sources:
      - name: panel
        database: data/panel.duckdb
        schema: raw
        tables:
          - {name: wave}
    """


def file_source(options=""):
    return f"""
        sources:
          - name: panel
            tables:
              - {{name: wave, file: data/wave.csv{options}}}
        """


@pytest.fixture
def panel(make_project):
    def make(text, options="", model="select * from {{ source('panel', 'wave') }}", **more):
        return make_project(
            {
                "models/sources.yml": file_source(options),
                "models/a.sql": model,
                "data/wave.csv": text,
                **more,
            }
        )

    return make


def test_contents_decide_and_not_the_time_of_change(panel):
    folder = panel("id\n1\n")
    run(folder)
    os.utime(folder / "data" / "wave.csv", (1, 1))
    assert run(folder).nodes == []
    (folder / "data" / "wave.csv").write_text("id\n2\n")
    assert built(run(folder)) == {"a": "success"}
    assert rows(folder) == [(2,)]


def test_how_a_file_is_read_is_part_of_what_it_is(panel):
    folder = panel("id;name\n1;x\n", ", delimiter: ';'")
    run(folder)
    assert rows(folder) == [(1, "x")]
    text = (folder / "models" / "sources.yml").read_text()
    (folder / "models" / "sources.yml").write_text(text.replace("';'", "';', all_varchar: true"))
    assert built(run(folder)) == {"a": "success"}
    assert rows(folder) == [("1", "x")]


def test_types_of_columns_may_be_given(panel):
    folder = panel("id,w\n01,2\n", ", column_types: {id: VARCHAR}")
    run(folder)
    assert rows(folder) == [("01", 2)]


def test_several_files_are_one_table(make_project):
    folder = make_project(
        {
            "models/sources.yml": file_source().replace("wave.csv", "**/wave_*.csv"),
            "models/a.sql": "select * from {{ source('panel', 'wave') }}",
            "data/wave_1.csv": "id\n1\n",
            "data/more/wave_2.csv": "name,id\nx,2\n",
            "data/other.csv": "zzz\n",
        }
    )
    run(folder)
    assert sorted(rows(folder, "select id, name from a"), key=str) == [(1, None), (2, "x")]
    (folder / "data" / "wave_3.csv").write_text("id\n3\n")
    assert built(run(folder)) == {"a": "success"}


@pytest.mark.parametrize(
    ("contents", "message"),
    [
        (b"", "wave.csv is empty"),
        (b"id,name\n1,x\n2\n", "row 3: 1 fields where the header has 2"),
        (b"id,name\n1,\xe9t\xe9\n", "byte 0xe9 is not utf-8 text; .*'encoding: latin-1'"),
        ("id,name\n1,été\n".encode() + "2,été\n".encode("latin-1"), "byte 0xe9 is not utf-8"),
        (b'id,name\n1,"' + b"x" * 3_000_000, "a quote left open"),
        (b",".join([b"c"] * 1_000_000) + b"\n", "1,000,000 columns or more, and 20,000 are"),
        (b"PK\x03\x04\x00\x00\xff\xfe" * 50, "cannot be read"),
    ],
    ids=["empty", "torn", "latin", "mixed", "bomb", "columns", "zip"],
)
def test_a_hostile_file_is_an_error_and_the_table_before_it_stands(panel, contents, message):
    folder = panel("id,name\n1,x\n")
    run(folder)
    (folder / "data" / "wave.csv").write_bytes(contents)
    result = run(folder)
    with duckdb.connect(str(folder / "lupom.duckdb")) as connection:
        assert connection.execute("select * from a").fetchall() == [(1, "x")]
    assert result.status == "error"
    assert re.search(f"models/sources.yml:5: the source 'panel.wave' .*{message}", said(result))
    assert len(said(result)) < 500


def said(result):
    return result.nodes[0].message


def test_a_column_that_column_types_misspells(panel):
    folder = panel("id,weight\n1,2\n", ", column_types: {wieght: DOUBLE}")
    assert "no column 'wieght' (column_types); did you mean 'weight'?" in said(run(folder))


def test_latin_1(panel):
    folder = panel("", ", encoding: latin-1")
    (folder / "data" / "wave.csv").write_bytes("name\nété\n".encode("latin-1"))
    run(folder)
    assert rows(folder) == [("été",)]


@pytest.mark.parametrize(
    ("table", "block", "message"),
    [
        ("file: 's3://panel'", "", "names no object"),
        ("file: 's3://panel/w34/'", "", r"names no object.*s3://panel/w34/\*\.csv"),
        ("file: 's3:///wave.csv'", "", "names no bucket"),
        ("file: 'gs://panel/wave.csv'", "", "a path or an s3:// URL"),
        ("file: data/topics.npy", "", "format: blob"),
        ("file: data/wave.parquet, delimiter: ';'", "", "'delimiter' is for CSV files"),
        ("file: data/wave.csv, identifier: x", "", "a 'file' or a table with an 'identifier'"),
        ("format: csv", "", "'format' belongs to a source with a 'file'"),
        ("identifier: x", "database: lupom.duckdb", "the project's own store"),
        ("identifier: x", "s3: {anonymous: true, profile: x}", "exclude each other"),
        ("identifier: x", "s3: {endpoint_url: minio}", "begins with http"),
        ("identifier: x", "freshness: {warn_after: {count: 1, period: week}}", "period"),
        ("file: data/wave.csv, encoding: utf-9", "", "encoding"),
    ],
)
def test_a_declaration_that_is_wrong_is_named_with_its_line(make_project, table, block, message):
    text = f"""
        sources:
          - name: panel
            description: A panel.
            {block}
            tables:
              - {{name: wave, {table}}}
        """
    with pytest.raises(LupomError, match=rf"models/sources.yml:[3-7]: .*{message}"):
        Project(make_project({"models/sources.yml": text}))


class TestDatabases:
    @pytest.fixture
    def folder(self, make_project):
        folder = make_project(
            {
                "models/sources.yml": DATABASE,
                "models/a.sql": "select id from {{ source('panel', 'wave') }}",
                "models/b.py": """
                    def model(lupom):
                        return lupom.source("panel", "wave").filter("id > 1")
                    """,
                "data/note.txt": "",
            }
        )
        with duckdb.connect(str(folder / "data" / "panel.duckdb")) as connection:
            connection.execute("create schema raw")
            connection.execute("create table raw.wave as select unnest([1, 2]) as id")
        return folder

    def change(self, folder, sql):
        with duckdb.connect(str(folder / "data" / "panel.duckdb")) as connection:
            connection.execute(sql)

    def test_a_table_of_another_file_is_read(self, folder):
        assert run(folder).status == "success"
        assert rows(folder) == [(1,), (2,)]
        assert rows(folder, "select * from b") == [(2,)]

    def test_its_contents_decide(self, folder):
        run(folder)
        self.change(folder, "create table raw.other as select 1 as x")
        assert run(folder).nodes == []
        self.change(folder, "insert into raw.wave values (3)")
        assert built(run(folder)) == {"a": "success", "b": "success"}

    def test_it_is_let_go_of_after_the_run(self, folder):
        with Project(folder) as project:
            project.run()
            self.change(folder, "insert into raw.wave values (3)")
            assert {n.node for n in project.run().nodes} == {"a", "b"}

    def test_a_misspelt_table(self, folder):
        file = folder / "models" / "sources.yml"
        file.write_text(file.read_text().replace("{name: wave}", "{name: wave, identifier: wav}"))
        with pytest.raises(LupomError, match=r"sources.yml:7: .*no table raw.wav.*mean 'wave'"):
            run(folder)

    def test_a_missing_file(self, folder):
        (folder / "data" / "panel.duckdb").unlink()
        with pytest.raises(LupomError, match=r"the database of source .panel\.wave. is not there"):
            run(folder)

    def test_a_file_that_is_no_database(self, folder):
        (folder / "data" / "panel.duckdb").write_text("id\n1\n" * 5000)
        with pytest.raises(LupomError, match=r"cannot read .*panel.duckdb"):
            run(folder)

    def test_a_view_of_it_is_refused(self, folder):
        (folder / "models" / "a.sql").write_text(
            "{{ config(materialized='view') }}\nselect * from {{ source('panel', 'wave') }}"
        )
        with pytest.raises(LupomError, match=r"models/a.sql:2: .*materialized='table'"):
            Project(folder)


def test_a_string_of_json_that_may_be_two_dates_is_text(make_project):
    folder = make_project(
        {
            "data/s.json": '{"a": "01-02-2024", "b": "2024-02-01"}\n',
            "models/sources.yml": """
                sources:
                  - name: raw
                    tables: [{name: s, file: data/s.json}]
                """,
            "models/t.sql": "select a, b + 1 as b from {{ source('raw', 's') }}",
        }
    )
    with Project(folder) as project:
        assert project.run().status == "success"
        assert project.query("select a, b::varchar from t").rows() == [("01-02-2024", "2024-02-02")]


@pytest.mark.parametrize(
    ("values", "kind", "read"),
    [
        (["99999999999999999991", "99999999999999999992"], "VARCHAR", None),
        (["123456789012345678901234567890", "1"], "VARCHAR", None),
        (["12345678901234567890", "7"], "HUGEINT", None),
        (["0.1", "2"], "DOUBLE", ["0.1", "2.0"]),
        (["1e3", "0.10000000000000001"], "DOUBLE", ["1000.0", "0.1"]),
        (['"01-02-2024 10:00:00"', '"02-03-2024 10:00:00"'], "VARCHAR", None),
        (['"2024-02-01T10:00:00"'], "TIMESTAMP", ["2024-02-01 10:00:00"]),
        (['"550E8400-e29b-41d4-a716-446655440000"'], "VARCHAR", None),
        (["[99999999999999999991]", "[1]"], "VARCHAR[]", None),
        (
            ['{"id": 99999999999999999991, "t": "01-02-2024 10:00:00"}', '{"id": 7}'],
            "STRUCT(id VARCHAR, t VARCHAR)",
            ["{'id': 99999999999999999991, 't': '01-02-2024 10:00:00'}", "{'id': 7, 't': NULL}"],
        ),
        (['{"DOUBLE": 0.5}'], 'STRUCT("DOUBLE" DOUBLE)', ["{'DOUBLE': 0.5}"]),
    ],
)
def test_json_is_read_as_it_is_written(make_project, values, kind, read):
    folder = make_project(
        {
            "data/s.jsonl": "".join(f'{{"n": {i}, "a": {v}}}\n' for i, v in enumerate(values)),
            "models/sources.yml": """
                sources:
                  - name: raw
                    tables: [{name: s, file: data/s.jsonl}]
                """,
            "models/t.sql": "select n, a, typeof(a) as kind from {{ source('raw', 's') }}",
        }
    )
    with Project(folder) as project:
        assert project.run().status == "success"
        expected = [value.strip('"') for value in values] if read is None else read
        assert project.query("select kind, a::varchar from t order by n").rows() == [
            (kind, value) for value in expected
        ]
