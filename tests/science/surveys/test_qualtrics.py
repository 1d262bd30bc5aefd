"""Qualtrics: three header lines, and a QSF."""

from __future__ import annotations

import json

import pytest

from lupom.science.surveys import files, guesses, layout

QSF = {
    "SurveyEntry": {"SurveyName": "Staff"},
    "SurveyElements": [
        {"Element": "BL", "Payload": []},
        {
            "Element": "SQ",
            "PrimaryAttribute": "QID1",
            "Payload": {  # an answer may have been taken out: 3 is not there
                "QuestionID": "QID1", "QuestionType": "MC", "Selector": "SAVR",
                "QuestionText": "<p>How satisfied are you&nbsp;with <b>your job</b>?</p>",
                "Choices": {"1": {"Display": "Very satisfied"}, "2": {"Display": "Satisfied"},
                            "4": {"Display": "Dissatisfied"},
                            "9": {"Display": "Prefer not to say"}},
                "ChoiceOrder": ["1", "2", "4", "9"],
                "RecodeValues": {"1": "3", "2": "2", "4": "1", "9": "-9"},
            },
        },
        {
            "Element": "SQ",
            "PrimaryAttribute": "QID2",
            "Payload": {
                "QuestionID": "QID2", "QuestionType": "MC", "Selector": "MAVR",
                "QuestionText": "Which do you use?",
                "Choices": {"1": {"Display": "Bus"}, "2": {"Display": "Train, tram"}},
            },
        },
        {
            "Element": "SQ",
            "PrimaryAttribute": "QID3",
            "Payload": {
                "QuestionID": "QID3", "QuestionType": "Matrix", "Selector": "Likert",
                "QuestionText": "How much do you agree?",
                "Choices": {"1": {"Display": "My work matters"}, "2": {"Display": "I am heard"}},
                "Answers": [{"Display": "Agree"}, {"Display": "Disagree"}],
            },
        },
        {
            "Element": "SQ",
            "PrimaryAttribute": "QID4",
            "Payload": {"QuestionID": "QID4", "QuestionType": "TE", "QuestionText": "Comments"},
        },
    ],
}  # fmt: skip
IDS = [
    "startDate",
    "_recordId",
    "QID1",
    "QID2_1",
    "QID2_2",
    "QID3_1",
    "QID3_2",
    "QID4_TEXT",
    "department",
]
HEAD = (
    "StartDate,ResponseId,Q1,Q2_1,Q2_2,Q3_1,Q3_2,Q4,department\n"
    'Start Date,Response ID,How satisfied,"Which - Bus","Which - Train, tram",a,b,c,department\n'
    + ",".join('"' + json.dumps({"ImportId": i}).replace('"', '""') + '"' for i in IDS)
    + "\n"
)
TEXTS = HEAD + (
    '2026-01-02 10:00:00,R_1,Very satisfied,Bus,"Train, tram",Agree,Disagree,Fine,Sales\n'
    "2026-01-02 10:01:00,R_2,Dissatisfied,Bus,,Agree,Agree,,IT\n"
    '2026-01-02 10:02:00,R_3,Prefer not to say,,"Train, tram",Disagree,,"So\nso",IT\n'
    "2026-01-02 10:03:00,R_4,Satisfied,,,Agree,Agree,,Sales\n"
)
CODES = HEAD + (
    "2026-01-02 10:00:00,R_1,3,1,1,1,2,Fine,Sales\n"
    "2026-01-02 10:01:00,R_2,1,1,,1,1,,IT\n"
    '2026-01-02 10:02:00,R_3,-9,,1,2,,"So\nso",IT\n'
    "2026-01-02 10:03:00,R_4,2,,,1,1,,Sales\n"
)


@pytest.fixture
def export(tmp_path):
    def write(text):
        (tmp_path / "answers.csv").write_text(text, encoding="utf-8")
        (tmp_path / "staff.qsf").write_text(json.dumps(QSF), encoding="utf-8")
        return tmp_path / "answers.csv", tmp_path / "staff.qsf"

    return write


@pytest.mark.parametrize("text", [TEXTS, CODES], ids=["choice texts", "numeric values"])
def test_an_export_with_its_qsf(export, text):
    path, qsf = export(text)
    file = files.read(path, qsf=qsf)
    book = guesses.guess(file, "staff")
    tables = layout.build(file, book)
    assert book.id == "ResponseId"
    assert [(q.key, q.kind, q.question) for q in book.questions] == [
        ("Q1", "ordinal", "How satisfied are you with your job?"),
        ("Q2_1", "multiple", "Which do you use? Bus"),
        ("Q2_2", "multiple", "Which do you use? Train, tram"),
        ("Q3_1", "ordinal", "How much do you agree? My work matters"),
        ("Q3_2", "ordinal", "How much do you agree? I am heard"),
    ]
    assert book.ignored == {"StartDate": "Qualtrics' own", "Q4": "free text"}
    # Of those who selected nothing it is not known whether they were asked.
    assert tables.responses == [
        ["index", "Q1", "Q2_1", "Q2_2", "Q3_1", "Q3_2", "department"],
        ["R_1", "Very satisfied", "Selected", "Selected", "Agree", "Disagree", "Sales"],
        ["R_2", "Dissatisfied", "Selected", "Not selected", "Agree", "Agree", "IT"],
        ["R_3", "Prefer not to say", "Not selected", "Selected", "Disagree", "", "IT"],
        ["R_4", "Satisfied", "", "", "Agree", "Agree", "Sales"],
    ]
    assert tables.answers["refused"] == 1


def test_several_choices_in_one_column_become_a_column_each(export):
    text = TEXTS.replace("Q2_1,Q2_2", "Q2,x").replace("QID2_1", "QID2").replace("QID2_2", "x")
    text = text.replace('satisfied,Bus,"Train, tram"', 'satisfied,"Bus,Train, tram",u')
    text = text.replace('say,,"Train, tram"', 'say,"Train, tram",v')
    path, qsf = export(text)
    columns = {c.name: c.values for c in files.read(path, qsf=qsf).columns}
    assert columns["Q2_1"] == ["1", "1", "0", ""]
    assert columns["Q2_2"] == ["1", "0", "1", ""]


def test_an_export_without_its_qsf_has_the_texts_that_occur(export):
    path, _ = export(TEXTS)
    file = files.read(path)
    book = guesses.guess(file, "staff")
    assert [q.key for q in book.questions] == ["Q1", "Q2_1", "Q2_2", "Q3_1", "Q3_2"]
    assert book.questions[1].kind == "multiple"
    assert layout.build(file, book).answers["answered"] == 16


@pytest.mark.parametrize(
    ("qsf", "message"),
    [
        ("{", r"staff\.qsf:1: not a QSF file"),
        ("[]", r"staff\.qsf: not a QSF file"),
        ('{"SurveyElements": [{"Element": "SQ", "Payload": {}}]}', r"staff\.qsf: not a QSF file"),
        ("[" * 100_000, r"staff\.qsf: not a QSF file"),
    ],
)
def test_a_qsf_that_is_none_is_refused(export, qsf, message):
    path, definition = export(TEXTS)
    definition.write_text(qsf)
    with pytest.raises(ValueError, match=message):
        files.read(path, qsf=definition)


def test_a_qsf_in_the_place_of_answers_is_refused(export):
    _, qsf = export(TEXTS)
    with pytest.raises(ValueError, match="give the CSV export"):
        files.read(qsf)


def test_a_csv_that_is_no_export_is_refused_with_a_qsf(export):
    path, qsf = export("id,q\n1,2\n2,3\n")
    with pytest.raises(ValueError, match=r"answers\.csv:3: not a Qualtrics export"):
        files.read(path, qsf=qsf)
