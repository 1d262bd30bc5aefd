"""CSV, Excel and Parquet files; hostile ones are refused with the place that is at fault."""

from __future__ import annotations

import datetime
import zipfile

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lupom.science.surveys import files, guesses, layout

HEADER = ["id", "age", "trust", "joined"]
ROWS = [
    ["a", 20, "Agree", datetime.date(2020, 1, 2)],
    ["b", 64, "Disagree", datetime.date(2021, 1, 2)],
    ["c", 40, None, datetime.date(2022, 1, 2)],
]
CSV = "id,age,trust,joined\na,20,Agree,2020-01-02\nb,64,Disagree,2021-01-02\nc,40,,2022-01-02\n"


def write(path):
    if path.suffix == ".xlsx":
        book = openpyxl.Workbook()
        for row in [HEADER, *ROWS]:
            book.active.append(row)
        book.save(path)
    elif path.suffix == ".parquet":
        columns = zip(*ROWS, strict=True)
        pq.write_table(pa.table([pa.array(list(c)) for c in columns], names=HEADER), path)
    elif path.suffix == ".tsv":
        path.write_text(CSV.replace(",", "\t"), encoding="utf-16")
    elif path.stem == "semicolons":
        path.write_bytes(CSV.replace(",", ";").replace("\n", "\r\n").encode("utf-8-sig"))
    else:
        path.write_text(CSV)
    return path


@pytest.mark.parametrize("name", ["x.csv", "semicolons.csv", "x.tsv", "x.xlsx", "x.parquet"])
def test_each_format_gives_the_same_tables(tmp_path, name):
    file = files.read(write(tmp_path / name))
    book = guesses.guess(file, "x")
    assert layout.build(file, book).responses == [
        ["index", "trust", "age"],
        ["a", "Agree", "20"],
        ["b", "Disagree", "64"],
        ["c", "", "40"],
    ]
    assert list(book.ignored) == ["joined"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", r"x\.csv: the file is empty"),
        (b"id,q\n", r"x\.csv: there are columns but no rows"),
        (b"id,q\n1,2\n3\n", r"x\.csv:3: 1 cells where the header has 2"),
        (b"id,q\n1,2\n3,caf\xe9\n", r"x\.csv:3: the byte 0xe9 is not utf-8.*--encoding"),
        (b"id,q\n1,\0\n", r"x\.csv:2: a null character"),
        (b'id,q\n1,"' + b"a" * 2_000_000, r"x\.csv:2: a cell of more than 1,000,000 characters"),
        (b'id,q\n1,"a" b\n', r"x\.csv:2: "),
        (b",".join([b"q"] * 1_000_000) + b"\n", r"x\.csv: 1,000,000 columns, more than the 20,000"),
    ],
    ids=["empty", "no rows", "torn", "encodings", "null", "bomb", "quote", "columns"],
)
def test_a_hostile_csv_is_refused_with_its_place(tmp_path, content, message):
    (tmp_path / "x.csv").write_bytes(content)
    with pytest.raises(ValueError, match=message):
        files.read(tmp_path / "x.csv")


def test_emptied_rows_below_the_last_are_none(tmp_path):
    (tmp_path / "x.csv").write_text("id,q\n1,Yes\n,\n2,No\n,\n , \n")
    file = files.read(tmp_path / "x.csv")
    assert file.columns[0].values == ["1", "", "2"]
    assert file.lines == [2, 3, 4]


def test_another_encoding_can_be_given(tmp_path):
    (tmp_path / "x.csv").write_bytes("id,q\n1,caf\u00e9\n2,th\u00e9\n".encode("cp1252"))
    assert files.read(tmp_path / "x.csv", encoding="cp1252").columns[1].values[0] == "caf\u00e9"
    with pytest.raises(ValueError, match=r"--encoding cp1252, which it looks like \(café, thé\)"):
        files.read(tmp_path / "x.csv")
    with pytest.raises(ValueError, match="there is no encoding 'cp125'"):
        files.read(tmp_path / "x.csv", encoding="cp125")


@pytest.mark.parametrize("name", ["x.xlsx", "x.parquet"])
def test_a_file_that_only_has_the_name_is_refused(tmp_path, name):
    (tmp_path / name).write_text("id,q\n1,2\n")
    with pytest.raises(ValueError, match=rf"{name}: not an? \w+ file, or a damaged one"):
        files.read(tmp_path / name)


def test_a_format_that_is_not_read_is_named(tmp_path):
    (tmp_path / "x.xls").write_text("x")
    with pytest.raises(ValueError, match=r"x\.xls: \.xls is none of .*did you mean \.xlsx"):
        files.read(tmp_path / "x.xls")


def test_columns_of_one_value_or_nothing_are_choices_of_several(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text("id,use_1,use_2,q\na,Bus,Train,1\nb,,Train,2\nc,Bus,,1\nd,,,2\n")
    file = files.read(path)
    assert "use_1 to use_2 hold one value or nothing: read as choices" in file.notes[0]
    book = guesses.guess(file, "x")
    assert [(q.question, q.kind) for q in book.questions[:2]] == [
        ("use: Bus", "multiple"),
        ("use: Train", "multiple"),
    ]
    assert [row[1:3] for row in layout.build(file, book).responses[1:]] == [
        ["Selected", "Selected"],
        ["Not selected", "Selected"],
        ["Selected", "Not selected"],
        ["", ""],
    ]


def test_rows_of_a_matrix_answered_alike_are_no_choices(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text("id,a_1,a_2,q\n1,Agree,Agree,x\n2,,,y\n3,Agree,,x\n")
    file = files.read(path)
    assert file.notes == []
    assert file.columns[1].values == ["Agree", "", "Agree"]


def test_columns_of_zeros_and_ones_are_choices_that_several_can_be(tmp_path):
    text = "id,use_1,use_2,sick\n1,1,0,1\n2,0,0,0\n3,,,1\n4,1,1,0\n"
    (tmp_path / "x.csv").write_text(text)
    file = files.read(tmp_path / "x.csv")
    assert "use_1 to use_2 hold 0 and 1: read as choices of a question" in file.notes[0]
    book = guesses.guess(file, "x")
    assert [(q.key, q.kind) for q in book.questions] == [
        ("use_1", "multiple"), ("use_2", "multiple"), ("sick", "ordinal"),
    ]  # fmt: skip
    rows = layout.build(file, book).responses
    # Blank beside nothing is not asked: the file says itself what was not selected.
    assert [row[1:3] for row in rows[1:]] == [
        ["Selected", "Not selected"], ["Not selected", "Not selected"], ["", ""],
        ["Selected", "Selected"],
    ]  # fmt: skip


def test_decimal_commas_are_points(tmp_path):
    text = "id;weight;mood;price;picked\n1;0,85;1;1,234;1,3\n2;1,15;2;2,500;2\n3;1;1;1;1,2\n"
    (tmp_path / "x.csv").write_text(text)
    file = files.read(tmp_path / "x.csv")
    values = {c.name: c.values for c in file.columns}
    assert values["weight"] == ["0.85", "1.15", "1"]
    # A thousand, or two choices in a cell, for all one can tell.
    assert (values["price"], values["picked"]) == (["1,234", "2,500", "1"], ["1,3", "2", "1,2"])
    assert file.notes == ["decimal commas are read as points: weight"]
    assert guesses.guess(file, "x").weight == "weight"


def test_a_blank_line_below_the_header_is_none_of_a_person(tmp_path):
    """SurveyMonkey's condensed export has one where no question has rows."""
    (tmp_path / "x.csv").write_text("id,q\n,\n1,Yes\n2,No\n")
    file = files.read(tmp_path / "x.csv")
    assert (file.columns[0].values, file.lines) == (["1", "2"], [3, 4])


def test_a_workbook_that_is_spoilt_within_is_an_error_with_its_name(tmp_path):
    book = openpyxl.Workbook()
    for i in range(300):
        book.active.append([i, f"answer {i * 7919 % 1009}"])
    path = tmp_path / "x.xlsx"
    book.save(path)
    whole = path.read_bytes()
    with zipfile.ZipFile(path) as file:
        part = file.getinfo("xl/worksheets/sheet1.xml")
        at = part.header_offset + 30 + len(part.filename) + part.compress_size // 2
    path.write_bytes(whole[:at] + b"\xff" * 40 + whole[at + 40 :])
    with pytest.raises(ValueError, match=r"x\.xlsx: a damaged Excel file"):
        files.read(path)
