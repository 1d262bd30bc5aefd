"""Codes among numbers, list numbers before options, and what stands for nothing."""

from __future__ import annotations

import pandas as pd
import pyreadstat
import pytest

from lupom.science.surveys import (
    codebook,
    files,
    guesses,
    layout,
    missing_codes,
    opinionqa,
    scales,
)
from lupom.science.surveys.columns import Column, File


def imported(path, frame, **labels):
    """Write a .sav, guess its codebook, and return its tables by question, and its book."""
    pyreadstat.write_sav(frame, path, **labels)
    file = files.read(path)
    book = guesses.guess(file, "x")
    return tables(file, book), book


def tables(file, book):
    made = layout.build(file, book)
    infos = {"x": layout.arrow(made.info)}
    rows = opinionqa.responses({"x": (infos["x"], layout.arrow(made.responses))}).to_pylist()
    out: dict[str, list] = {}
    for row in rows:
        out.setdefault(row["question_id"], []).append(row["answer"] or row["status"])
    return out


# Forty people with 10 to 49 hours, and four with a code for what is not a number.
HOURS = [float(n) for n in range(10, 50)]


@pytest.mark.parametrize(
    ("labels", "codes", "statuses"),
    [
        (  # ESS
            {777: "Not applicable", 888: "Don't know", 999: "No answer", 666: "Refusal"},
            [777, 888, 999, 666],
            ["not_asked", "dont_know", "refused", "refused"],
        ),
        (  # ANES
            {
                -9: "-9. Refused",
                -8: "-8. Don't know",
                -1: "-1. Inapplicable",
                998: "998. Don't know",
            },
            [-9, -8, -1, 998],
            ["refused", "dont_know", "not_asked", "dont_know"],
        ),
        (  # what says nothing known, far from the numbers, is not a number either
            {555: "It varies", -5: "Other", 96: "Not sure", 95: "Works abroad"},
            [555, -5, 96, 95],
            ["not_asked", "not_asked", "not_asked", "not_asked"],
        ),
        (  # words of nothing are an amount at 0 alone
            {97: "Never worked", 996: "No fixed hours", 98: "None of these", 888: "Don't know"},
            [97, 996, 98, 888],
            ["not_asked", "not_asked", "not_asked", "dont_know"],
        ),
    ],
)
def test_a_labelled_code_among_numbers_is_no_number(tmp_path, labels, codes, statuses):
    frame = pd.DataFrame({"ID": [float(i) for i in range(44)],
                          "HRS": [*HOURS, *map(float, codes)],
                          "Q": [1.0, 2.0] * 22})  # fmt: skip
    found, book = imported(
        tmp_path / "x.sav", frame, variable_value_labels={"HRS": labels, "Q": {1: "Yes", 2: "No"}}
    )
    assert book.questions[0].bins == [20, 30, 40]
    assert found["HRS"][40:] == statuses
    assert found["HRS"][:2] == ["Below 20", "Below 20"]
    assert found["HRS"][39] == "40 or more"


def test_a_labelled_amount_stays_one(tmp_path):
    frame = pd.DataFrame({"ID": [float(i) for i in range(44)],
                          "THERM": [*HOURS, 0.0, 50.0, 52.0, 89.0],
                          "Q": [1.0, 2.0] * 22})  # fmt: skip
    labels = {0: "None", 50: "Neutral", 52: "Very warm", 89: "89 or older"}
    found, _ = imported(
        tmp_path / "x.sav", frame, variable_value_labels={"THERM": labels, "Q": {1: "Yes", 2: "No"}}
    )
    assert found["THERM"][40:] == ["Below 20", "40 or more", "40 or more", "40 or more"]


def test_an_attribute_in_numbers_has_no_ranges_of_codes(tmp_path):
    frame = pd.DataFrame({"ID": [float(i) for i in range(44)],
                          "AGE": [*HOURS, 998.0, 999.0, 97.0, -1.0],
                          "Q": [1.0, 2.0] * 22})  # fmt: skip
    labels = {998: "Don't know", 999: "Refused", 97: "97 or older", -1: "Inapplicable"}
    pyreadstat.write_sav(frame, tmp_path / "x.sav", variable_value_labels={"AGE": labels})
    file = files.read(tmp_path / "x.sav")
    made = layout.build(file, guesses.guess(file, "x"))
    at = made.responses[0].index("AGE")
    assert [row[at] for row in made.responses[41:]] == ["Don't know", "Refused", "40 or more", ""]


def test_an_attribute_in_numbers_may_have_refusals_in_words(tmp_path):
    told = [*(f"{hour:g}" for hour in HOURS), "Refused", "Don't know", "Not asked", ""]
    lines = [f"{i},{age},{i % 2}" for i, age in enumerate(told)]
    (tmp_path / "x.csv").write_text("\n".join(["id,age,q", *lines]))
    file = files.read(tmp_path / "x.csv")
    made = layout.build(file, guesses.guess(file, "x"))
    at = made.responses[0].index("age")
    assert [row[at] for row in made.responses[41:]] == ["Refused", "Don't know", "", ""]


def test_a_range_of_user_missing_codes_is_no_number(tmp_path):
    frame = pd.DataFrame({"ID": [float(i) for i in range(44)],
                          "HRS": [*HOURS, 995.0, 997.0, -3.0, 999.0],
                          "Q": [1.0, 2.0] * 22})  # fmt: skip
    found, book = imported(
        tmp_path / "x.sav", frame,
        variable_value_labels={"HRS": {997: "Not sure", 999: "Refused"}},
        missing_ranges={"HRS": [{"lo": 995, "hi": 999}, -3]},
    )  # fmt: skip
    assert found["HRS"][40:] == ["not_asked", "dont_know", "not_asked", "refused"]
    assert book.questions[0].bins == [20, 30, 40]


def test_stata_missing_values_are_no_numbers(tmp_path):
    frame = pd.DataFrame({"id": range(44), "hrs": [*map(int, HOURS), "a", "d", "n", "i"],
                          "q": [1, 2] * 22})  # fmt: skip
    pyreadstat.write_dta(
        frame, tmp_path / "x.dta",
        variable_value_labels={"hrs": {"d": "Don't know", "n": "No answer", "i": "IAP"}},
        missing_user_values={"hrs": ["a", "d", "n", "i"]},
    )  # fmt: skip
    file = files.read(tmp_path / "x.dta")
    found = tables(file, guesses.guess(file, "x"))
    assert found["hrs"][40:] == ["not_asked", "dont_know", "refused", "not_asked"]


def test_a_codebook_that_says_nothing_of_a_code_among_numbers_is_made_up_for(tmp_path):
    column = Column(
        "HRS", [*(str(int(h)) for h in HOURS), "777", "888", "-3"],
        labels={"777": "Refusal", "888": "Not applicable"}, missing=frozenset({"-3"}),
    )  # fmt: skip
    book = codebook.load("questions: [{column: HRS, kind: numeric, bins: [30]}]", "c.yml")
    found = tables(File("x.sav", [column]), book)
    assert found["HRS"][39:] == ["30 or more", "refused", "not_asked", "not_asked"]


@pytest.mark.parametrize(
    "options",
    [
        ["1. Labour", "2. Green", "3. Liberal"],
        ["1) Labour", "2) Green", "3) Liberal"],
        ["(1) Labour", "(2) Green"],
        ["1 - Labour", "2 - Green", "3 - Liberal"],
        ["1 = Labour", "2 = Green", "99 = Refused"],
        ["1: Labour", "2: Green"],
        ["1 Labour", "2 Green", "3 Liberal"],
        ["Channel 4", "Channel 5", "Film 4"],
        ["Windows 10", "Windows 11"],
    ],
)
def test_numbers_that_list_or_name_options_are_no_scale(options):
    assert scales.positions(options) is None


@pytest.mark.parametrize(
    ("options", "positions"),
    [
        (["1. Agree", "2. Neither agree nor disagree", "3. Disagree"], [1, 2, 3]),
        (["1. 18-29", "2. 30-49", "3. 50+"], [1, 2, 3]),
        (["-9. Refused", "1. Yes, favor", "2. No, oppose"], [None, 1, 2]),
        (["1 child", "2 children", "3 children or more"], [1, 2, 3]),
        (["0 - Not at all", "1", "2", "3 - Completely"], [1, 2, 3, 4]),
        (["Less than $20,000", "$20,000 to $50,000", "More than $50,000"], [1, 2, 3]),
        (["Grade 9", "Grade 10", "Grade 11"], [1, 2, 3]),
        (["Once or twice", "3 to 5 times", "6 or more times"], None),
    ],
)
def test_what_stands_behind_a_list_number_may_be_a_scale(options, positions):
    assert scales.positions(options) == positions


def test_two_options_with_list_numbers_are_a_single_choice():
    file = File("x.csv", [Column("q", ["1. Labour", "2. Green"]), Column("r", ["Cat", "Dog"])])
    q, r = guesses.guess(file, "x").questions
    assert (q.kind, q.positions) == ("single", [])
    assert (r.kind, r.positions) == ("ordinal", [1, 2])


NAN = "id,q,hours\n1,No,20\n2,nan,NaN\n3,Yes,30\n4,NA,10\n5,NAN,n/a\n6,Yes,nan\n7,null,30\n"


@pytest.mark.parametrize("kind", ["csv", "xlsx", "parquet"])
def test_nan_is_blank_whoever_wrote_it(tmp_path, kind):
    path = tmp_path / f"x.{kind}"
    if kind == "csv":
        path.write_text(NAN)
    else:
        rows = [line.split(",") for line in NAN.splitlines()]
        frame = pd.DataFrame(rows[1:], columns=rows[0])
        frame.to_excel(path, index=False) if kind == "xlsx" else frame.to_parquet(path)
    file = files.read(path)
    book = guesses.guess(file, "x")
    assert list(book.questions[0].options) == ["No", "Yes"]
    found = tables(file, book)
    assert found["q"] == ["No", "not_asked", "Yes", "not_asked", "not_asked", "Yes", "not_asked"]
    assert found["hours"] == ["20", "not_asked", "30", "10", "not_asked", "not_asked", "30"]
    again = codebook.load("questions: [{column: q, options: ['No', 'Yes', nan]}]", "c.yml")
    with pytest.raises(ValueError, match="column 'q': the option 'nan' is blank; leave it out"):
        layout.build(file, again)


def test_na_of_a_folder_is_blank_unless_an_option_is_called_so(tmp_path):
    lists = ["['Yes', 'No']", "['AM', 'NA', 'PM', 'Refused']"]
    info = pd.DataFrame({"key": ["q", "r"], "question": ["Q", "R"], "references": lists})
    asked = pd.DataFrame({"index": [1, 2, 3], "q": ["Yes", "NA", "null"], "r": ["AM", "NA", "nan"]})
    rows = opinionqa.responses({"x": (info, asked)}).to_pylist()
    assert [(r["question_id"], r["status"]) for r in rows] == [
        ("q", "answered"), ("q", "not_asked"), ("q", "not_asked"),
        ("r", "answered"), ("r", "refused"), ("r", "not_asked"),
    ]  # fmt: skip


def test_a_scale_of_numbers_with_labelled_ends_is_ordinal(tmp_path):
    values = [float(n) for n in range(11)] + [77.0, 97.0]
    frame = pd.DataFrame({"ID": [float(i) for i in range(13)], "LR": values})
    labels = {0: "Extremely left", 10: "Extremely right", 77: "Refusal", 97: "Other"}
    _, book = imported(tmp_path / "x.sav", frame, variable_value_labels={"LR": labels})
    (question,) = book.questions
    assert (question.kind, question.refused) == ("ordinal", ["77"])
    assert question.positions == [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, None]


def test_nan_among_the_options_of_a_folder_is_no_option():
    info = pd.DataFrame({"key": ["q"], "question": ["Q"],
                         "references": ["['Low', 'nan', 'High', nan]"],
                         "option_mapping": ["{1: 'Low', 2: 'nan', 3: 'High', nan: nan}"],
                         "option_ordinal": ["[1, nan, 3, nan]"]})  # fmt: skip
    (question,) = opinionqa.questions({"x": info}).to_pylist()
    assert (question["options"], question["ordinal"]) == (["Low", "High"], [1, 3])


@pytest.mark.parametrize(
    ("codes", "far"),
    [
        (["999", "998"], ["998", "999"]),
        (["9999", "-99"], ["-99", "9999"]),
        (["77777"], ["77777"]),
        (["97"], []),  # an age
        (["450"], []),
    ],
)
def test_a_code_without_a_label_far_from_the_numbers_is_none_of_them(codes, far):
    ages = [*(str(n) for n in range(18, 60)), *codes]
    (question,) = guesses.guess(File("x", [Column("q", ages)]), "x").questions
    assert question.not_asked == far


def test_a_code_far_from_the_numbers_of_a_grid_is_none_of_any_row(tmp_path):
    one, other = list("12345") * 8, [*list("12345") * 7, *"1234", "999"]
    rows = "".join(f"p{i},{a},{b}\n" for i, (a, b) in enumerate(zip(one, other, strict=True)))
    path = tmp_path / "grid.csv"
    path.write_text("id,Q1_1,Q1_2\n" + rows, encoding="utf-8")
    for question in guesses.guess(files.read(path), "x").questions:
        assert list(question.options) == list("12345")


@pytest.mark.parametrize("held", [["999", "998", "900"], ["999", "250", "100"], ["999", "1", "1"]])
def test_a_large_number_among_others_is_one(held):
    values = held * 5
    (question,) = guesses.guess(File("x", [Column("q", values)]), "x").questions
    assert question.not_asked == []


@pytest.mark.parametrize(
    ("ends", "held", "positions"),
    [
        ({0: "No trust", 10: "Full trust"}, range(2, 9), [0, *range(2, 9), 10]),  # 1, 9: nobody
        ({0: "Cold", 100: "Warm"}, range(20, 90, 10), [0, *range(20, 90, 10), 100]),
        ({1: "Never", 7: "Always", 97: "Other"}, range(3, 6), [1, 3, 4, 5, 7, None]),
    ],
)
def test_the_ends_of_a_scale_are_on_it_though_what_is_next_was_not_chosen(ends, held, positions):
    labels = {str(code): text for code, text in ends.items()}
    column = Column("q", [str(n) for n in held] * 2, labels=labels)
    (question,) = guesses.guess(File("x", [column]), "x").questions
    assert (question.kind, question.positions) == ("ordinal", positions)


def test_case_and_spaces_make_no_option_of_their_own():
    file = File("x", [Column("q", ["Yes", "yes", "No", "Yes", "NO", "No", "no"])])
    book = guesses.guess(file, "x")
    assert tables(file, book) == {"q": ["Yes", "Yes", "No", "Yes", "No", "No", "No"]}
    single = Column("q", ["a", "A", "b", "a", "A", "b"])
    (question,) = guesses.guess(File("x", [single]), "x").questions
    assert sorted(question.options) == ["A", "a", "b"]


@pytest.mark.parametrize(
    ("cells", "listed"),
    [
        (["Tea;Coffee", "Coffee", "Tea;Milk, or cream", "Milk, or cream;Coffee"], True),
        (["Tea;Coffee;", "Coffee;", "Tea;", "Coffee;Tea;"], True),
        (["Tea, Coffee", "Coffee", "Tea", "Tea, Milk", "Milk, Coffee"], True),
        (["Yes, a lot", "Yes, a little", "No"], False),
        (["Agree, strongly", "Agree", "Disagree", "Disagree, strongly"], False),
        (["Oslo, Norway", "Bergen, Norway", "Rome, Italy"], False),
        (["I like it, really", "It is good", "Cheap, nice, near"], False),
        (["Red, Blue, Pink", "Blue, Pink", "Pink, Red", "Red, Blue"], True),
        (["Employed, full time", "Employed, part time", "Retired"], False),
        (["No, none did", "Some did", "Yes, they all did"], False),
    ],
)
def test_several_choices_in_a_cell_are_told_from_texts(tmp_path, cells, listed):
    rows = [f'{i},"{cell}"\n' for i, cell in enumerate(cells * 4)]
    (tmp_path / "x.csv").write_text("id,q\n" + "".join(rows))
    column = files.read(tmp_path / "x.csv").columns[1]
    assert column.why.startswith("several choices in a cell") == listed


def test_a_middle_without_an_opinion_keeps_the_place_its_codebook_gives():
    likert = ["Very bad", "Bad", "Undecided", "Good", "Very good", "Not sure"]
    labelled = {str(i): text for i, text in enumerate(likert, 1)}
    column = Column("q", [*"123456"] * 2, labels={**labelled, "9": "Refused"})
    file = File("x", [column])
    book = guesses.guess(file, "x")
    book.questions[0].kind = "ordinal"
    book.questions[0].positions = [1, 2, 3, 4, 5, None]
    info = layout.arrow(layout.build(file, book).info)
    (asked,) = opinionqa.questions({"x": info}).to_pylist()
    assert asked["ordinal"] == [1, 2, 3, 4, 5, None]


@pytest.mark.parametrize(
    ("code", "not_asked"), [("99", ["99"]), ("999", ["999"]), ("88", ["88"]), ("9", []), ("6", [])]
)
def test_a_code_without_a_label_beside_labelled_ones(code, not_asked):
    labelled = {"1": "Good", "2": "Bad", "98": "Don't know"}
    column = Column("q", ["1", "2", "98", code] * 3, labels=labelled)
    (question,) = guesses.guess(File("x", [column]), "x").questions
    assert question.not_asked == not_asked
    assert question.dont_know == ["98"]


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (["1", "2", "3", "4"] * 10 + ["-1", "-2", "-5"], ["-1", "-2", "-5"]),  # WVS, EVS
        ([str(n) for n in range(18, 60)] + ["-2"], ["-2"]),
        (["-3", "-2", "-1", "1", "2", "3"] * 5, []),  # a scale with two sides
        (["-1", "0", "1", "2"] * 5, []),
    ],
)
def test_few_codes_below_answers_that_begin_at_1_are_none(values, said):
    column = Column("q", values)
    assert [c for c, status in missing_codes.missing(column).items() if status] == said


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ([-8] * 60 + [1, 2] * 20, {"-8"}),  # most were not asked
        ([-9, -2, -1] * 15 + [1, 2, 3, 4, 5] * 10, {"-9", "-2", "-1"}),
        ([-1, 1, 2] * 20, {"-1"}),
        ([-2, -1, 1, 2] * 20, set()),  # no middle
        ([-1, 1] * 20, set()),
        ([-1, 0, 1] * 20, set()),
        ([-1, 0, 1, 2] * 20, set()),  # worse, the same, better, much better
        ([-2, -1] + [0, 5, 10] * 20, {"-2", "-1"}),
        ([-3, -2, -1] + [0, 1] * 20, {"-3", "-2", "-1"}),
        ([*range(-30, 0), *range(1, 50)], set()),  # gains and losses
        ([-4, -3, -2, -1, *range(0, 60)], set()),
    ],
)
def test_codes_below_0_are_told_from_a_scale_with_two_sides(values, said):
    column = Column("q", [str(v) for v in values])
    assert set(missing_codes.missing(column)) == said
