"""A file of codes with the codebook that came with it, named or beside it."""

from __future__ import annotations

from pathlib import Path

import openpyxl
import pytest

from lupom.science.surveys import files, guesses

CODEBOOK = (
    "q1\tDo you vote? 1=Yes, 2=No, 9=Refused\nq2\tHow keen? 1=Not at all, 3=Neutral, 5=Very\n"
)
# Five hundred people, of whom two have a 0 in q2.
ROWS = "id,q1,q2,age\n" + "".join(
    f"{i},{(1, 2, 9)[i % 3]},{0 if i in (7, 8) else 1 + i % 5},{20 + i % 40}\n" for i in range(500)
)


@pytest.fixture
def survey(tmp_path):
    """Return a function that writes files and reads data.csv among them."""

    def read(name: str = "data.csv", *, codebook: str | None = None, beside=True, **texts: str):
        for key, text in {"data.csv": ROWS, **texts}.items():
            (tmp_path / key).write_text(text, encoding="utf-8")
        given = None if codebook is None else tmp_path / codebook
        file = files.read(tmp_path / name, codebook=given, beside=beside)
        return file, guesses.guess(file, "x")

    return read


def test_a_codebook_gives_wordings_options_order_and_missing_codes(survey):
    file, book = survey(codebook="codes.txt", **{"codes.txt": CODEBOOK})
    q1, q2 = book.questions
    assert (q1.question, q1.options, q1.refused) == ("Do you vote?", {"1": "Yes", "2": "No"}, ["9"])
    assert q2.options == {"1": "Not at all", "2": "2", "3": "Neutral", "4": "4", "5": "Very"}
    assert (q2.kind, q2.positions, q2.not_asked) == ("ordinal", [1, 2, 3, 4, 5], ["0"])
    assert any("describes 2 of 4 columns, not id, age" in note for note in file.notes)
    assert any(note.startswith("0 is none of the codes") for note in file.notes)


def test_one_that_stands_beside_the_data_is_found_and_said(survey):
    file, book = survey(**{"codebook.txt": CODEBOOK})
    assert book.questions[0].question == "Do you vote?"
    assert file.notes[0].startswith("read with codebook.txt")
    file, book = survey(beside=False)
    assert (book.questions[0].question, file.notes) == ("q1", [])


def test_another_files_codebook_beside_it_is_let_alone(survey):
    file, _ = survey(**{"codebook.txt": "q1\tDo you vote?\nx1\tOther\nx2\tOther\n"})
    assert file.notes == []


def test_a_codebook_that_cannot_be_read_is_noted_beside_it_and_an_error_when_named(survey):
    broken = {"data.sps": "VARIABLE LABELS q1 'Do you vote?\n"}
    file, _ = survey(**broken)
    assert file.notes[0].startswith("data.sps beside it is not read as its codebook: data.sps:1: ")
    with pytest.raises(ValueError, match=r"data.sps:1: a text whose quote does not end"):
        survey(codebook="data.sps", **broken)


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("other.txt", "x1\tA\nx2\tB\n", "describes none of the columns of data.csv .*, but x1, x2"),
        ("other.csv", "name,label\nx1,A\nx2,B\n", "it describes no column of the data"),
        ("other.pdf", "", r"\.pdf is none of the codebooks that can be read"),
        ("own.yml", "survey: x\n", "a codebook of LUPoM's own"),
    ],
)
def test_a_named_codebook_of_no_use_is_an_error(survey, name, text, said):
    with pytest.raises(ValueError, match=said):
        survey(codebook=name, **{name: text})


def test_codes_other_than_the_files_are_left_alone_and_noted(survey):
    told = CODEBOOK.replace("1=Yes, 2=No, 9=Refused", "11=Yes, 12=No")
    file, book = survey(**{"codebook.txt": told})
    assert list(book.questions[0].options) == ["1", "2", "9"]
    assert any("has other codes than the file for q1" in note for note in file.notes)


def test_labels_that_repeat_their_codes_are_texts_alone(survey):
    told = "VALUE LABELS q1 1 '1: Yes' 2 '2: No' 9 '9: REFUSED'."
    _, book = survey(codebook="x.sps", **{"x.sps": told})
    assert (book.questions[0].options, book.questions[0].refused) == (
        {"1": "Yes", "2": "No"},
        ["9"],
    )


def test_texts_in_the_data_are_put_in_the_codebooks_order(survey):
    rows = "id,q1,q2\n" + "".join(f"{i},{('Yes', 'no')[i % 2]},{i % 4}\n" for i in range(40))
    _, book = survey(
        **{"data.csv": rows, "codebook.txt": CODEBOOK.replace("1=Yes, 2=No", "1=No, 2=Yes")}
    )
    assert list(book.questions[0].options.values()) == ["No", "Yes"]


REDCAP = (
    'Variable / Field Name,Field Type,Field Label,"Choices, Calculations, OR Slider Labels",'
    "Branching Logic\n"
    'sex,radio,Sex,"1, Male | 2, Female",\n'
    "tea,checkbox,Which tea?,\"1, Green | 2, Black\",[sex] = '2'\n"
)


def test_who_did_not_see_a_redcap_checkbox_did_not_leave_it_blank(survey):
    rows = "record_id,sex,tea___1,tea___2\n1,1,0,0\n2,2,1,0\n3,2,0,1\n4,1,0,0\n"
    file, book = survey(**{"data.csv": rows, "data_dictionary.csv": REDCAP})
    green = next(c for c in file.columns if c.name == "tea___1")
    assert (green.label, green.values) == ("Which tea?: Green", ["", "1", "0", ""])
    assert [q.kind for q in book.questions] == ["multiple", "multiple"]
    assert "asked of some, as data_dictionary.csv says: tea ([sex] = '2')" in file.notes


def test_a_workbooks_other_sheets_are_its_codebook(tmp_path):
    book = openpyxl.Workbook()
    sheets = {
        "Data": [["id", "q1", "q2"], *([i, 1 + i % 2, 1 + i % 3] for i in range(30))],
        "Variables": [["Name", "Label"], ["q1", "Do you vote?"], ["q2", "How keen?"]],
        "Codes": [["Variable", "Value", "Label"], ["q1", 1, "Yes"], [None, 2, "No"]],
    }
    for title, rows in sheets.items():
        sheet = book.create_sheet(title)
        for row in rows:
            sheet.append(row)
    del book["Sheet"]
    path = Path(tmp_path, "x.xlsx")
    book.save(path)
    q1 = guesses.guess(files.read(path, beside=True), "x").questions[0]
    assert (q1.question, q1.options) == ("Do you vote?", {"1": "Yes", "2": "No"})


def test_kobos_columns_are_of_a_form_by_their_last_part(tmp_path):
    book = openpyxl.Workbook()
    for title, rows in {
        "survey": [
            ["type", "name", "label"],
            ["select_one yn", "vote", "Do you vote?"],
            ["select_multiple tea", "tea", "Which tea?"],
        ],
        "choices": [
            ["list_name", "name", "label"],
            ["yn", "y", "Yes"],
            ["yn", "n", "No"],
            ["tea", "g", "Green"],
            ["tea", "b", "Black"],
        ],
    }.items():
        sheet = book.create_sheet(title)
        for row in rows:
            sheet.append(row)
    del book["Sheet"]
    book.save(tmp_path / "form.xlsx")
    (tmp_path / "data.csv").write_text(
        "g/vote,g/tea,g/tea/g,g/tea/b\ny,g b,1,1\nn,b,0,1\ny,,,\nn,g,1,0\n", encoding="utf-8"
    )
    file = files.read(tmp_path / "data.csv", codebook=tmp_path / "form.xlsx")
    made = guesses.guess(file, "x")
    assert made.ignored == {"g/tea": "made of other columns"}
    assert [q.question for q in made.questions] == [
        "Do you vote?",
        "Which tea?: Green",
        "Which tea?: Black",
    ]


def test_choices_in_one_cell_become_columns_of_their_own(survey):
    told = (
        "Variable / Field Name,Field Type,Field Label,Choices\n"
        'vote,yesno,Vote?,\ntea,checkbox,Which tea?,"g, Green | b, Black"\n'
    )
    rows = "id,vote,tea\n1,1,g b\n2,0,b\n3,1,\n4,0,g\n"
    file, book = survey(**{"data.csv": rows, "codebook.csv": told})
    green = next(c for c in file.columns if c.name == "tea/g")
    assert (green.label, green.values) == ("Which tea?: Green", ["1", "0", "", "1"])
    assert [q.column for q in book.questions] == ["vote", "tea/g", "tea/b"]
    assert "describes 2 of 3 columns, not id;" in file.notes[0]
    assert book.ignored == {"tea": "several choices in a cell: each is a question of its own"}


def test_a_column_is_another_than_one_that_is_called_nearly_so(survey):
    rows = "id,q1,q_1,Q2\n" + "".join(
        f"{i},{1 + i % 2},{1 + i % 3},{1 + i % 5}\n" for i in range(60)
    )
    _, book = survey(**{"data.csv": rows, "codebook.txt": CODEBOOK})
    assert [q.question for q in book.questions] == ["Do you vote?", "q_1", "How keen?"]


def test_redcaps_names_of_codes_below_0(survey):
    told = (
        "Variable / Field Name,Field Type,Field Label,Choices\n"
        'vote,yesno,Vote?,\ntea,checkbox,Which?,"9, Nine | -9, None of these | 1, One"\n'
    )
    rows = "record_id,vote,tea___9,tea____9,tea___1\n1,1,1,0,1\n2,0,0,1,0\n3,0,NA,NA,NA\n"
    file, _ = survey(**{"data.csv": rows, "codebook.csv": told})
    labels = {c.name: c.label for c in file.columns}
    assert (labels["tea___9"], labels["tea____9"]) == ("Which?: Nine", "Which?: None of these")
    assert file.columns[-1].values == ["1", "0", ""]


def test_of_several_codebooks_the_one_named_after_the_file_is_read(survey):
    other = CODEBOOK.replace("Do you vote?", "Did you vote?") + "age\tHow old?\n"
    two = {"wave1_codebook.txt": other, "wave2_codebook.txt": CODEBOOK}
    file, book = survey("wave2.csv", **{"wave2.csv": ROWS, **two})
    assert book.questions[0].question == "Do you vote?"
    assert not [n for n in file.notes if "wave1" in n]
    file, book = survey("merged.csv", **{"merged.csv": ROWS, **two})
    assert book.questions[0].question == "Did you vote?"
    assert any(n.startswith("wave2_codebook.txt may be its codebook, too") for n in file.notes)
