"""What is noted beside a guessed codebook, and what a guess makes of weights and units."""

from __future__ import annotations

import random

import pytest

from lupom.science.surveys import cells, guesses, tables
from lupom.science.surveys.choices import SEVERAL
from lupom.science.surveys.columns import Column, File
from lupom.science.surveys.doubts import doubts


def guessed(**columns: list[str]):
    file = File("x.csv", [Column(name, values) for name, values in columns.items()])
    book = guesses.guess(file, "x")
    return book, doubts(file, book)


SCALE = ["1", "2", "3", "4", "5"] * 19
COLOURS = ["red", "blue", "green", "blue"] * 5


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ([*SCALE, *["8", "9"] * 2], "q: 8 and 9 among 1 to 5 without a label (4% of answers)"),
        ([*SCALE, "98", "99"], "q: 98 and 99 among 1 to 5 without a label (2% of answers)"),
        ([*["1", "2", "3", "4", "5", "6", "7"] * 9, "9"], "q: 9 among 1 to 7 without a label"),
        # A scale that goes on, or half of the answers, is no code for no answer.
        ([*SCALE, "6", "7", "8", "9"], None),
        ([str(i) for i in range(11)] * 5, None),
        (["1", "2", "3", "9", "9", "9"] * 5, None),
        (["1", "9"] * 5, None),
    ],
)
def test_unlabelled_codes_beyond_a_gap_are_said(values, said):
    book, notes = guessed(q=values)
    assert [note[: len(said or "")] for note in notes] == ([said] if said else [])
    assert set(book.questions[0].options) == set(values)


def test_questions_with_the_same_codes_are_one_note():
    given = {f"q{i}": [*SCALE, *["9"] * i] for i in range(1, 6)}
    (note,) = guessed(**{q: random.Random(q).sample(v, len(v)) for q, v in given.items()})[1]
    assert note.startswith("q1, q2, q3 and 2 more: 9 among 1 to 5 without a label (1% to 5%")


def test_a_label_beside_other_bare_numbers_makes_a_code_known():
    file = File("x.csv", [Column("q", [*SCALE, "9"], labels={"9": "Something else"})])
    assert doubts(file, guesses.guess(file, "x")) == []


def test_of_two_labelled_options_a_third_without_a_label_is_said():
    file = File("x.csv", [Column("q", ["1", "2"] * 20 + ["9"], labels={"1": "Yes", "2": "No"})])
    (note,) = doubts(file, guesses.guess(file, "x"))
    assert note.startswith("q: 9 among 1 to 2 without a label (2% of answers)")


KILOS = ["61.5", "72", "80.2", "55", "93", "68.5", "77", "70", "101", "64"]


@pytest.mark.parametrize("values", [KILOS, [str(round(2.2 * float(v))) for v in KILOS]])
def test_what_people_weigh_is_a_question_and_said(values):
    book, notes = guessed(weight=values * 2, q=COLOURS)
    assert (book.weight, [q.column for q in book.questions]) == (None, ["weight", "q"])
    assert [note[:38] for note in notes] == ["weight is taken for what people weigh ("[:38]]


@pytest.mark.parametrize(
    ("name", "values", "said"),
    [
        ("weight", ["0.4", "1", "1.6", "0.8", "1.2"] * 4, False),
        ("weight", ["52.4", "310.7", "87.1", "120", "433.9"] * 4, True),  # people each stands for
        ("pweight", KILOS * 2, True),
        ("weight", ["75"] * 20, True),
    ],
)
def test_survey_weights_stay_weights_and_those_far_from_1_are_said(name, values, said):
    book, notes = guessed(**{name: values, "q": COLOURS})
    assert book.weight == name
    assert [f"{name} is taken for survey weights" in note for note in notes] == [True] * said


def test_numbers_without_a_name_that_are_as_weights_are_said():
    draw = random.Random(1)
    values = [f"{draw.gammavariate(4, 0.25):.4f}" for _ in range(500)]
    _, (note,) = guessed(V200010a=values, q=SCALE * 5 + SCALE[:25])
    assert note.startswith("V200010a has numbers with a mean of 1 (")
    hours = [f"{draw.gammavariate(4, 2):.1f}" for _ in range(500)]
    assert guessed(V12=hours, q=SCALE * 5 + SCALE[:25])[1] == []


def test_weights_below_0_are_none_and_said():
    book, notes = guessed(wt=["1.1", "0.9", "-1", "1"] * 5, q=COLOURS)
    assert book.weight is None
    assert [note[:56] for note in notes] == [
        "wt has the name of survey weights and values below 0 (-1"
    ]


@pytest.mark.parametrize(
    "form", ["${}", "{} €", "{}%", "{},000", "{} hours", "EUR {}", "{}.5 kg", "£{},250.75"]
)
def test_numbers_with_units_are_called_so(form):
    values = [form.format(n) for n in range(10, 60)]
    book, _ = guessed(spent=values, q=["yes", "no"] * 25)
    assert book.ignored["spent"] == (
        f"numbers with signs beside them, such as '{values[0]}'; plain ones would be read"
    )


@pytest.mark.parametrize(
    "form", ["room {} left", "{} of 60", "{} hours or {}", "a{}b", "P{}", "ABC{}"]
)
def test_texts_with_numbers_are_texts(form):
    book, _ = guessed(said=[form.replace("{}", str(n)) for n in range(10, 60)], q=["a", "b"] * 25)
    assert book.ignored["said"].startswith("free text")


@pytest.mark.parametrize("sign", [";", ", ", "|", " "])
def test_several_codes_in_a_cell_are_called_so(tmp_path, sign):
    sets = [["1", "3", "5"], ["1", "3"], ["2"], ["5", "2"], ["1"], ["3"], ["5"]] * 4
    rows = "".join(f'{i},"{sign.join(codes)}",{i % 2}\n' for i, codes in enumerate(sets))
    (tmp_path / "s.csv").write_text(f"id,likes,q\n{rows}", encoding="utf-8")
    from lupom.science.surveys.files import read

    book = guesses.guess(read(tmp_path / "s.csv"), "s")
    assert book.ignored == {"likes": SEVERAL}


def test_signs_without_width_are_no_part_of_names_and_options(tmp_path):
    (tmp_path / "s.csv").write_text(
        "\ufeffid,q\u200b1\n1,Yes\u200b\n2,\ufeffYes\n3,No\u00a0\n4,Not\u00a0sure\n5,4\u200b\n",
        encoding="utf-8",
    )
    column = tables.read(tmp_path / "s.csv").columns[1]
    assert (column.name, column.values) == ("q1", ["Yes", "Yes", "No", "Not sure", "4"])
    # Joiners make one sign of several, and letters of Persian words stand apart by one.
    family = "\U0001f468\u200d\U0001f469\u200d\U0001f467"
    assert cells.text(family) == family
    assert cells.text("\u0646\u0645\u06cc\u200c\u062f\u0627\u0646\u0645") != cells.text(
        "\u0646\u0645\u06cc\u062f\u0627\u0646\u0645"
    )


def test_rows_that_are_counts_of_people_are_noted():
    kinds = [(a, b) for a in ("Yes", "No") for b in ("Often", "Never")]
    columns = {
        "a": [a for a, _ in kinds],
        "b": [b for _, b in kinds],
        "Freq": ["9", "4", "11", "2"],
    }
    file = File("x.csv", [Column(name, values) for name, values in columns.items()])
    (note,) = doubts(file, guesses.guess(file, "x"))
    assert note.startswith("each row is another combination of answers, and Freq may be how many")
    shares = File("x.csv", [*file.columns[:2], Column("all_pct", ["9.5", "4", "11", "2"])])
    (note,) = doubts(shares, guesses.guess(shares, "x"))
    assert "all_pct may be what share of people gave it: this is a table of results" in note
    twice = File("x.csv", [Column(c.name, c.values * 2) for c in file.columns])
    assert doubts(twice, guesses.guess(twice, "x")) == []


def test_a_nought_that_few_gave_beside_a_scale_is_noted():
    given = {
        "E1": ["0", *"12345" * 20],
        "E2": ["0", "0", *"12345" * 20][:101],
        "E3": [*"012345" * 17][:101],
    }
    file = File("x.csv", [Column(name, values) for name, values in given.items()])
    (note,) = doubts(file, guesses.guess(file, "x"))
    assert note.startswith("E1, E2: 0 among 1 to 5 without a label, of few; if it is not an answer")


def test_an_interviewers_rows_are_no_waves():
    ids = [str(i % 20) for i in range(200)]
    people = {"id": ids, "q": ["1", "2", "3", "4"] * 50}
    told = [n for n in guessed(**people)[1] if "waves or visits" in n]
    assert len(told) == 1
    assert (
        len([n for n in guessed(**people, sex=["m"] * 100 + ["f"] * 100)[1] if "waves" in n]) == 0
    )
    own = ["mf"[int(i) % 2] for i in ids]
    assert len([n for n in guessed(**people, sex=own)[1] if "waves" in n]) == 1


def test_rows_that_are_places_are_said():
    shares = [str(i + 0.5) for i in range(40)]
    told = guessed(county=[f"County {i}" for i in range(40)], support=shares, turnout=shares[::-1])
    assert told[1][0].startswith("each row is another county, and all else are numbers")
    people = {"city": [f"City {i}" for i in range(40)], "age": shares, "trust": ["Yes", "No"] * 20}
    assert not [n for n in guessed(**people)[1] if "a place" in n]
