"""Qualtrics: three header lines, and a QSF."""

from __future__ import annotations

import csv
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


def exported(tmp_path, columns, qsf=None):
    """Write an export of (name, wording, heading, cells) and read it."""
    rows = [[c[i] for c in columns] for i in (0, 1)]
    rows.append([json.dumps(c[2]) if c[2] else "" for c in columns])
    rows += map(list, zip(*(c[3] for c in columns), strict=True))
    with (tmp_path / "x.csv").open("w", newline="", encoding="utf-8") as out:
        csv.writer(out).writerows(rows)
    if qsf is not None:
        (tmp_path / "x.qsf").write_text(json.dumps(qsf), encoding="utf-8")
    return files.read(tmp_path / "x.csv", qsf=None if qsf is None else tmp_path / "x.qsf")


ID = ("ResponseId", "Response ID", {"ImportId": "_recordId"}, ["R_1", "R_2", "R_3"])
SPLIT = [
    ID,
    ("Q2_1", "Which - Bus", {"ImportId": "QID2", "choiceId": "1"}, ["1", "", "1"]),
    ("Q2_2", "Which - Train", {"ImportId": "QID2", "choiceId": "2"}, ["", "1", "1"]),
    ("Q2_3", "Which - Boat", {"ImportId": "QID2", "choiceId": "3"}, ["", "", ""]),
]


@pytest.mark.parametrize("qsf", [None, QSF], ids=["without a QSF", "with it"])
def test_a_choice_id_beside_the_import_id_says_which_choice_a_column_is(tmp_path, qsf):
    file = exported(tmp_path, SPLIT, qsf)
    bus, train, boat = file.columns[1:]
    assert [c.group for c in (bus, train, boat)] == ["QID2"] * 3
    assert (bus.values, train.values, boat.values) == (["1", "0", "1"], ["0", "1", "1"], ["0"] * 3)
    told = ["Which do you use? Bus", "Which do you use? Train, tram"]
    assert [bus.label, train.label] == (["Which - Bus", "Which - Train"] if qsf is None else told)
    assert boat.label == "Which - Boat"


def test_what_was_not_selected_may_be_written_out(tmp_path):
    columns = [(*c[:3], [v or "0" for v in c[3]]) for c in SPLIT]
    columns[3] = (*columns[3][:3], ["-99", "0", ""])
    bus, train, boat = exported(tmp_path, columns).columns[1:]
    assert (bus.values, train.values, boat.values) == (
        ["1", "0", "1"], ["0", "1", "1"], ["0", "0", ""],
    )  # fmt: skip


def test_seen_and_not_answered_is_no_option(tmp_path):
    column = ("Q1", "How?", {"ImportId": "QID77"}, ["1", "-99", "2"])
    (question,) = guesses.guess(exported(tmp_path, [ID, column]), "x").questions
    assert (list(question.options), question.not_asked) == (["1", "2"], ["-99"])


def test_what_was_not_answered_in_one_row_of_a_grid_is_no_option_of_another(tmp_path):
    rows = [
        (f"Q3_{i}", f"Rate: - {what}", {"ImportId": f"QID3_{i}"}, values)
        for i, what, values in ((1, "Price", ["1", "3", "1"]), (2, "Taste", ["3", "-99", "1"]))
    ]
    price, taste = guesses.guess(exported(tmp_path, [ID, *rows]), "x").questions
    assert (list(price.options), price.not_asked) == (["1", "3"], [])
    assert (list(taste.options), taste.not_asked) == (["1", "3"], ["-99"])


@pytest.mark.parametrize(
    ("import_id", "why"),
    [
        ("QID1_DO", "the order in which things were shown"),
        ("QID1_DO_3", "the order in which things were shown"),
        ("BL_cM_DO", "the order in which things were shown"),
        ("QID4_PAGE_SUBMIT", "how long it took"),
        ("QID6_NPS_GROUP", "made of another column"),
        ("QID8_FILE_NAME", "a file"),
        ("QID2_TEXT_7fc1b8bbTopics", "made of a text"),
        ("QID2_TEXT_7fc1b8bbSentiment", "made of a text"),
        ("SC_0abc", "a score Qualtrics makes of other columns"),
        ("ipAddress", "Qualtrics' own"),
    ],
)
def test_what_qualtrics_makes_itself_is_left_out_with_the_reason(tmp_path, import_id, why):
    heading = {"ImportId": import_id, "choiceId": "Q8"}
    file = exported(tmp_path, [ID, ("x", "x", heading, ["1", "2", "3"])])
    assert file.columns[1].why == why


def test_embedded_data_is_an_attribute(tmp_path):
    embedded = ("Condition", "cond", {"ImportId": "cond"}, ["a", "b", "a"])
    asked = ("Q1", "How?", {"ImportId": "QID9"}, ["Yes", "No", "No"])
    book = guesses.guess(exported(tmp_path, [ID, embedded, asked]), "x")
    assert [a.column for a in book.attributes] == ["Condition"]
    assert [q.column for q in book.questions] == ["Q1"]


@pytest.mark.parametrize("import_id", ["QID9_TEXT_1", "QID9#1_2_x", "1_QID9_3_4_5", "QID9-2"])
def test_what_is_of_a_question_is_never_an_attribute(tmp_path, import_id):
    asked = ("Q9_1", "How much?", {"ImportId": import_id}, ["10", "20", "30"])
    book = guesses.guess(exported(tmp_path, [ID, asked]), "x")
    assert (book.attributes, [q.question for q in book.questions]) == ([], ["How much?"])


def test_rows_that_were_not_finished_are_told(tmp_path):
    ended = ("Finished", "Finished", {"ImportId": "finished"}, ["True", "False", "True"])
    asked = ("Q1", "How?", {"ImportId": "QID9"}, ["Not <b>at all</b>", "Very", "Very"])
    file = exported(tmp_path, [ID, ended, asked])
    assert file.notes == ["1 of the rows are of people who did not finish (column 'Finished')"]
    assert file.columns[2].values == ["Not at all", "Very", "Very"]


def test_loops_side_by_sides_and_matrices_are_told_apart(tmp_path):
    qsf = {"SurveyElements": [
        {"Element": "SQ", "Payload": {
            "QuestionID": "QID5", "QuestionType": "MC", "Selector": "SAVR",
            "QuestionText": "Do you like ${lm://Field/1}?",
            "Choices": {"1": {"Display": "Yes"}, "2": {"Display": "No"}}}},
        {"Element": "SQ", "Payload": {
            "QuestionID": "QID7", "QuestionType": "SBS", "Selector": "SBSMatrix",
            "QuestionText": "Each", "Choices": {"1": {"Display": "Price"}},
            "AdditionalQuestions": {"2": {
                "QuestionText": "How important?", "QuestionType": "Matrix",
                "Answers": {"1": {"Display": "Very"}, "2": {"Display": "Not at all"}}}}}},
    ]}  # fmt: skip
    file = exported(tmp_path, [
        ID,
        ("1_Q5", "Do you like tea?", {"ImportId": "1_QID5"}, ["1", "2", "1"]),
        ("2_Q5", "Do you like milk?", {"ImportId": "2_QID5"}, ["Yes", "No", "No"]),
        ("Q7#2_1", "Each - How important? - Price", {"ImportId": "QID7#2_1"}, ["1", "2", "2"]),
        ("Q8_1_1", "Where - Tea - Home", {"ImportId": "QID8_1_1"}, ["1", "", "1"]),
        ("Q8_1_2", "Where - Tea - Work", {"ImportId": "QID8_1_2"}, ["", "1", ""]),
    ], qsf)  # fmt: skip
    tea, milk, important, home, work = file.columns[1:]
    assert (tea.label, milk.label) == ("Do you like tea?", "Do you like milk?")
    assert milk.values == ["1", "2", "2"]
    assert (important.label, important.labels) == (
        "How important? Price", {"1": "Very", "2": "Not at all"},
    )  # fmt: skip
    assert (home.values, work.values) == (["1", "0", "1"], ["0", "1", "0"])


def test_numbers_that_are_typed_are_numbers_and_words_are_text(tmp_path):
    file = exported(tmp_path, [
        ID,
        ("Q9", "Your age?", {"ImportId": "QID9_TEXT"}, ["20", "31", ""]),
        ("Q2_3_TEXT", "Other", {"ImportId": "QID2_3_TEXT"}, ["a boat", "", "2"]),
    ])  # fmt: skip
    assert [c.why for c in file.columns[1:]] == ["", "free text"]


def test_keys_of_the_third_line_that_are_not_read_are_told(tmp_path):
    heading = {"ImportId": "QID1", "timeZone": "America/Denver", "loopId": "7"}
    file = exported(tmp_path, [ID, ("Q1", "Q?", heading, ["1", "2", "1"])])
    assert file.notes == ["the third line has keys beside ImportId that are not read: loopId"]


def test_codes_of_several_choices_in_a_cell_want_the_definition(tmp_path):
    people = (*ID[:3], ["R_1", "R_2", "R_3", "R_4"])
    given = ["1,3", "2", "1", "1"]
    file = exported(tmp_path, [people, ("Q2", "Which?", {"ImportId": "QID2"}, given)])
    assert file.notes == ["Q2: several choices in a cell; --qsf tells them apart"]
    assert file.columns[1].why == "several choices in a cell"


def test_texts_of_several_choices_in_a_cell_are_told_apart_without_it(tmp_path):
    people = (*ID[:3], ["R_1", "R_2", "R_3", "R_4"])
    given = ["Tea,Milk", "Tea", "Milk", "Milk,Tea"]
    file = exported(tmp_path, [people, ("Q2", "Which?", {"ImportId": "QID2"}, given)])
    assert {c.name: c.values for c in file.columns[2:]} == {
        "Q2 [Tea]": ["1", "1", "0", "1"],
        "Q2 [Milk]": ["1", "0", "1", "1"],
    }


def test_title_and_language_are_those_of_the_definition(export):
    path, qsf = export(TEXTS)
    book = guesses.guess(files.read(path, qsf=qsf), "staff_2026")
    assert book.context == {"title": "Staff"}
