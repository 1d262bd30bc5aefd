"""Numeric questions without bins: the number itself is what is predicted."""

from __future__ import annotations

import pytest

from lupom.science.surveys import codebook, guesses, layout, opinionqa
from lupom.science.surveys.columns import Column, File
from lupom.science.surveys.numbers import as_numbers
from lupom.science.surveys.unanswered import unanswered

FILE = File(
    "f.csv",
    [
        Column("id", [str(i) for i in range(12)]),
        Column("rating", ["1", "2", "3", "2.5", "7", "1"] * 2),
        Column("mood", ["Good", "Bad"] * 6),
        Column("coded", ["1", "2"] * 6, labels={"1": "Yes", "2": "No"}),
        Column("hours", ["10", "20", "30", "40", "", "99"] * 2, labels={"99": "Refused"}),
    ],
)


def book(**changes):
    found = guesses.guess(FILE, "s")
    as_numbers(found, FILE)
    for question in found.questions:
        for name, value in changes.items():
            setattr(question, name, value) if question.is_number else None
    return codebook.load(codebook.dump(found), "book")


def test_what_is_answered_in_numbers_without_labels_is_a_number():
    kinds = {q.column: (q.kind, q.is_number) for q in book().questions}
    assert kinds["rating"] == kinds["hours"] == ("numeric", True)
    assert not kinds["mood"][1]
    assert not kinds["coded"][1]


def test_its_answers_are_numbers_and_refusals_are_none():
    made = layout.build(FILE, book(range=[0.0, 50.0]))
    info, answers = layout.arrow(made.info), layout.arrow(made.responses)
    asked = {q["question_id"]: q for q in opinionqa.questions({"s": info}).to_pylist()}
    assert (asked["hours"]["kind"], asked["hours"]["low"], asked["hours"]["high"]) == (
        *("numeric", 0.0, 50.0),
    )
    said = opinionqa.responses({"s": (info, answers)}).to_pylist()
    hours = [(r["status"], r["answer"]) for r in said if r["question_id"] == "hours"][:6]
    assert hours == [
        *(("answered", n) for n in ("10", "20", "30", "40")),
        *(("not_asked", None), ("refused", None)),
    ]
    # An export gives the file's code back.
    codes = {(r["label"], r["code"]) for r in unanswered({"s": (info, answers)}).to_pylist()}
    assert codes == {("Refused", "99")}


def test_a_refusal_among_numbers_with_bins_keeps_its_code():
    given = codebook.load("questions: [{column: hours, bins: [25], refused: [99]}]", "book")
    made = layout.build(FILE, given)
    info, answers = layout.arrow(made.info), layout.arrow(made.responses)
    codes = {(r["label"], r["code"]) for r in unanswered({"s": (info, answers)}).to_pylist()}
    assert codes == {("Refused", "99")}
    [asked] = opinionqa.questions({"s": info}).to_pylist()
    assert asked["options"] == ["Below 25", "25 or more"]


def test_what_is_no_number_is_an_error():
    broken = File("f.csv", [Column("id", ["1", "2"]), Column("rating", ["1", "many"])])
    asked = codebook.Question("rating", "rating", "Rating", "numeric")
    with pytest.raises(ValueError, match="column 'rating', row 2: 'many' is not a number"):
        layout.build(broken, codebook.Codebook("s", "f.csv", "id", questions=[asked]))


@pytest.mark.parametrize("entry", ["range: [5, 1]", "range: [1]", "range: [0, 9], bins: [3]"])
def test_a_range_is_least_and_largest_of_a_number(entry):
    text = f"survey: s\nfile: f\nquestions:\n- {{column: a, kind: numeric, {entry}}}\n"
    with pytest.raises(ValueError, match=r"a range is \[least, largest\] of a numeric question"):
        codebook.load(text, "book")
