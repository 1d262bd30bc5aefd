"""Columns with several choices in a cell, a yes/no question for each; and rows of grids."""

from __future__ import annotations

import random

import pytest

from lupom.science.surveys import codebook, files, guesses, layout, newcomers
from lupom.science.surveys.choices import derive, gather, listed
from lupom.science.surveys.columns import Column, File

DRINKS = ["Tea, Milk (cow, goat)", "Milk (cow, goat), Cocoa", "Tea", "", "Cocoa, Tea", "Water, Tea"]


def form(tmp_path, cells=DRINKS, name="form.csv"):
    rows = [f'{i},"{cell}",{"Yes" if i % 2 else "No"}' for i, cell in enumerate(cells * 2)]
    path = tmp_path / name
    path.write_text("\n".join(["id,Which drinks?,q", *rows]) + "\n")
    return path


def test_each_choice_becomes_a_question(tmp_path):
    file = files.read(form(tmp_path))
    book = guesses.guess(file, "x")
    assert [(q.key, q.question, q.kind) for q in book.questions[:4]] == [
        ("which_drinks_tea", "Which drinks? Tea", "multiple"),
        ("which_drinks_milk_cow_goat", "Which drinks? Milk (cow, goat)", "multiple"),
        ("which_drinks_cocoa", "Which drinks? Cocoa", "multiple"),
        ("which_drinks_water", "Which drinks? Water", "multiple"),
    ]
    assert book.ignored == {
        "Which drinks?": "several choices in a cell: each is a question of its own"
    }
    (note,) = file.notes
    assert note.startswith("Which drinks? has several choices in a cell: read as 4 questions")
    rows = layout.build(file, book).responses
    assert [row[1:4] for row in rows[1:5]] == [
        ["Selected", "Selected", "Not selected"],
        ["Not selected", "Selected", "Selected"],
        ["Selected", "Not selected", "Not selected"],
        ["", "", ""],  # who left all out may not have been asked
    ]


@pytest.mark.parametrize(
    ("cells", "choices", "others"),
    [
        (["a;b", "b;c;", "a", "c;b", "c"], ["b", "c", "a"], 0),
        (["a|b, c", "b, c|d", "a", "a|d"], ["a", "b, c", "d"], 0),
        (["a, b, c", "b, c, a", "c, a", "b, my own"] * 3, ["b", "c", "a", "my own"], 0),
        ([*["a, b, c", "b, c, a", "c, a", "a, b"] * 9, "b, a, my own"], ["a", "b", "c"], 1),
        (["TEA, milk", "Milk, tea", "Tea", "milk", "tea"], ["tea", "milk"], 0),
        (["1;3", "3;5", "1", "5"], [], 0),
    ],
)
def test_choices_are_what_cells_share(cells, choices, others):
    found = listed(cells * 2 if others == 0 else cells)
    assert found is not None
    assert (sorted(map(str.casefold, found[0])), found[1]) == (sorted(choices), others)


def test_who_refused_as_a_whole_left_no_choice_out(tmp_path):
    file = files.read(form(tmp_path, [*DRINKS, "Prefer not to say"]))
    (tea, *_) = guesses.guess(file, "x").questions
    assert tea.refused == ["Prefer not to say"]


def test_another_file_is_read_by_the_choices_of_the_first(tmp_path):
    book = guesses.guess(files.read(form(tmp_path)), "x")
    # One row, which alone tells nothing of its commas.
    later = File("y.csv", [Column("id", ["7"]), Column("Which drinks?", ["Cocoa, Beer"]),
                           Column("q", ["No"])])  # fmt: skip
    derive(later, book.columns)
    assert layout.build(later, book).responses[1:] == [
        ["7", "Not selected", "Not selected", "Selected", "Not selected", "No"]
    ]
    again = codebook.load(codebook.dump(book), "c.yml")
    assert again == book
    options = {q.key: list(q.options.values()) for q in book.questions}
    known = newcomers.known(options, {}, book=book)
    person = File("z.csv", [Column("id", ["8"]), Column("Which drinks?", ["Tea, Cocoa"])])
    answers = newcomers.read(person, known).answers[0]
    assert [options[k][a] if a >= 0 else None for k, a in zip(options, answers, strict=True)] == [
        "Selected", "Not selected", "Selected", "Not selected", None,
    ]  # fmt: skip


def test_a_codebook_that_leaves_the_column_out_is_kept(tmp_path):
    file = files.read(form(tmp_path))
    text = "id: id\nquestions: [{column: q, options: [Yes, No]}]\nignored: {'Which drinks?': mine}"
    book = codebook.load(text, "c.yml")
    assert guesses.extend(book, file) == []
    # A choice that is new in a file is added to those that are there.
    book = guesses.guess(file, "x")
    later = files.read(form(tmp_path, [*DRINKS, "Mead, Tea"], "later.csv"))
    assert guesses.extend(book, later) == ["Which drinks? [Mead]"]


def test_labels_in_columns_of_their_own_are_labels():
    columns = {
        "sex": ["2", "1", "1", "NA"],
        "eats___1": ["0", "1", "1", "0"],
        "eats___2": ["1", "0", "1", "0"],
        "sex.factor": ["Male", "Female", "Female", "NA"],
        "eats___1.factor": ["Unchecked", "Checked", "Checked", "Unchecked"],
        "eats___2.factor": ["Checked", "Unchecked", "Checked", "Unchecked"],
        "x": ["1", "2", "1", "1"],
        "x.factor": ["a", "b", "c", "a"],
    }
    file = gather(File("x.csv", [Column(name, values) for name, values in columns.items()]))
    book = guesses.guess(file, "x")
    assert book.attributes[0].options == {"1": "Female", "2": "Male"}
    assert [(q.column, q.kind) for q in book.questions[:2]] == [
        ("eats___1", "multiple"),
        ("eats___2", "multiple"),
    ]
    assert book.ignored["sex.factor"] == "the labels of sex"
    assert "x.factor" not in book.ignored  # 1 is two things there


def test_rows_of_a_grid_have_the_options_of_all():
    columns = {
        "Do you? [eat]": ["Never", "Often", "Often", ""],
        "Do you? [drink]": ["Sometimes", "Never", "Sometimes", "Refused"],
        "Do you? [sleep]": ["Often", "Sometimes", "Often", "Sometimes"],
        "Do you? [Other]": ["", "I dance", "I sing", ""],
        "n_1": ["1", "2", "5", "4"],
        "n_2": ["5", "5", "5", "4"],
    }
    file = gather(File("x.csv", [Column(name, values) for name, values in columns.items()]))
    asked = {q.column: q for q in guesses.guess(file, "x").questions}
    for name in ("eat", "drink", "sleep"):
        question = asked[f"Do you? [{name}]"]
        assert list(question.options) == ["Never", "Sometimes", "Often"]
        assert (question.kind, question.positions) == ("ordinal", [1, 2, 3])
    assert asked["Do you? [drink]"].refused == ["Refused"]
    assert list(asked["Do you? [Other]"].options) == ["I dance", "I sing"]
    assert [list(asked[name].options) for name in ("n_1", "n_2")] == [["1", "2", "4", "5"]] * 2


def test_items_of_a_test_have_the_steps_of_its_scale():
    given = {"E1": "12345", "E2": "1245", "E3": "345", "E4": "1234512", "E5": "1232", "E6": "12339"}
    columns = [
        Column(name, random.Random(name).sample((values * 20)[:60], 60))
        for name, values in given.items()
    ]
    asked = {q.column: q for q in guesses.guess(gather(File("x.csv", columns)), "x").questions}
    for name in ("E1", "E2", "E3", "E4"):
        assert list(asked[name].options) == [*"12345"]
    # A list of three choices, and one of four, are no steps of it.
    assert [list(asked[name].options) for name in ("E5", "E6")] == [[*"123"], [*"1239"]]


def columns(**values: list[str]) -> File:
    return gather(File("x.csv", [Column(n.replace("__", ":"), v) for n, v in values.items()]))


def groups(file: File) -> dict[str, str]:
    return {c.name: c.group for c in file.columns if c.group}


def test_a_choice_may_stand_before_its_question():
    file = columns(**{"Tea__Which?": ["Tea", "", ""], "Milk__Which?": ["", "Milk", ""]})
    assert groups(file) == {"Tea:Which?": "Which?", "Milk:Which?": "Which?"}
    assert [c.label for c in file.columns] == ["Which?: Tea", "Which?: Milk"]
    assert file.columns[0].values == ["1", "0", ""]


def test_choices_may_be_columns_that_hold_their_own_names():
    file = columns(q=["1", "2", "1"], Tea=["Tea", "", ""], Milk=["", "Milk", ""])
    assert groups(file) == {"Tea": "Tea / Milk", "Milk": "Tea / Milk"}
    assert groups(columns(Tea=["Tea", "", ""], q=["1", "2", "1"])) == {}


def test_choices_may_hold_a_number_of_their_own_each():
    file = columns(**{"role.dev": ["2", "", ""], "role.fin": ["", "4", ""], "age": ["1", "2", "3"]})
    assert groups(file) == {"role.dev": "role", "role.fin": "role"}
    # Everybody's one answer to rows of a scale is none.
    assert groups(columns(**{"trust.a": ["5", "", "5"], "trust.b": ["", "5", "5"]})) == {}


def test_a_text_for_nothing_is_nothing_among_ticks():
    file = columns(**{"need/food": ["1", "0", "NULL"], "need/cash": ["0", "1", "NULL"]})
    assert groups(file) == {"need/food": "need", "need/cash": "need"}
    assert file.columns[0].values == ["1", "0", ""]


def test_few_cells_with_semicolons_are_choices_where_other_columns_list_them():
    wanted = ["Go;Rust", "Go;SQL", "Rust;SQL", "SQL", "Go", "Rust;Go"]
    file = columns(want=wanted, have=["Go;C", "", "", "Java", "", "C"])
    have = [c.name for c in file.columns if c.group == "have"]
    assert sorted(have) == ["have [C]", "have [Go]", "have [Java]"]
    alone = columns(have=["Go;C", "", "", "Java", "", "C"], q=["1", "2"] * 3)
    assert groups(alone) == {}
    told = columns(want=wanted, why=["Too slow; too dear", "", "", "It broke; sadly", "", "no"])
    assert {c.group for c in told.columns} == {"", "want"}
