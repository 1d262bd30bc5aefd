"""The first codebook of a survey, and what a reviewed one makes of the file."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from lupom.science.surveys import codebook, guesses, layout, opinionqa
from lupom.science.surveys.columns import Column, File


def survey(**columns: list[str]) -> File:
    return File("x.csv", [Column(name, values) for name, values in columns.items()])


WHOLE = survey(
    caseid=["7", "8", "9", "10"],
    wt=["1", "0.5", "2", "1"],
    wt2=["1", "0.5", "2", "9"],
    age=["20", "30", "40", "50"],
    trust=["Agree", "Disagree", "Don't know", ""],
    colour=["Red", "Blue", "Refused", "NA"],
    hours=["1", "2", "-9", "4"],
    same=["x", "x", "x", "x"],
    none=["", "", "", ""],
    email=["a@b", "c@d", "e@f", "g@h"],
    duration=["10", "20", "30", "40"],
    seen=["2020-01-01", "2020-01-02", "2020-01-03", ""],
)


def test_every_column_is_somewhere_and_says_why_it_is_left_out():
    book = guesses.guess(WHOLE, "x")
    assert sorted(book.columns) == sorted(c.name for c in WHOLE.columns)
    assert (book.id, book.weight) == ("caseid", "wt")
    assert [a.column for a in book.attributes] == ["age"]
    assert [q.column for q in book.questions] == ["trust", "colour", "hours"]
    assert book.ignored == {
        "wt2": "another column of weights",
        "same": "everyone has the same: x",
        "none": "blank throughout",
        "email": "personal data",
        "duration": "of the interview, not of the person",
        "seen": "dates",
    }


def test_refusals_and_the_like_are_no_options():
    trust, colour, hours = guesses.guess(WHOLE, "x").questions
    assert (trust.dont_know, trust.positions) == (["Don't know"], [1, 2])
    assert (colour.refused, colour.not_asked) == (["Refused"], ["NA"])
    assert (hours.not_asked, list(hours.options)) == (["-9"], ["1", "2", "4"])


def test_numbers_of_many_values_are_cut_into_ranges():
    file = survey(id=[str(i) for i in range(40)], hours=[str(i) for i in range(40)])
    book = guesses.guess(file, "x")
    (hours,) = book.questions
    assert (hours.kind, hours.bins) == ("numeric", [10, 20, 30])
    tables = layout.build(file, book)
    assert tables.responses[1][1] == "Below 10"
    assert tables.responses[40][1] == "30 or more"
    assert tables.info[1][3] == "['Below 10', '10 to 19', '20 to 29', '30 or more']"


def test_a_reviewed_codebook_decides():
    text = """
    survey: x
    file: x.csv
    id: caseid
    weight: wt2
    questions:
      - {column: trust, key: T1, question: "Do you trust?", kind: single,
         options: [Agree, Disagree], refused: [Don't know], topic: trust}
    attributes:
      - {column: colour, name: COLOUR, options: {Red: Warm, Blue: Cold}, blank: [NA, Refused]}
    ignored: [wt, age, hours, same, none, email, duration, seen]
    """
    tables = layout.build(WHOLE, codebook.load(text, "c.yml"))
    assert tables.responses == [
        ["index", "T1", "COLOUR", "weight"],
        ["7", "Agree", "Warm", "1"],
        ["8", "Disagree", "Cold", "0.5"],
        ["9", "Refused", "", "2"],
        ["10", "", "", "9"],
    ]
    assert tables.answers == {"answered": 2, "refused": 1, "not_asked": 1}


def test_a_column_new_in_the_file_is_guessed_and_told():
    book = guesses.guess(survey(id=["1", "2"], q=["Yes", "No"]), "x")
    added = guesses.extend(book, survey(id=["1", "2"], q=["Yes", "No"], r=["Red", "Blue"]))
    assert added == ["r"]
    assert [q.key for q in book.questions] == ["q", "r"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"id": ["1", "1"]}, r"x\.csv, column 'id', row 2: the id '1' is also that of row 1"),
        ({"id": ["1", ""]}, r"x\.csv, column 'id', row 2: the respondent's id is blank"),
        ({"q": ["Agree", "Agre"]}, r"column 'q', row 2: 'Agre' is not one .*did you mean 'Agree'"),
        ({"w": ["1", "-1"]}, r"column 'w', row 2: a weight is a number of at least 0, not '-1'"),
        ({"q": None}, r"x\.csv has no column 'q', which the codebook names"),
    ],
)
def test_a_file_that_does_not_fit_its_codebook_is_refused_with_the_place(change, message):
    text = """
    id: id
    weight: w
    questions: [{column: q, kind: ordinal, options: [Agree, Disagree], positions: [1, 2]}]
    """
    columns = {"id": ["1", "2"], "q": ["Agree", "Disagree"], "w": ["1", "2"], **change}
    file = survey(**{name: values for name, values in columns.items() if values is not None})
    with pytest.raises(ValueError, match=message):
        layout.build(file, codebook.load(text, "c.yml"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("id: [", r"c\.yml:1: "),
        ("questoins: []", r"c\.yml: unknown entry 'questoins'; did you mean 'questions'"),
        ("questions: [{kind: single, options: [a]}]", "entry 1 .*'column' is missing"),
        ("questions: [{column: q, kind: text}]", "free text under 'ignored'"),
        ("questions: [{column: q}]", r"column 'q'\): give options or bins"),
        ("questions: [{column: q, bins: [3, 1]}]", "do not ascend"),
        ("questions: [{column: q, options: [a, b], positions: [1]}]", "1 positions for 2 options"),
        ("questions: [{column: q, options: [a, b], positions: [1, x]}]", "expected numbers"),
        (
            "questions:\n- {column: q, options: {1: a,\n  2: b, 1: c}}",
            r"c\.yml: '1' stands twice in one place, lines 2 and 3",
        ),
        ("id: q\nquestions: [{column: q, options: [a]}]", "the column 'q' appears twice"),
        ("!!python/object/apply:os.system [ls]", "expected entries"),
    ],
)
def test_a_codebook_that_is_none_is_refused_with_the_entry(text, message):
    with pytest.raises(ValueError, match=message):
        codebook.load(text, "c.yml")


def test_an_option_that_reads_as_no_answer_is_refused():
    text = "questions: [{column: q, options: {1: Agree, 2: Refused}}]"
    with pytest.raises(ValueError, match="the option 'Refused' reads as no answer"):
        layout.build(survey(q=["1", "2"]), codebook.load(text, "c.yml"))


CELLS = st.sampled_from(["", "1", "2", "Yes", "no", "Refused", "null", "~", "01", ": x", "#"])


@given(st.lists(st.tuples(CELLS, CELLS, CELLS), min_size=2, max_size=12))
def test_a_codebook_read_back_is_the_same_and_keeps_every_row(rows):
    columns = zip(*rows, strict=True)
    file = File("x.csv", [Column(n, list(c)) for n, c in zip("pqr", columns, strict=True)])
    try:
        book = guesses.guess(file, "x")
    except ValueError:  # all is blank, or everyone has the same
        assume(False)
    again = codebook.load(codebook.dump(book), "c.yml")
    assert again == book
    assert len(layout.build(file, again).responses) == len(rows) + 1


def test_a_codebook_of_lists_without_end_is_refused():
    lines = ["a0: &a0 [x, x]", *(f"a{i}: &a{i} [*a{i - 1}, *a{i - 1}]" for i in range(1, 64))]
    for text in (
        "\n".join(lines),
        "\n".join([*lines, "id: *a63"]),
        "\n".join([*lines, "ignored: *a63"]),
    ):
        with pytest.raises(ValueError, match="unknown entry"):
            codebook.load(text, "c.yml")
    nested = "ignored: [&a [x], &b [*a, *a]]\nid: [&c [y], [*c]]"
    with pytest.raises(ValueError, match="a list where a text is expected"):
        codebook.load(nested, "c.yml")


def test_a_pick_of_several_is_told_from_a_scale():
    (question,) = guesses.guess(survey(q=["Selected", "Not selected"]), "x").questions
    assert question.kind == "multiple"


@pytest.mark.parametrize(
    ("entry", "kind", "ordinal"),
    [
        ("kind: ordinal, options: [Red, Blue]", "ordinal", [1, 2]),
        ("kind: single, options: [Red, Blue], positions: [1, 2]", "single", [1, 2]),
        ("kind: multiple, options: [Red, Blue]", "multiple", [None, None]),
    ],
)
def test_the_kind_a_codebook_gives_is_the_questions(entry, kind, ordinal):
    book = codebook.load(f"survey: x\nquestions: [{{column: q, {entry}}}]", "c.yml")
    info = layout.arrow(layout.build(survey(q=["Red", "Blue"]), book).info)
    (question,) = opinionqa.questions({"x": info}).to_pylist()
    assert (question["kind"], question["ordinal"]) == (kind, ordinal)


@pytest.mark.parametrize(
    "name", ["Respondent ID", "Response ID", "respondent", "ResponseId", "user id", "Seed"]
)
def test_an_id_of_any_spelling_is_no_question(name):
    people = [str(800 + 7 * i) for i in range(12)]
    book = guesses.guess(survey(**{name: people, "q": ["a", "b"] * 6}), "x")
    assert (book.id, [q.column for q in book.questions]) == (name, ["q"])


@pytest.mark.parametrize(
    "name", ["WGHT", "pspwght", "anweight", "gewicht", "poids", "ponderacion", "dwgt_2"]
)
def test_weights_of_any_spelling_are_no_question(name):
    weights = [f"{0.5 + i / 9:.3f}" for i in range(12)]
    book = guesses.guess(survey(**{name: weights, "q": ["a", "b"] * 6}), "x")
    assert (book.weight, [q.column for q in book.questions]) == (name, ["q"])


@pytest.mark.parametrize(
    ("name", "known"),
    [
        *((n, True) for n in ("age_group", "job", "country_code", "EducLevel", "mother_educ")),
        *(
            (n, True)
            for n in ("marital_status", "polviews_num", "religion_rc", "female", "no_of_children")
        ),
        *(
            (n, False)
            for n in ("job_satisfaction", "country_attach", "income_gap", "premarital_sex")
        ),
    ],
)
def test_what_is_known_of_people_is_told_by_all_of_a_name(name, known):
    book = guesses.guess(survey(**{name: ["a", "b"] * 6, "q": ["x", "y", "y"] * 4}), "x")
    assert [a.column for a in book.attributes] == ([name] if known else [])


def test_a_question_in_other_codes_is_one():
    given = [str(i * i % 7) for i in range(60)]
    columns = {
        "number": given,
        "word": [f"{'abcdefg'[int(v)]}lpha" for v in given],
        "other": given[::-1],
        "female": [str(int(v) % 2) for v in given],
        "mood": [("no", "yes")[int(v) % 2] for v in given],
    }
    book = guesses.guess(survey(**columns), "x")
    assert [q.column for q in book.questions] == ["word", "other"]
    assert book.ignored == {
        "number": "the same as word, in other codes",
        "mood": "the same as female, in other codes",
    }
    few = guesses.guess(survey(**{name: values[:20] for name, values in columns.items()}), "x")
    assert len(few.questions) == 4


@pytest.mark.parametrize(
    "name", ["height", "idea", "valid", "subject", "seeds", "weight_kg", "wt_loss", "body_weight"]
)
def test_names_that_only_look_like_those_are_questions(name):
    values = [f"{150 + i % 5}" for i in range(12)]
    book = guesses.guess(survey(**{name: values, "q": ["a", "b"] * 6}), "x")
    assert (book.id, book.weight, len(book.questions)) == (None, None, 2)


def test_scattered_numbers_of_few_people_are_amounts():
    file = survey(
        years=["3", "12", "25", "39", "4", "13"],
        paid=["53605", "149743", "198397", "175569", "149890", ""],
        liked=["1", "5", "3", "2", "4", "7"],
        items=["1", "9", "1", "1", "9", "1"],
    )
    kinds = {q.column: q.kind for q in guesses.guess(file, "x").questions}
    assert kinds == {"years": "numeric", "paid": "numeric", "liked": "ordinal", "items": "ordinal"}
