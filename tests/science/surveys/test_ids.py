"""Ids and rows: a row is a person, and where it is not that is said."""

from __future__ import annotations

import random

import pytest

from lupom.science.surveys import doubts, guesses
from lupom.science.surveys.choices import gather
from lupom.science.surveys.columns import Column, File


def file_of(**columns):
    return File("x.csv", [Column(name, list(map(str, v))) for name, v in columns.items()])


YES = ["Yes", "No", "No"] * 8


@pytest.mark.parametrize("item", ["question", "item_id", "VARIABLE", "what", "post_id"])
def test_a_row_an_answer_is_refused_with_what_to_do(item):
    people = [i // 4 for i in range(24)]
    long = file_of(respondent_id=people, **{item: ["q1", "q2", "q3", "q4"] * 6}, answer=YES)
    with pytest.raises(ValueError, match=f"6 people in 'respondent_id' .* '{item}' says to which"):
        guesses.guess(long, "x")


@pytest.mark.parametrize("rows", [2, 3, 5])
def test_ids_of_people_with_several_rows_are_not_taken_for_what_they_wrote(rows):
    people = [f"P{i}" for i in range(30)] * rows
    waves = file_of(
        person_id=people, wave=sorted(range(1, rows + 1)) * 30, a=["x", "y"] * 15 * rows
    )
    assert guesses.guess(waves, "x").ignored["person_id"] == "another id"


def test_several_rows_of_a_person_are_noted():
    people = [i // 2 for i in range(24)]
    waves = file_of(person_id=people, wave=[1, 2] * 12, a=YES, b=YES[::-1], c=YES)
    book = guesses.guess(waves, "x")
    assert book.id is None
    assert book.ignored["person_id"] == "another id"
    (note,) = doubts.doubts(waves, book)
    assert note.startswith("person_id has 12 ids in 24 rows")
    # Children of a household are people of their own, where these have ids.
    own = file_of(person_id=people, id=range(24), a=YES, b=YES[::-1])
    assert doubts.doubts(own, guesses.guess(own, "x")) == []


@pytest.mark.parametrize(
    "name",
    [
        "_id",
        "id. Antwort ID",
        "Record ID",
        "QKEY",
        "Participant",
        "#",
        "instanceID",
        "ID de la r\u00e9ponse",
    ],
)
def test_ids_as_programs_name_them(name):
    own = [f"P{i:03}" for i in range(24)]
    assert guesses.guess(file_of(**{name: own, "a": YES}), "x").id == name


@pytest.mark.parametrize("name", ["lfdn", "Nr", "row_no", "obs", "Fall-Nr", "Unnamed: 0"])
def test_what_counts_rows_is_no_question(name):
    book = guesses.guess(file_of(**{name: range(1, 25), "a": YES, "hours": range(24)}), "x")
    assert book.ignored == {name: "a running number"}
    assert [q.column for q in book.questions] == ["a", "hours"]


@pytest.mark.parametrize(
    ("names", "yes", "no"),
    [
        (("assets/tv", "assets/radio"), "1", "0"),
        (("Q5[SQ001]. Media? [TV]", "Q5[SQ002]. Media? [Radio]"), "1", ""),
        (("Which? (choice=Tea)", "Which? (choice=Milk)"), "1", "0"),
        (("brand_Nike", "brand_Puma"), "x", ""),
        (("news: TV", "news: Radio"), "Yes", ""),
        (("Which? (choice=TV)", "Which? (choice=Radio)"), "Checked", "Unchecked"),
    ],
)
def test_choices_of_a_question_by_the_names_that_programs_give(names, yes, no):
    told = {"1": "Selected", "0": "Not selected"}
    columns = {names[0]: [yes, no, yes] * 8, names[1]: [no, yes, yes] * 8}
    found = gather(file_of(**columns, consent_given=["yes", "", ""] * 8)).columns
    assert [c.labels for c in found] == [told, told, {}]
    assert [c.values[:3] for c in found[:2]] == [["1", "0", "1"], ["0", "1", "1"]]


def test_a_column_of_what_others_have_is_left_out():
    file = file_of(
        **{"a": ["tv radio", "tv", "radio"] * 8, "a/tv": "110" * 8, "a/radio": "101" * 8}
    )
    assert gather(file).columns[0].why == "made of other columns"


def test_the_number_that_a_program_writes_hides_no_row_an_answer():
    people = [i // 4 for i in range(24)]
    columns = {"index": range(24), "id": people, "item": [*"abcd"] * 6, "answer": YES}
    with pytest.raises(ValueError, match=r"6 people in 'id' .* 'item' says to which"):
        guesses.guess(file_of(**columns), "x")


def test_a_code_with_the_name_of_ids_is_a_question():
    said = random.Random(1).choices(YES, k=210)
    book = guesses.guess(file_of(pid=[i % 7 for i in range(210)], response=said), "x")
    assert [q.column for q in book.questions] == ["pid", "response"]
