"""Types of CSV columns: a value comes back as it is written, or its column is text."""

from __future__ import annotations

import csv
import datetime as dt
import io

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lupom import Project
from lupom.engine.run.results import Silent
from lupom.engine.store.dialect import csv_relation, found_types
from lupom.engine.store.instances import instance

TEXT = [
    ["12345678901234567890", "12345678901234567891"],
    ["9223372036854775808"],
    ["12E5", "13E4"],
    ["1e5"],
    ["0x10", "0x11"],
    ["Yes", "No"],
    ["True", "False"],
    ["TRUE"],
    ["t", "f"],
    ["true", "yes"],
    ["02/01/2024", "03/04/2024"],
    ["01/02/2024", "13/02/2024"],
    ["01/31/1990"],
    ["2024-1-5"],
    ["2024-02-30"],
    ["2024-01-05", "5.1.2024"],
    ["2024-01-05", "2024-01-05 10:00:00"],
    ["2024-01-05T10:00:00Z"],
    ["2024-01-05 10:00:00+02"],
    ["12:30:00"],
    ["1.5", "nan"],
    ["NaN"],
    ["inf", "-inf"],
    ["infinity"],
    ["epoch"],
    ["007", "8"],
    ["00"],
    ["+1", "2"],
    ["1_000"],
    ["1,000"],
    ["1.000,5"],
    [" 1", "2"],
    ["1 ", "2"],
    ["1e400"],
    ["1e-400"],
    ["-0", "1"],
    [".5"],
    ["5."],
    ["1.50", "2.25"],
    ["3.14159265358979323846"],
    ["12345678901234567", "0.5"],
    ["1", "one"],
    ["1", "true"],
    ["A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11"],
    ["NULL", "1"],
    ["", ""],
    ["\u0661", "\u0662"],
]

TYPED = [
    ("BIGINT", ["1", "-2", "0", ""], [1, -2, 0, None]),
    ("BIGINT", ["9223372036854775807", "-9223372036854775808"], [2**63 - 1, -(2**63)]),
    ("DOUBLE", ["1.5", "2", "-0.25", ""], [1.5, 2.0, -0.25, None]),
    ("DOUBLE", ["0.30000000000000004", "1.0"], [0.30000000000000004, 1.0]),
    ("DOUBLE", ["0.00001", "1e-07", "1.5e+300"], [1e-5, 1e-7, 1.5e300]),
    ("BOOLEAN", ["true", "false", ""], [True, False, None]),
    ("DATE", ["2024-01-31", "1999-12-01"], [dt.date(2024, 1, 31), dt.date(1999, 12, 1)]),
    ("TIMESTAMP", ["2024-01-31 10:00:00.25"], [dt.datetime(2024, 1, 31, 10, 0, 0, 250000)]),
]


def read(tmp_path, values):
    """Return the type and the values of a column of a file."""
    text = io.StringIO()
    csv.writer(text, quoting=csv.QUOTE_ALL).writerows([["x", "n"], *([v, 1] for v in values)])
    file = tmp_path / "file.csv"
    file.write_text(text.getvalue(), encoding="utf-8", newline="")
    with instance() as connection:
        types = found_types(connection, csv_relation([file]))
        rows = connection.execute(f"select x from {csv_relation([file], types=types)}").fetchall()
    return types.get("x", "VARCHAR"), [row[0] for row in rows]


@pytest.mark.parametrize("values", TEXT)
def test_a_column_is_text_where_a_value_does_not_come_back(tmp_path, values):
    assert read(tmp_path, values) == ("VARCHAR", [value or None for value in values])


@pytest.mark.parametrize(("kind", "values", "expected"), TYPED)
def test_a_column_has_a_type_where_all_values_come_back(tmp_path, kind, values, expected):
    assert read(tmp_path, values) == (kind, expected)


def test_the_last_of_many_rows_decides(tmp_path):
    values = [str(i) for i in range(5000)]
    assert read(tmp_path, values)[0] == "BIGINT"
    assert read(tmp_path, [*values, "0012"])[0] == "VARCHAR"
    assert read(tmp_path, [""] * 5000 + ["12"])[0] == "BIGINT"


numbers = st.integers() | st.floats(allow_nan=True)
dates = st.dates() | st.datetimes(timezones=st.none() | st.just(dt.UTC)) | st.times()
words = st.text(st.characters(codec="utf-8", exclude_characters="\0\r\n"), max_size=6)
cells = st.one_of(
    numbers.map(str), dates.map(str), words, st.booleans().map(str), st.uuids().map(str)
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(values=st.lists(cells, min_size=1, max_size=4))
def test_no_value_is_another_than_it_was_written(tmp_path_factory, values):
    kind, found = read(tmp_path_factory.mktemp("csv"), values)
    for written, value in zip(values, found, strict=True):
        if written == "":
            assert value is None
        elif kind in ("BIGINT", "VARCHAR"):
            assert str(value) == written
        elif kind == "DOUBLE":
            assert float(written) == value
            assert len(written.lstrip("-").replace(".", "")) <= 17 or repr(value) == written
        elif kind == "BOOLEAN":
            assert str(value).lower() == written
        else:
            assert str(value) == written


SEED = (
    "id,code,hex,ans,seen,born,score\n"
    "12345678901234567890,12E5,0x10,Yes,02/01/2024,01/31/1990,1.5\n"
    "12345678901234567891,13E4,0x11,No,03/04/2024,02/28/1991,nan\n"
)


@pytest.fixture
def folder(make_project):
    return make_project(
        {
            "seeds/s.csv": SEED,
            "data/s.csv": SEED,
            "data/parts/one.csv": "a\n1\n",
            "data/parts/two.csv": "a\n01\n",
            "models/sources.yml": """
                sources:
                  - name: raw
                    tables:
                      - {name: s, file: data/s.csv}
                      - {name: parts, file: 'data/parts/*.csv'}
                """,
            "models/t.sql": "select * from {{ source('raw', 's') }}",
            "models/v.sql": (
                "{{ config(materialized='view') }} select * from {{ source('raw', 's') }}"
            ),
            "models/parts.sql": "select * from {{ source('raw', 'parts') }}",
        }
    )


def test_seeds_and_sources_hold_what_their_files_say(folder):
    with Project(folder) as project:
        assert project.run().status == "success"
        for name in ("s", "t", "v"):
            table = project.query(f"from {name}")
            assert [",".join(map(str, row)) for row in table.rows()] == SEED.splitlines()[1:]
        assert project.query("from parts order by a").rows() == [("01",), ("1",)]


def test_types_that_the_user_declares_win(folder, make_project):
    make_project(
        {
            "seeds/seeds.yml": """
                seeds:
                  - name: s
                    config: {column_types: {score: DOUBLE, id: HUGEINT, ans: BOOLEAN}}
                """,
            "seeds/s.csv": SEED,
        }
    )
    with Project(folder) as project:
        assert project.run("s").status == "success"
        kinds = dict(project.query("select column_name, column_type from (describe s)").rows())
    assert kinds == {
        **dict.fromkeys(("code", "hex", "seen", "born"), "VARCHAR"),
        "score": "DOUBLE",
        "id": "HUGEINT",
        "ans": "BOOLEAN",
    }


def test_a_date_that_may_be_another_is_not_guessed_even_where_a_date_is_declared(make_project):
    folder = make_project(
        {
            "seeds/seeds.yml": "seeds: [{name: s, config: {column_types: {seen: DATE}}}]",
            "seeds/s.csv": SEED,
        }
    )
    with Project(folder) as project:
        result = project.run("s")
    assert result.nodes[0].message == (
        "seeds/s.csv:2: column_types: '02/01/2024' in column 'seen' is not a DATE (leave 'seen' out"
        " of column_types, and it is text; a model reads it with strptime(\"seen\", '%d/%m/%Y'))"
    )


HEADERS = [
    ("id,x,id\n1,2,3\n", "the header has two columns of one name: 'id' (columns 1 and 3)"),
    ("id,x,ID\n1,2,3\n", "the header has two columns of one name: 'id' and 'ID' (columns 1 and 3)"),
    (
        "a,b,a,b,a\n1,2,3,4,5\n",
        "two columns of one name: 'a' (columns 1, 3 and 5); 'b' (columns 2 and 4)",
    ),
    ("id,,x\n1,2,3\n", "column 2 of the header has no name"),
    (",id, \n1,2,3\n", "columns 1 and 3 of the header have no name"),
    ('"id","x, y","x, y"\n1,2,3\n', "two columns of one name: 'x, y' (columns 2 and 3)"),
]


@pytest.mark.parametrize(("text", "message"), HEADERS)
def test_a_header_with_columns_alike_or_nameless_is_an_error_that_names_them(
    make_project, text, message
):
    folder = make_project({})
    (folder / "seeds").mkdir()
    (folder / "seeds" / "s.csv").write_text(text)
    with Project(folder) as project:
        result = project.run()
    assert result.status == "error"
    assert result.nodes[0].message.startswith("seeds/s.csv:1: ")
    assert message in result.nodes[0].message


class Heard(Silent):
    def __init__(self):
        self.notes = []

    def note(self, message):
        self.notes.append(message)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ([*map(str, range(1999)), "oops"], "'oops' in row 2,000 is not a number; leave the cell"),
        (
            ["1", "2.25", "3.50"],
            "'3.50' in row 3 would come back as 3.5; column_types: {c: DOUBLE}",
        ),
        ([*["1"] * 10, "nan"], "'nan' in row 11 is not a number"),
        (["", "+1", "2"], "'+1' in row 2 would come back as 1.0"),
        # What nobody calculates with, and what is text anyway.
        (["007", "008", "019"], None),
        (["12345678901234567890", "12345678901234567891"], None),
        (["1", "two", "three"], None),
        (["1", "2", "3"], None),
        (["", "", ""], None),
    ],
)
def test_a_run_names_the_value_that_makes_numbers_text(make_project, values, said):
    rows = "".join(f"{i},{value}\n" for i, value in enumerate(values))
    folder = make_project({"seeds/s.csv": f"id,c\n{rows}"})
    heard = Heard()
    with Project(folder) as project:
        project.run(reporter=heard)
        # Once: what stands is not said again.
        project.run(reporter=heard)
    begin = "seeds/s.csv: column 'c' is text: "
    assert [note[: len(begin + (said or ""))] for note in heard.notes] == (
        [begin + said] if said else []
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("id,x ,y\n1,2.50,3\n", ["seeds/s.csv: column 'x' is text: '2.50' in row 1 would"]),
        ("id;x\n1;2\n", ["seeds/s.csv: one column, 'id;x'; is it more? delimiter: \";\" reads"]),
        ("id\tx\n1\t2\n", ["seeds/s.csv: one column, 'id\\tx'; is it more? delimiter: \"\\t\""]),
        ("id\n1\n", []),
    ],
)
def test_headers_with_spaces_and_other_delimiters(make_project, text, said):
    folder = make_project({})
    (folder / "seeds").mkdir()
    (folder / "seeds" / "s.csv").write_text(text)
    heard = Heard()
    with Project(folder) as project:
        assert project.run(reporter=heard).status == "success"
    assert [note[: len(begin)] for note, begin in zip(heard.notes, said, strict=True)] == said
