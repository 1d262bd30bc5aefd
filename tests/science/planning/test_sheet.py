"""Imputed sets as one sheet: every person in every set, columns that say what they are."""

from __future__ import annotations

import pyarrow as pa
import pytest

from lupom.science.planning import sheet

PEOPLE = pa.table(
    {
        "survey": ["w1", "w1", "w2"],
        "respondent_id": ["b", "a", "a"],
        "weight": [2.0, 1.0, 1.0],
        "attributes": pa.array(
            [[("sex", "F"), ("Weight", "50 kg")], [("sex", "M")], []],
            pa.map_(pa.string(), pa.string()),
        ),
    }
)
QUESTIONS = pa.table(
    {
        "survey": ["w1", "w1", "w1", "w1", "w2"],
        "question_id": ["mood", "pet", "hours", "why", "mood"],
        "options": [["Bad", "Good"], ["Cat", "Dog"], [], [], ["Bad", "Fair", "Good"]],
        "kind": ["ordinal", "single", "numeric", "text", "ordinal"],
        "item": ["Your mood?", "A pet?", "Hours with it?", "Why?", "Mood?"],
        "battery": ["", "Do you own", "", "", ""],
    }
)
RESPONSES = pa.table(
    {
        "survey": ["w1", "w1", "w1", "w1", "w1", "w1", "w2"],
        "respondent_id": ["a", "a", "b", "b", "b", "a", "a"],
        "question_id": ["mood", "pet", "mood", "pet", "hours", "hours", "mood"],
        "status": ["answered", "not_asked", *["answered"] * 3, "not_asked", "answered"],
        "answer": ["Good", None, "Bad", "Dog", "1.5", None, "Fair"],
    }
)
DRAWN = pa.table(
    {
        "survey": ["w1", "w1"],
        "imputation": [1, 2],
        "respondent_id": ["a", "a"],
        "question_id": ["pet", "pet"],
        "answer": ["Cat", "Dog"],
    }
)


@pytest.fixture(scope="module")
def columns():
    return sheet.columns(PEOPLE, QUESTIONS, values={"w1": {"sex": ["M", "F"]}})


def test_columns_say_what_they_are(columns):
    rows = {row["column"]: row for row in columns.to_pylist()}
    head = ["Imputation_", "survey", "respondent_id", "weight"]
    assert list(rows) == [*head, "Weight_2", "sex", "mood", "pet", "hours"]
    assert rows["Weight_2"]["key"] == "Weight", "a name that is taken, in any case"
    assert rows["sex"]["options"] == ["M", "F"]
    assert rows["mood"]["options"] == ["Bad", "Good", "Fair"], "two surveys' options"
    assert rows["pet"]["label"] == "A pet? (Do you own)"
    measures = [row["measure"] for row in rows.values()]
    assert measures[3:] == ["scale", "nominal", "nominal", "ordinal", "nominal", "scale"]
    assert (rows["hours"]["kind"], rows["hours"]["options"]) == ("number", None)


def test_options_have_the_codes_of_the_survey_s_file_where_each_has_one_of_its_own():
    of_w1 = {"pet": {"5": "Cat", "2": "Dog", "9": "Refused"}, "mood": {"1": "Bad", "2": "Good"}}
    of_w1["sex"] = {"m": "M", "f": "F"}

    def codes(**of_w2):
        given = {"w1": of_w1, "w2": of_w2}
        table = sheet.columns(PEOPLE, QUESTIONS, values={"w1": {"sex": ["M", "F"]}}, codes=given)
        return {row["column"]: row["codes"] for row in table.to_pylist()}

    found = codes(mood={"1": "Bad", "1.5": "Fair", "2": "Good"})
    assert found["pet"] == [5, 2]
    assert found["mood"] == [1, 2, 1.5], "in the order of the options"
    assert found["sex"] is None, "codes that are no numbers"
    assert found["hours"] is None
    assert codes()["mood"] is None, "an option without a code"
    assert codes(mood={"3": "Bad", "2": "Fair", "1": "Good"})["mood"] is None, "surveys differ"


@pytest.mark.parametrize(
    ("options", "codes"),
    [
        (["0", "1", "2", "3"], [0, 1, 2, 3]),
        (["0 not at all", "1", "2", "3", "4 - very"], [0, 1, 2, 3, 4]),
        (["1", "2", "89 or older"], [1, 2, 89]),
        (["18-29", "30-49", "50"], None),
        (["0", "1", "2", "None"], None),
        (["1", "1.0", "2"], None),
    ],
)
def test_options_that_are_numbers_are_their_own_codes(options, codes):
    asked = QUESTIONS.slice(0, 1).to_pylist()
    table = sheet.columns(PEOPLE, pa.Table.from_pylist([{**asked[0], "options": options}]))
    assert {row["column"]: row["codes"] for row in table.to_pylist()}["mood"] == codes


def test_numbers_are_as_they_were_answered_and_that_is_told(columns):
    table = sheet.sheet(columns, DRAWN, RESPONSES, PEOPLE).read_all()
    assert table["hours"].to_pylist() == [None, 1.5] * 3
    [said] = sheet.not_imputed(columns, DRAWN, RESPONSES)
    assert said.startswith("w1: hours is answered in numbers, which are not imputed: 1 gap stays")


def test_every_person_is_in_every_set_of_their_survey(columns):
    table = sheet.sheet(columns, DRAWN, RESPONSES, PEOPLE).read_all()
    rows = table.select(["Imputation_", "respondent_id", "weight", "mood", "pet", "sex"])
    assert list(zip(*rows.to_pydict().values(), strict=True)) == [
        (0, "a", 1.0, "Good", None, "M"),
        (0, "b", 2.0, "Bad", "Dog", "F"),
        (1, "a", 1.0, "Good", "Cat", "M"),
        (1, "b", 2.0, "Bad", "Dog", "F"),
        (2, "a", 1.0, "Good", "Dog", "M"),
        (2, "b", 2.0, "Bad", "Dog", "F"),
    ]
    assert set(table["survey"].to_pylist()) == {"w1"}, "of the other nothing was imputed"


def test_who_was_drawn_how_is_told_where_the_survey_tells_it():
    designs = pa.table(
        {
            "survey": ["w1", "w1"],
            "respondent_id": ["a", "b"],
            "cluster": ["c1", "c2"],
            "stratum": pa.nulls(2, pa.string()),
        }
    )
    columns = sheet.columns(PEOPLE, QUESTIONS, designs=designs)
    assert "stratum" not in columns["column"].to_pylist()
    table = sheet.sheet(columns, DRAWN, RESPONSES, PEOPLE, designs=designs).read_all()
    assert table["cluster"].to_pylist() == ["c1", "c2"] * 3


def test_without_imputed_sets_it_is_empty(columns):
    assert len(sheet.sheet(columns, DRAWN.slice(0, 0), RESPONSES, PEOPLE).read_all()) == 0


def test_who_refused_and_has_no_answer_in_any_set_is_listed(columns):
    unanswered = pa.table(
        {
            "survey": ["w1", "w1", "w1", "w2"],
            "respondent_id": ["a", "b", "b", "a"],
            "question_id": ["pet", "hours", "why", "mood"],
            "status": ["refused"] * 4,
            "label": ["Refused"] * 4,
            "code": ["9"] * 4,
        }
    )
    # The pet is imputed, texts have no column, and the other survey no sets.
    found = sheet.gaps(columns, DRAWN, unanswered)
    assert found.to_pylist() == [
        {"survey": "w1", "respondent_id": "b", "column": "hours", "label": "Refused", "code": "9"}
    ]
    assert sheet.unfilled(found)[0].startswith("w1: 1 refusals and don't knows stay")
