"""Files of predictions made elsewhere: which columns, which options, and what does not fit."""

from __future__ import annotations

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lupom.engine.llm.choices import meant
from lupom.science.surveys import predicted
from lupom.science.surveys.predicted import HEADER, Asked, Known
from lupom.science.surveys.questions import Question


def question(key, *options, kind="single", codes=(), **limits):
    named = dict(zip(codes, options, strict=True)) if codes else {}
    return Question(
        key, key, "", key, options, (None,) * len(options), "", {}, named, kind, **limits
    )


MOOD = Asked(question("mood", "Bad", "Fair", "Good", codes=("1", "2", "3")), "Q1")
HOURS = Asked(question("hours", "Below 20", "20 or more"), "hours", bins=(20.0,))
AGE = Asked(question("age", kind="numeric", low=0.0, high=120.0), "age")
KNOWN = Known("pets", {"mood": MOOD, "hours": HOURS, "age": AGE}, ["1", "2", "3"], "person")


def read(tmp_path, text, known=KNOWN, **options):
    path = tmp_path / "p.csv"
    path.write_text(text, encoding="utf-8")
    return predicted.read(predicted.open_file(path), known, meant, **options)


def short(found):
    """Return the rows without survey, setting, llm and cost."""
    return [(r[1], r[2], r[5] or r[6] or r[7]) for r in found.rows]


def test_one_prediction_a_row(tmp_path):
    text = "respondent_id,question_id,answer,llm,setting,cost\n1,mood,Good,gpt,history,.01\n"
    (row,) = read(tmp_path, text, llm="other").rows
    assert dict(zip(HEADER, row, strict=True)) == {
        "survey": "pets", "respondent_id": "1", "question_id": "mood", "setting": "history",
        "llm": "gpt", "answer": "Good", "probabilities": "", "number": "", "cost": ".01",
    }  # fmt: skip


def test_what_a_person_is_not_asked_is_no_prediction(tmp_path):
    """As `lupom predict` writes it."""
    head = "respondent_id,question_id,predictor,answer,asked,ruled_out_by\n"
    found = read(tmp_path, head + '1,mood,p,,0.0,"[""pet: No""]"\n2,mood,p,Good,1.0,\n')
    assert short(found) == [("2", "mood", "Good")]
    assert (found.invalid, found.notes) == (0, [])


def test_a_column_for_each_question_by_its_id_or_its_column_in_the_survey_s_file(tmp_path):
    found = read(tmp_path, "person,Q1,Hours,age\n1,3,5,40\n2,,25,\n3.0,Bad,,7.50\n", llm="gpt")
    assert short(found) == [
        ("1", "mood", "Good"), ("1", "hours", "Below 20"), ("1", "age", "40"),
        ("2", "hours", "20 or more"), ("3", "mood", "Bad"), ("3", "age", "7.5"),
    ]  # fmt: skip
    assert {row[4] for row in found.rows} == {"gpt"}
    assert found.notes == []


def test_a_row_s_cost_is_shared_by_its_predictions(tmp_path):
    found = read(tmp_path, "person,mood,age,cost\n1,Good,30,0.06\n")
    assert [row[-1] for row in found.rows] == ["0.03", "0.03"]


@pytest.mark.parametrize(
    ("given", "option"),
    [("Good", "Good"), ("good.", "Good"), ("3", "Good"), ("3.0", "Good"), ("'Good'", "Good"),
     ("3: Good", "Good"), (" BAD ", "Bad")],
)  # fmt: skip
def test_an_option_is_found_as_the_answers_of_llms_are(tmp_path, given, option):
    found = read(tmp_path, f'respondent_id,question_id,answer\n1,mood,"{given}"\n')
    assert short(found) == [("1", "mood", option)]


@pytest.mark.parametrize(
    "text",
    [
        'respondent_id,question_id,probabilities\n1,mood,"{""good"": 60, ""2"": 20}"\n',
        "respondent_id,question_id,option,probability\n1,mood,Good,.75\n1,mood,Fair,.25\n",
    ],
)
def test_probabilities_are_an_object_or_a_row_for_each_option(tmp_path, text):
    (row,) = read(tmp_path, text).rows
    assert json.loads(row[6]) == {"Good": 0.75, "Fair": 0.25}


def test_probabilities_may_be_a_map_of_a_parquet_file(tmp_path):
    spread = pa.array([[("Good", 0.5), ("Bad", 0.5)]], pa.map_(pa.string(), pa.float64()))
    table = pa.table({"respondent_id": [1], "question_id": ["mood"], "probabilities": spread})
    pq.write_table(table, tmp_path / "p.parquet")
    (row,) = predicted.read(predicted.open_file(tmp_path / "p.parquet"), KNOWN, meant).rows
    assert json.loads(row[6]) == {"Good": 0.5, "Bad": 0.5}


def test_what_does_not_fit_is_told_with_what_was_probably_meant(tmp_path):
    found = read(
        tmp_path,
        "respondent_id,question_id,answer\n1,mood,Good\n2,mood,Goood\n3,mood,Goood\n1,age,200\n"
        "9,mood,Good\n1,moood,Good\n2,age,\n",
    )
    assert found.notes == [
        "1 rows are of respondents that pets does not have and left out: '9'",
        "1 rows are of questions that pets does not have and left out: "
        "'moood' (did you mean 'mood'?)",
        "4 rows have an answer that is none of the question's, and count as invalid: "
        "mood 'Goood' (2 times (did you mean 'Good'?)), age '200' (1 times), age '' (1 times)",
    ]
    assert found.invalid == 4
    # They stay as they were said, and are no answers.
    assert short(found)[1:3] == [("2", "mood", "Goood"), ("3", "mood", "Goood")]


def test_columns_that_are_no_questions_are_told(tmp_path):
    found = read(tmp_path, "person,mood,moood\n1,Good,Bad\n")
    assert found.notes == ["1 columns are no questions of pets: 'moood' (did you mean 'mood'?)"]


@pytest.mark.parametrize(
    ("text", "columns", "message"),
    [
        ("respondent_id,question_id,answer\n9,mood,Good\n", {}, "nothing fits the survey pets: 1"),
        (
            "respondent_id,question_id,answer\n1,mood,Good\n2,mood,Bad\n1,mood,Fair\n",
            {},
            "rows 1 and 3 both predict the answer of 1 to mood; give each a 'setting'",
        ),
        ("who,question_id,answer\nx,mood,Good\n", {}, "which column has the respondents"),
        ("respondent_id,question_id,said\n1,mood,Good\n", {}, "which column has the predictions"),
        ("who,mood\n1,Good\n", {"respondent": "who"}, "no role 'respondent' .*respondent_id"),
        ("who,mood\n1,Good\n", {"respondent_id": "whom"}, r"no column 'whom' \(did you mean 'who'"),
    ],
)
def test_what_cannot_be_read_is_an_error(tmp_path, text, columns, message):
    with pytest.raises(ValueError, match=message):
        read(tmp_path, text, columns=columns)


def test_columns_may_be_called_otherwise(tmp_path):
    text = "who,asked,said\n1,mood,Good\n"
    roles = {"respondent_id": "who", "question_id": "asked", "answer": "said"}
    assert short(read(tmp_path, text, columns=roles)) == [("1", "mood", "Good")]
