"""Headers as programs and people write them: titles, two lines, other delimiters."""

from __future__ import annotations

import openpyxl
import pytest

from lupom.science.surveys import files, guesses, layout

PEOPLE = [(str(i), "Yes" if i % 3 else "No", "Often" if i % 2 else "Never") for i in range(1, 13)]


def read(path, text, encoding="utf-8"):
    path.write_bytes(text.encode(encoding))
    return files.read(path)


def lines(rows, delimiter=","):
    return "".join(delimiter.join(row) + "\n" for row in rows)


def asked(file):
    book = guesses.guess(file, "x")
    return book.id, {q.column: q.question for q in book.questions}, file.rows


PLAIN = lines([("id", "a", "b"), *PEOPLE])


@pytest.mark.parametrize(
    "text",
    [
        PLAIN,
        "\n\n" + PLAIN,
        "Staff survey 2026,,\n,,\n" + PLAIN,
        "sep=;\n" + PLAIN.replace(",", ";"),
        "sep=,\r\n" + PLAIN.replace("\n", "\r\n"),
        PLAIN.replace(",", "|"),
        PLAIN.replace(",", "\t"),
    ],
)
def test_the_header_is_found(tmp_path, text):
    assert asked(read(tmp_path / "x.csv", text)) == ("id", {"a": "a", "b": "b"}, 12)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-8-sig"])
def test_the_encoding_is_found(tmp_path, encoding):
    assert asked(read(tmp_path / "x.csv", PLAIN, encoding)) == ("id", {"a": "a", "b": "b"}, 12)


@pytest.mark.parametrize("delimiter", [";", "\t", "|"])
def test_commas_of_questions_part_no_cells(tmp_path, delimiter):
    names = ("id", "Do you cook, bake, fry or boil?", "And how often, if so, do you?")
    file = read(tmp_path / "x.csv", lines([names, *PEOPLE], delimiter))
    assert asked(file) == ("id", {name: name for name in names[1:]}, 12)


def test_a_line_is_counted_with_what_stands_above(tmp_path):
    with pytest.raises(ValueError, match=r"x\.csv:4: 2 cells where the header has 3$"):
        read(tmp_path / "x.csv", "sep=,\nid,a,b\n1,2,3\n1,2\n")
    with pytest.raises(ValueError, match=r"x\.csv:2: 3 cells .* has 1; delete a title above the"):
        read(tmp_path / "x.csv", "Staff survey\nid,a,b\n1,2,3\n")


def test_a_second_line_of_wordings_is_no_respondent(tmp_path):
    wordings = ("Person", "Do you cook?", "How often?")
    file = read(tmp_path / "x.csv", lines([("id", "a", "b"), wordings, *PEOPLE]))
    assert asked(file) == ("id", {"a": "Do you cook?", "b": "How often?"}, 12)
    assert "the questions' wording" in file.notes[0]


@pytest.mark.parametrize("first", [("0", "Once", "Daily"), ("x", "No", "Daily"), ("x", "", "z")])
def test_a_respondent_of_rare_answers_is_one(tmp_path, first):
    assert read(tmp_path / "x.csv", lines([("id", "a", "b"), first, *PEOPLE])).rows == 13


def test_columns_without_a_name_are_columns(tmp_path):
    file = read(tmp_path / "x.csv", lines([("id", "a", ""), *PEOPLE]))
    assert asked(file) == ("id", {"a": "a", "column_3": "column_3"}, 12)


def test_surveymonkeys_two_lines(tmp_path):
    rows = [
        ("Respondent ID", "Which drinks?", "", "How old are you?"),
        ("", "Tea", "Coffee", "Response"),
        *(
            (str(11400000000 + i), "Tea" * (i % 2), "Coffee" * (i % 3 > 0), "12-19")
            for i in range(11)
        ),
        ("11400000099", "Tea", "", "20 or older"),
    ]
    file = read(tmp_path / "x.csv", lines(rows))
    made = layout.build(file, guesses.guess(file, "x"))
    assert [row[:2] for row in made.info[1:]] == [
        ["which_drinks_1", "Which drinks? Tea"],
        ["which_drinks_2", "Which drinks? Coffee"],
    ]
    assert made.metadata[1][0] == "age"
    assert made.responses[2] == ["11400000001", "Selected", "Selected", "12-19"]
    assert made.responses[4] == ["11400000003", "Selected", "Not selected", "12-19"]
    assert len(made.responses) == 13


def workbook(path, sheets):
    book = openpyxl.Workbook()
    book.remove(book.active)
    for title, rows in sheets.items():
        sheet = book.create_sheet(title)
        for row in rows:
            sheet.append(row)
    book.save(path)
    return path


def test_merged_cells_name_the_columns_below(tmp_path):
    rows = [("", "Habits", ""), ("id", "cooks", "how often"), *PEOPLE]
    file = files.read(workbook(tmp_path / "x.xlsx", {"Data": rows}))
    assert asked(file) == ("id", {"Habits_1": "Habits cooks", "Habits_2": "Habits how often"}, 12)


def test_sheets_that_are_not_read_are_named(tmp_path):
    data = [("id", "a", "b"), *PEOPLE]
    file = files.read(workbook(tmp_path / "x.xlsx", {"Data": data, "Codes": [("a", "b")]}))
    assert file.notes == ["the first sheet is 'Data'; not read: 'Codes'"]
    path = workbook(tmp_path / "y.xlsx", {"Read me": [("Answers are below",)], "Data": data})
    with pytest.raises(ValueError, match="'Read me'; not read: 'Data'; put the sheet of answers"):
        files.read(path)


def test_a_title_page_before_the_answers_is_passed_over(tmp_path):
    data = [("id", "a", "b"), *[(str(i), "Yes", "No") for i in range(60)]]
    sheets = {
        "Read me": [("Survey of 2024",), ("Contact: x",)],
        "Data": data,
        "Codes": [("a", "b")],
    }
    file = files.read(workbook(tmp_path / "x.xlsx", sheets))
    assert [c.name for c in file.columns] == ["id", "a", "b"]
    assert file.notes == ["the sheet of answers is 'Data'; not read: 'Read me', 'Codes'"]


@pytest.mark.parametrize(
    ("start", "what"),
    [(b"PK\x03\x04", "Excel"), (b"$FL2@(#)", r"\.sav"), (b"\xd0\xcf\x11\xe0", r"\.xls\b")],
)
def test_a_csv_by_name_only_is_called_what_it_is(tmp_path, start, what):
    (tmp_path / "x.csv").write_bytes(start + b"\0\1\2")
    with pytest.raises(ValueError, match=rf"x\.csv: an .*{what}"):
        files.read(tmp_path / "x.csv")


def test_columns_that_are_called_alike_are_told_apart(tmp_path):
    file = read(tmp_path / "x.csv", lines([("id", "Why?", "why?"), *PEOPLE]))
    assert asked(file) == ("id", {"Why?": "Why?", "why? (2)": "why? (2)"}, 12)
    assert file.notes == ["columns are called alike, and the later ones numbered: 'why? (2)'"]


@pytest.mark.parametrize(
    ("last", "rows"),
    [
        (("Total", "12", ""), 12),
        (("Mean", "2.5", "38%"), 12),
        (("", "Gesamt", "12"), 12),
        (("Total", "Yes", "Often"), 13),
        (("13", "Total", "Often"), 13),
        (("", "Yes", "12"), 13),
    ],
)
def test_a_total_below_the_last_person_is_none(tmp_path, last, rows):
    file = read(tmp_path / "x.csv", lines([("id", "a", "b"), *PEOPLE, last]))
    assert file.rows == len(file.lines) == rows
    assert [note for note in file.notes if "no person" in note] == (
        [] if rows == 13 else [f"'{last[0] or last[1]}' below the last row is taken for no person,"
                               " and left out"]
    )  # fmt: skip


def test_quotes_of_another_program_are_no_part_of_a_name(tmp_path):
    file = read(tmp_path / "x.csv", lines([("'id'", "'a'", "`b`"), *PEOPLE]))
    assert asked(file) == ("id", {"a": "a", "b": "b"}, 12)


def test_typeforms_two_lines(tmp_path):
    often = (("Often", "Never"), ("Never", "Often"))
    rows = [
        ("", "Which drinks?", "", "", "How often?", "", "", ""),
        ("#", "Tea", "Milk", "Other", "Of tea", "Of milk", "Where do you live?", "Network ID"),
        *(
            (f"x{i}", "Tea" * (i % 2), "Milk" * (i % 3 > 0), "", *often[i % 2], "Oslo", f"n{i}")
            for i in range(7)
        ),
    ]
    file = read(tmp_path / "x.csv", lines(rows))
    assert [(c.name, c.label) for c in file.columns[3:]] == [
        ("Which drinks?_3", "Which drinks? Other"),
        ("How often?_1", "How often? Of tea"),
        ("How often?_2", "How often? Of milk"),
        ("Where do you live?", "Where do you live?"),
        ("Network ID", "Network ID"),
    ]
    assert file.rows == 7
