"""Predictions made elsewhere as predictions of held-out pairs."""

from __future__ import annotations

import pyarrow as pa
import pytest

from lupom.science.predictors import elsewhere

KNOWN = pa.table(
    {
        "survey": ["pets"] * 5,
        "respondent_id": ["a", "a", "b", "b", "c"],
        "question_id": ["mood", "age", "mood", "age", "mood"],
        "role": ["test", "test", "tuning", "known", "hidden"],
        "scenario": ["known", "known", "known", None, "new_respondent"],
    }
)
QUESTIONS = pa.table(
    {
        "survey": ["pets", "pets"],
        "question_id": ["mood", "age"],
        "kind": ["single", "numeric"],
        "options": [["Bad", "Good"], []],
        "low": [None, 0.0],
        "high": [None, 120.0],
    }
)


def predictions(*rows, **more):
    table = pa.Table.from_pylist([{"respondent_id": r, "question_id": q} | v for r, q, v in rows])
    tables = {"twins": table, **more}
    found = elsewhere.predictions(tables, KNOWN, QUESTIONS)
    return found.to_pylist(maps_as_pydicts="strict")


def test_held_out_pairs_are_predicted_and_no_others():
    said = {"answer": "Good"}
    pairs = [("a", "mood"), ("b", "mood"), ("b", "age"), ("c", "mood")]
    rows = predictions(*((*pair, said) for pair in pairs))
    assert [(r["respondent_id"], r["role"], r["scenario"]) for r in rows] == [
        ("a", "test", "known"),
        ("b", "tuning", "known"),
    ]
    assert {(r["predictor"], r["llm"], r["status"]) for r in rows} == {
        ("elsewhere", "twins", "valid")
    }


def test_a_row_says_who_predicted_and_at_what_cost():
    said = {"answer": "Good", "llm": "gpt", "setting": "history", "cost": 0.01}
    (row,) = predictions(("a", "mood", said))
    assert (row["llm"], row["predictor"], row["cost"]) == ("gpt", "history", 0.01)


@pytest.mark.parametrize("spread", ['{"Good": 3, "Bad": 1}', {"Good": 0.75, "Bad": 0.25}])
def test_probabilities_are_json_or_a_map_and_the_answer_is_the_likeliest(spread):
    (row,) = predictions(("a", "mood", {"probabilities": spread}))
    assert row["probabilities"] == {"Bad": 0.25, "Good": 0.75}
    assert row["answer"] == "Good"


@pytest.mark.parametrize(
    ("question", "said"),
    [("mood", {"answer": "Fine"}), ("age", {"number": 121.0}), ("age", {"answer": "old"})],
)
def test_what_is_none_of_the_question_s_is_invalid(question, said):
    (row,) = predictions(("a", question, said))
    assert (row["status"], row["answer"], row["value"]) == ("invalid", None, None)


def test_a_number_is_a_value():
    (row,) = predictions(("a", "age", {"number": "41.5"}))
    assert (row["status"], row["answer"], row["value"]) == ("valid", "41.5", 41.5)


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"probabilities": '{"Fine": 1}'}, "twins: respondent a, mood: 'Fine' has the probability"),
        ({"probabilities": '{"Good": -1}'}, "'Good' has the probability -1"),
        ({"probabilities": '{"Good": 0}'}, "no option has a probability above 0"),
        ({"probabilities": "{Good"}, "the probabilities are not JSON: '{Good'"),
        ({"said": "Good"}, "twins has no column 'answer', 'probabilities' or 'number'"),
    ],
)
def test_a_table_that_is_wrong_is_an_error_with_its_place(said, message):
    with pytest.raises(ValueError, match=message):
        predictions(("a", "mood", said))


def test_a_table_of_other_people_is_an_error():
    with pytest.raises(
        ValueError, match=r"twins: none of its 1 rows is of a respondent and .* pets"
    ):
        predictions(("z", "mood", {"answer": "Good"}))


def test_without_tables_there_are_no_predictions():
    assert elsewhere.predictions({}, KNOWN, QUESTIONS).num_rows == 0
