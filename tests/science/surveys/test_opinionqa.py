"""Surveys in OpinionQA's layout."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lupom.science.surveys import opinionqa


def info(**changes: Any) -> pd.DataFrame:
    row = {
        "key": "SAFE_W1",
        "question": "How safe do you feel?",
        "references": "['Very safe', 'Somewhat safe', 'Not safe', 'Not sure', 'Refused']",
        "option_mapping": (
            "{1.0: 'Very safe', 2.0: 'Somewhat safe', 3.0: 'Not safe', 8.0: 'Not sure', "
            "99.0: 'Refused'}"
        ),
        "option_ordinal": "[1.0, 1.5, 2.0]",
    }
    return pd.DataFrame([{**row, **changes}])


def question(**changes: Any) -> dict[str, Any]:
    return opinionqa.questions({"w1": info(**changes)}).to_pylist()[0]


def answers(values: list[Any], **changes: Any) -> list[tuple[str, str | None]]:
    table = pd.DataFrame({"index": range(len(values)), "SAFE_W1": pd.Series(values, dtype=object)})
    rows = opinionqa.responses({"w1": (info(**changes), table)}).to_pylist()
    return [(row["status"], row["answer"]) for row in rows]


def people(columns: dict[str, list[Any]], metadata: list[dict[str, str]]) -> list[dict[str, Any]]:
    table = pd.DataFrame({"SAFE_W1": [1.0] * len(next(iter(columns.values()))), **columns})
    return opinionqa.respondents({"w1": (info(), table, pd.DataFrame(metadata))}).to_pylist()


class TestQuestions:
    def test_options_are_in_order_and_refusals_apart(self) -> None:
        row = question()
        assert row["options"] == ["Very safe", "Somewhat safe", "Not safe", "Not sure"]
        assert row["nonresponse"] == ["Refused"]

    def test_positions_go_with_the_options_and_not_sure_has_none(self) -> None:
        assert question()["ordinal"] == [1.0, 1.5, 2.0, None]
        assert question()["kind"] == "ordinal"

    def test_a_middle_option_that_stands_last_keeps_its_position(self) -> None:
        row = question(
            references="['Better', 'Worse', 'Neither', 'Refused']",
            option_mapping="{1.0: 'Better', 2.0: 'Worse', 3.0: 'Neither', 99.0: 'Refused'}",
            option_ordinal="[1.0, 2.0, 1.5]",
        )
        assert dict(zip(row["options"], row["ordinal"], strict=True)) == {
            "Better": 1.0,
            "Worse": 2.0,
            "Neither": 1.5,
        }

    def test_positions_skip_a_not_sure_in_the_middle(self) -> None:
        row = question(
            references="['Good', 'Not sure', 'Bad']", option_mapping="", option_ordinal="[1, 2]"
        )
        assert row["ordinal"] == [1.0, None, 2.0]

    def test_a_list_as_pandas_writes_it(self) -> None:
        assert question(option_ordinal="[1.0, nan, 2.0]")["ordinal"] == [1.0, None, 2.0, None]

    def test_selected_items_are_a_kind_of_their_own(self) -> None:
        row = question(
            references="['Not selected', 'Sugar']",
            option_mapping="{0.0: 'Not selected', 1.0: 'Sugar'}",
            option_ordinal="[0.0, 1.0]",
        )
        assert row["kind"] == "multiple"

    def test_without_positions_a_question_is_a_single_choice(self) -> None:
        assert question(option_ordinal="")["kind"] == "single"
        assert question(option_ordinal="")["ordinal"] == [None] * 4

    def test_the_mapping_alone_is_enough(self) -> None:
        table = info().drop(columns=["references", "option_ordinal"])
        row = opinionqa.questions({"w1": table}).to_pylist()[0]
        assert row["options"] == ["Very safe", "Somewhat safe", "Not safe", "Not sure"]

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            (
                {"references": "['Yes', 'No'"},
                r"'references', row 1 \(key 'SAFE_W1'\): expected a list",
            ),
            ({"references": "__import__('os').system('true')"}, "expected a list"),
            ({"references": "[" * 5000 + "]" * 5000}, "expected a list"),
            ({"references": "'x' * 10"}, "expected a list"),
            ({"references": "['a'" + ", 'a'" * 40_000 + "]"}, "too many"),
            ({"option_mapping": "['Yes', 'No']"}, "'option_mapping'.*expected a dict"),
            ({"option_mapping": "{1: 'Yes'}"}, "'Yes' is not among the references"),
            ({"option_mapping": "{1: 'Very safe', 1.0: 'Not safe', '1': 'Not sure'}"}, "same code"),
            ({"option_ordinal": "[1, 2, 3, 4, 5, 6]"}, "6 positions for 5 options"),
            ({"option_ordinal": "['low']"}, "expected numbers"),
            ({"references": "['Yes', 'Yes']", "option_mapping": ""}, "'Yes' appears twice"),
            ({"references": "['Yes', '']", "option_mapping": ""}, "an option is blank"),
            ({"references": "", "option_mapping": ""}, "no options"),
            (
                {"references": "['Refused']", "option_mapping": "", "option_ordinal": ""},
                "no option is an answer",
            ),
            ({"key": " "}, "the key is blank"),
            ({"question": None}, "the question is blank"),
        ],
    )
    def test_what_is_malformed_is_named(self, change: dict[str, Any], message: str) -> None:
        with pytest.raises(ValueError, match=message):
            question(**change)

    def test_two_questions_with_one_key(self) -> None:
        with pytest.raises(ValueError, match=r"row 2 \(key 'SAFE_W1'\): row 1 has the same key"):
            opinionqa.questions({"w1": pd.concat([info(), info()])})

    def test_a_table_without_options(self) -> None:
        with pytest.raises(ValueError, match="neither a column 'references' nor 'option_mapping'"):
            opinionqa.questions({"w1": info()[["key", "question"]]})


class TestResponses:
    def test_texts(self) -> None:
        assert answers(["Very safe", "Not sure", "Refused", None, " "]) == [
            ("answered", "Very safe"),
            ("answered", "Not sure"),
            ("refused", None),
            ("not_asked", None),
            ("not_asked", None),
        ]

    def test_codes_however_they_are_written(self) -> None:
        given = answers([1, "1", "1.0", 1.0, " 2.0", "99", 99.0, float("nan")])
        assert given == [
            *[("answered", "Very safe")] * 4,
            ("answered", "Somewhat safe"),
            *[("refused", None)] * 2,
            ("not_asked", None),
        ]

    def test_labels_that_are_numbers_are_not_taken_for_codes(self) -> None:
        swapped = {
            "references": "['1', '2']",
            "option_mapping": "{1: '2', 2: '1'}",
            "option_ordinal": "[1, 2]",
        }
        assert answers(["1", "2", "1"], **swapped) == [
            ("answered", "1"),
            ("answered", "2"),
            ("answered", "1"),
        ]

    @pytest.mark.parametrize(
        ("cell", "status"),
        [
            ("Refused", "refused"),
            ("(VOL.) Don\u2019t know", "dont_know"),
            ("Don't know/Refused", "dont_know"),
            ("DK", "dont_know"),
            ("No answer", "refused"),
            ("Prefer not to say", "refused"),
            ("Inapplicable", "not_asked"),
        ],
    )
    def test_nonresponses_are_known_where_no_option_lists_them(
        self, cell: str, status: str
    ) -> None:
        assert answers([cell]) == [(status, None)]

    def test_case_and_spaces_do_not_matter(self) -> None:
        assert answers(["very  SAFE "]) == [("answered", "Very safe")]

    def test_booleans_of_a_typed_table(self) -> None:
        yes_no = {
            "references": "['Yes', 'No']",
            "option_mapping": "{1: 'Yes', 2: 'No'}",
            "option_ordinal": "[1, 2]",
        }
        table = pa.table({"index": [0, 1, 2], "SAFE_W1": [True, False, None]})
        rows = opinionqa.responses({"w1": (info(**yes_no), table)}).to_pylist()
        assert [row["answer"] for row in rows] == ["Yes", "No", None]

    def test_an_answer_that_is_no_option(self) -> None:
        message = "w1: responses, column 'SAFE_W1', row 2: 'Very save'.*did you mean 'Very safe'"
        with pytest.raises(ValueError, match=message):
            answers(["Not safe", "Very save"])

    def test_a_question_without_a_column(self) -> None:
        with pytest.raises(ValueError, match="responses has no column 'SAFE_W1'"):
            opinionqa.responses({"w1": (info(), pd.DataFrame({"index": [1]}))})

    @pytest.mark.parametrize(
        ("ids", "message"),
        [
            ([7, 7], "row 2: the id '7' is also that of row 1"),
            (["a", None], "row 2: the id is blank"),
        ],
    )
    def test_ids(self, ids: list[Any], message: str) -> None:
        with pytest.raises(ValueError, match=message):
            opinionqa.responses({"w1": (info(), pd.DataFrame({"index": ids, "SAFE_W1": 1.0}))})

    @given(st.lists(st.sampled_from([1.0, 2.0, 3.0, 8.0, 99.0, None]), min_size=1, max_size=30))
    def test_codes_and_texts_say_the_same(self, codes: list[float | None]) -> None:
        texts = {
            1.0: "Very safe",
            2.0: "Somewhat safe",
            3.0: "Not safe",
            8.0: "Not sure",
            99.0: "Refused",
            None: None,
        }
        assert answers(list(codes)) == answers([texts[code] for code in codes])


class TestRespondents:
    def test_attributes_are_those_of_metadata_and_not_blank(self) -> None:
        rows = people(
            {"index": [5, 6], "AGE": ["18-29", None], "CHILDREN": [2.0, 0.0], "OTHER": ["x", "y"]},
            [{"key": "AGE", "options": "['18-29', '30+']"}, {"key": "CHILDREN", "options": "[]"}],
        )
        assert [row["respondent_id"] for row in rows] == ["5", "6"]
        assert [dict(row["attributes"]) for row in rows] == [
            {"AGE": "18-29", "CHILDREN": "2"},
            {"CHILDREN": "0"},
        ]
        assert [row["weight"] for row in rows] == [1.0, 1.0]

    def test_values_outside_the_list_are_kept_and_nan_is_blank(self) -> None:
        rows = people(
            {"index": [1, 2], "MARITAL": ["Living with a partner", "nan"]},
            [{"key": "MARITAL", "options": "['Married']"}],
        )
        assert [dict(r["attributes"]) for r in rows] == [{"MARITAL": "Living with a partner"}, {}]

    def test_weights_are_found(self) -> None:
        rows = people({"index": [1], "AGE": ["x"], "WEIGHT_W34": ["0.75"]}, [{"key": "AGE"}])
        assert rows[0]["weight"] == 0.75

    def test_yes_and_no_read_as_booleans_get_their_names_back(self) -> None:
        rows = people(
            {"index": [1], "CITIZEN": [True]}, [{"key": "CITIZEN", "options": "['Yes', 'No']"}]
        )
        assert dict(rows[0]["attributes"]) == {"CITIZEN": "Yes"}

    @pytest.mark.parametrize(
        ("columns", "metadata", "message"),
        [
            ({"index": [1]}, [{"key": "SAFE_W1"}], "'SAFE_W1' is a question"),
            ({"index": [1]}, [{"key": "AGE"}], "no column 'AGE'"),
            ({"index": [1], "AGE": ["x"]}, [{"key": "AGE"}, {"key": "AGE"}], "appears twice"),
            ({"index": [1], "WEIGHT": [-1.0]}, [{"key": "SEX"}], "no column 'SEX'"),
            ({"AGE": ["x"]}, [{"key": "AGE"}], "no column 'index'"),
            ({"index": [1], "A": ["x"], "WEIGHT": [-1]}, [{"key": "A"}], "a number of at least 0"),
            (
                {"index": [1], "A": ["x"], "WEIGHT": [None]},
                [{"key": "A"}],
                "a number of at least 0",
            ),
            (
                {"index": [1], "A": ["x"], "WEIGHT_W1": [1], "WEIGHT_W2": [1]},
                [{"key": "A"}],
                "several columns of weights",
            ),
        ],
    )
    def test_what_does_not_fit_is_named(
        self, columns: dict[str, list[Any]], metadata: list[dict[str, str]], message: str
    ) -> None:
        with pytest.raises(ValueError, match=message):
            people(columns, metadata)


HOURS = {
    **{"references": "", "option_mapping": "{-1: 'Refused', -2: \"Don't know\"}"},
    **{"option_ordinal": "", "kind": "numeric", "range": "[0, 24]"},
}
WHY = {"references": "", "option_mapping": "", "option_ordinal": "", "kind": "text"}


class TestKinds:
    def test_a_numeric_question_has_a_range_and_no_options(self) -> None:
        row = question(**HOURS)
        assert (row["kind"], row["options"], row["low"], row["high"]) == ("numeric", [], 0, 24)

    def test_numbers_are_answers_in_one_spelling(self) -> None:
        given = answers(["7", 7.0, "2.50", -1, "-2", None, "no answer"], **HOURS)
        assert given == [
            *(("answered", "7"), ("answered", "7"), ("answered", "2.5")),
            *(("refused", None), ("dont_know", None), ("not_asked", None), ("refused", None)),
        ]

    def test_texts_are_answers_on_one_line(self) -> None:
        given = answers(["I like\n  it", "Refused", "", "x" * 3000], **WHY)
        assert given[:3] == [("answered", "I like it"), ("refused", None), ("not_asked", None)]
        assert len(given[3][1] or "") == 2000

    @pytest.mark.parametrize(
        ("value", "message"),
        [
            ("many", "'SAFE_W1', row 1: 'many' is not a number"),
            ("25", "'25' is outside of the question's range, 0 to 24"),
            ("nan7", "is not a number"),
            ("1e999", "is not a number"),
        ],
    )
    def test_what_is_no_number_of_the_range_is_named(self, value: str, message: str) -> None:
        with pytest.raises(ValueError, match=message):
            answers([value], **HOURS)

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"kind": "numerical"}, "'numerical' is none of .*did you mean 'numeric'"),
            ({"kind": "numeric"}, "a numeric question has no options, but it lists 'Very safe'"),
            ({"range": "[0, 24]"}, "a question with a range is of the kind 'numeric'"),
            (HOURS | {"range": "[24, 0]"}, "the least number is not below the largest"),
            (HOURS | {"range": "[24]"}, r"expected \[least, largest\]"),
            ({"refusals": "keep"}, "'keep' is none of exclude, option"),
        ],
    )
    def test_a_kind_that_does_not_fit_is_named(self, change: dict[str, str], message: str) -> None:
        with pytest.raises(ValueError, match=message):
            question(**change)

    def test_refusals_are_options_where_the_survey_says_so(self) -> None:
        row = question(refusals="option")
        assert row["options"][-1] == "Refused"
        assert (row["ordinal"][-1], row["nonresponse"], row["kind"]) == (None, [], "ordinal")
        assert answers([99, 1], refusals="option")[0] == ("answered", "Refused")
        assert answers([99, 1])[0] == ("refused", None)
        rows = opinionqa.questions({"w1": info()}, refusals="option").to_pylist()
        assert rows[0]["options"] == row["options"]

    def test_an_item_stays_one_when_its_refusal_is_an_option(self) -> None:
        row = question(
            references="['Not selected', 'Sugar', 'Refused']",
            **{"option_mapping": "", "option_ordinal": "", "refusals": "option"},
        )
        assert row["kind"] == "multiple"


def test_several_surveys_stand_in_one_table() -> None:
    table = opinionqa.questions({"w1": info(), "w2": info()})
    assert table["survey"].to_pylist() == ["w1", "w2"]
    assert opinionqa.questions({}).num_rows == 0


def test_something_that_is_no_table() -> None:
    with pytest.raises(ValueError, match="expected a table"):
        opinionqa.questions({"w1": "info.csv"})
