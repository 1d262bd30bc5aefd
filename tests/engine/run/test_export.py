"""Exports: each format read back, to a folder and to an S3 server."""

from __future__ import annotations

import csv
import json

import pyarrow.parquet as pq
import pytest

from lupom import Project
from lupom.engine.errors import StoreError, UsageError

SQL = """
select 1 as id, 'Ann, "A."' as name, ['a', 'b'] as words, map {'x': 0.5} as shares, true as there
union all select 2, null, [], map {}, false
"""


@pytest.fixture
def folder(make_project):
    folder = make_project(
        {
            "models/people.sql": SQL,
            "models/never.sql": "select 1 as one",
            "models/people.yml": """
                models:
                  - name: people
                    columns: [{name: name, description: What they are called.}]
                """,
        }
    )
    with Project(folder) as project:
        project.run("people")
    return folder


def export(folder, *arguments, **options):
    with Project(folder) as project:
        return project.export(*arguments, **options)


def test_parquet_keeps_types(folder, tmp_path):
    (written,) = export(folder, "people", "parquet", tmp_path / "out")
    assert (written.model, written.rows) == ("people", 2)
    table = pq.read_table(written.address)
    assert table.sort_by("id")["words"].to_pylist() == [["a", "b"], []]


def test_csv_has_lists_as_json(folder, tmp_path):
    (written,) = export(folder, "people", "csv", tmp_path / "out")
    with open(written.address, newline="", encoding="utf-8") as file:
        first = next(row for row in csv.DictReader(file) if row["id"] == "1")
    assert first["name"] == 'Ann, "A."'
    assert json.loads(first["words"]) == ["a", "b"]
    assert json.loads(first["shares"]) == {"x": 0.5}


def test_no_text_of_a_safe_csv_is_a_formula(make_project, tmp_path):
    sql = """select '=1+1' as "=name", '-5' as number_as_text, -5 as number, ['=1'] as words,
        '@me'::enum('@me', 'you') as who"""
    folder = make_project({"models/people.sql": sql})
    with Project(folder) as project:
        project.run("people")
        (written,) = project.export("people", "csv", tmp_path / "out", spreadsheet_safe=True)
        with pytest.raises(UsageError, match="only CSV is made safe for spreadsheets"):
            project.export("people", "parquet", tmp_path / "out", spreadsheet_safe=True)
    with open(written.address, newline="", encoding="utf-8") as file:
        head, row = csv.reader(file)
    assert head == ["'=name", "number_as_text", "number", "words", "who"]
    assert row == ["'=1+1", "-5", "-5", '["=1"]', "'@me"]


def test_jsonl_is_an_object_a_line(folder, tmp_path):
    (written,) = export(folder, "people", "jsonl", tmp_path / "out")
    with open(written.address, encoding="utf-8") as file:
        rows = {row["id"]: row for row in map(json.loads, file)}
    assert rows[1]["words"] == ["a", "b"]
    assert rows[2]["name"] is None


def test_spss_has_labels(folder, tmp_path):
    pyreadstat = pytest.importorskip("pyreadstat")
    (written,) = export(folder, "people", "sav", tmp_path / "out")
    frame, meta = pyreadstat.read_sav(written.address)
    assert sorted(frame["id"]) == [1, 2]
    assert meta.column_names_to_labels["name"] == "What they are called."


LABELS = """
select 'mood' as column, 'How is your mood?' as label, ['Bad', 'Good'] as options,
    'ordinal' as measure
union all select 'pet', 'Your pet', ['Cat'], 'nominal'
union all select 'weight', 'Survey weight', null, 'scale'
"""


@pytest.fixture
def labelled(make_project):
    sql = """select 'Good' as mood, 'Cat' as pet, 1.5 as weight, 'a' as "who is it?"
        union all select null, 'Dog', 2, 'b' union all select 'Bad', null, 1, 'c'"""
    folder = make_project(
        {
            "models/people.sql": sql,
            "models/labels.sql": LABELS,
            "models/people.yml": "models: [{name: people, config: {labels: labels}}]",
        }
    )
    with Project(folder) as project:
        project.run()
    return folder


@pytest.mark.parametrize("form", ["sav", "dta"])
def test_a_model_says_what_values_mean(labelled, tmp_path, form):
    pyreadstat = pytest.importorskip("pyreadstat")
    (written,) = export(labelled, "people", form, tmp_path / "out")
    read = pyreadstat.read_sav if form == "sav" else pyreadstat.read_dta
    frame, meta = read(written.address)
    rows = frame.sort_values("who_is_it_")
    assert rows["mood"].fillna(0).tolist() == [2, 0, 1]
    assert meta.variable_value_labels == {"mood": {1: "Bad", 2: "Good"}}
    assert rows["pet"].fillna("").tolist() == ["Cat", "Dog", ""], "a text that is no option stays"
    assert meta.column_names_to_labels["mood"] == "How is your mood?"
    assert meta.column_names_to_labels["who_is_it_"] == "who is it?"
    if form == "sav":
        assert meta.variable_measure["weight"] == "scale"
        assert meta.variable_measure["mood"] == "ordinal"


@pytest.mark.parametrize("form", ["sav", "dta"])
def test_values_have_their_own_codes_where_the_program_can_label_them(labelled, tmp_path, form):
    pyreadstat = pytest.importorskip("pyreadstat")
    coded = """
        select 'mood' as column, '' as label, ['Bad', 'Good'] as options, [9, 5] as codes,
            'ordinal' as measure
        union all select 'pet', '', ['Cat', 'Dog'], [1.5, 2], 'nominal'"""
    (labelled / "models" / "labels.sql").write_text(coded, encoding="utf-8")
    with Project(labelled) as project:
        project.run()
    (written,) = export(labelled, "people", form, tmp_path / "out")
    read = pyreadstat.read_sav if form == "sav" else pyreadstat.read_dta
    frame, meta = read(written.address)
    rows = frame.sort_values("who_is_it_")
    assert rows["mood"].fillna(0).tolist() == [5, 0, 9]
    assert meta.variable_value_labels["mood"] == {9: "Bad", 5: "Good"}
    # Stata labels whole numbers alone.
    cat = 1.5 if form == "sav" else 1
    assert meta.variable_value_labels["pet"] == {cat: "Cat", 2: "Dog"}
    assert rows["pet"].fillna(0).tolist() == [cat, 2, 0]


GAPS = """
select 'b' as "who is it?", 'mood' as column, 'Refused' as label, '9' as code
union all select 'c', 'pet', 'Not sure', '1'
union all select 'b', 'weight', 'Refused', '99'
union all select 'd', 'mood', 'No answer', null
union all select 'd', 'pet', 'No answer', null
"""


@pytest.mark.parametrize("form", ["sav", "dta"])
def test_why_a_cell_is_empty_is_a_missing_value_with_its_label(labelled, tmp_path, form):
    pyreadstat = pytest.importorskip("pyreadstat")
    people = (labelled / "models" / "people.sql").read_text(encoding="utf-8")
    for name, text in (
        ("people.sql", f"{people} union all select null, null, 3, 'd'"),
        ("labels.sql", LABELS.replace("['Cat']", "['Cat', 'Dog']")),
        ("gaps.sql", GAPS),
        ("people.yml", "models: [{name: people, config: {labels: labels, gaps: gaps}}]"),
    ):
        (labelled / "models" / name).write_text(text, encoding="utf-8")
    with Project(labelled) as project:
        project.run()
    (written,) = export(labelled, "people", form, tmp_path / "out")
    read = pyreadstat.read_sav if form == "sav" else pyreadstat.read_dta
    plain, _ = read(written.address)
    assert plain.sort_values("who_is_it_")["mood"].fillna(0).tolist() == [2, 0, 1, 0], "no answer"
    frame, meta = read(written.address, user_missing=True)
    rows = frame.sort_values("who_is_it_")
    # The file's own code, if no answer has it; Stata's are letters.
    codes = {"Refused": 9, "none": -1, "Not sure": -1, "second": -2}
    if form == "dta":
        codes = {"Refused": "a", "none": "b", "Not sure": "a", "second": "b"}
    refused, none, unsure, second = codes.values()
    assert rows["mood"].tolist() == [2, refused, 1, none]
    assert rows["pet"].tolist() == [1, 2, unsure, second]
    assert meta.variable_value_labels["mood"] == {
        **{1: "Bad", 2: "Good"},
        **{refused: "Refused", none: "No answer"},
    }
    assert meta.variable_value_labels["pet"] == {
        **{1: "Cat", 2: "Dog"},
        **{unsure: "Not sure", second: "No answer"},
    }
    assert rows["weight"].tolist() == [1.5, 2, 1, 3], "what is there stays"
    assert "weight" not in meta.variable_value_labels


@pytest.mark.parametrize(
    ("gaps", "said"),
    [
        ("select 'mood' as column, '' as label, '9' as code", "no column that says of which rows"),
        ("select 1 as id, 'mood' as column, '' as label, '9' as code", "has no column 'id'"),
    ],
)
def test_gaps_of_no_rows_are_told(labelled, tmp_path, gaps, said):
    (labelled / "models" / "gaps.sql").write_text(gaps, encoding="utf-8")
    config = "models: [{name: people, config: {gaps: gaps}}]"
    (labelled / "models" / "people.yml").write_text(config, encoding="utf-8")
    with Project(labelled) as project:
        project.run()
    with pytest.raises(UsageError, match=said):
        export(labelled, "people", "sav", tmp_path / "out")


def test_codes_that_are_not_each_option_s_own_are_told(labelled, tmp_path):
    coded = "select 'mood' as column, '' as label, ['Bad', 'Good'] as options, [1, 1] as codes"
    text = f"{coded}, 'ordinal' as measure"
    (labelled / "models" / "labels.sql").write_text(text, encoding="utf-8")
    with Project(labelled) as project:
        project.run()
    with pytest.raises(UsageError, match="'labels' has 1 codes of 2 options of the column 'mood'"):
        export(labelled, "people", "sav", tmp_path / "out")


def test_labels_of_no_model_are_told(labelled, tmp_path):
    path = labelled / "models" / "people.yml"
    path.write_text("models: [{name: people, config: {labels: label}}]", encoding="utf-8")
    with pytest.raises(UsageError, match=r"'labels: label', and there is no such model.*'labels'"):
        export(labelled, "people", "sav", tmp_path / "out")
    path.write_text("models: [{name: people, config: {labels: people}}]", encoding="utf-8")
    with pytest.raises(UsageError, match="'people' has labels of 'people', and no column column"):
        export(labelled, "people", "sav", tmp_path / "out")


def test_nothing_is_written_where_a_model_is_not_built(folder, tmp_path):
    with pytest.raises(StoreError, match="'never' is not built yet"):
        export(folder, ["people", "never"], "csv", tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("models", "form", "message"),
    [("peple", "csv", "did you mean 'people'"), ("people", "parket", "did you mean 'parquet'")],
)
def test_typing_errors_get_a_hint(folder, tmp_path, models, form, message):
    with pytest.raises(UsageError, match=message):
        export(folder, models, form, tmp_path / "out")


def test_to_s3(folder, monkeypatch):
    boto3 = pytest.importorskip("boto3")
    server = pytest.importorskip("moto.server").ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "a")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "b")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    server.start()
    try:
        host, port = server.get_host_and_port()
        url = f"http://{host}:{port}"
        client = boto3.client("s3", endpoint_url=url)
        client.create_bucket(Bucket="results")
        (written,) = export(folder, "people", "jsonl", "s3://results/w1", endpoint_url=url)
        assert written.address == "s3://results/w1/people.jsonl"
        body = client.get_object(Bucket="results", Key="w1/people.jsonl")["Body"].read()
        assert len(body.splitlines()) == 2
        with pytest.raises(StoreError, match=r"s3://nowhere/people\.csv"):
            export(folder, "people", "csv", "s3://nowhere", endpoint_url=url)
    finally:
        server.stop()
