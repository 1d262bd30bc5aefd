"""People who were not there: a file is read as the import read it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pyreadstat
import pytest

from lupom.science.surveys import files, guesses, layout, newcomers, opinionqa, questions
from lupom.science.surveys.columns import Column, File
from lupom.science.surveys.fields import Field, Misread

WORDS = {"mood": {1: "Bad", 2: "Fair", 3: "Good", 8: "Don't know", 9: "Refused"}}
PEOPLE = 60


def frame() -> pd.DataFrame:
    """A survey: codes, a scale, choices of a question, numbers, an attribute of each kind."""
    people = np.arange(PEOPLE)
    return pd.DataFrame(
        {
            "caseid": people + 1000,
            "mood": np.choose(people % 6, [1, 2, 3, 8, 9, np.nan]),
            "scale": people % 11,
            "q5_1": np.where(people % 4 == 0, 1.0, np.nan),
            "q5_2": np.where(people % 4 != 0, 1.0, np.nan),
            "age": people + 18,
            "sex": np.where(people % 2, 1, 2),
            "weight": 1.0 + people % 3 / 10,
        }
    )


def sav(path, table):
    pyreadstat.write_sav(
        table,
        str(path),
        column_labels={"mood": "How is your mood?", "q5_1": "Pets: cat", "q5_2": "Pets: dog"},
        variable_value_labels={**WORDS, "sex": {1: "Male", 2: "Female"}},
        missing_ranges={"mood": [8, 9]},
    )


def csv(path, table):
    table.to_csv(path, index=False)


def words(path, table):
    told = table.assign(
        mood=table["mood"].map(WORDS["mood"]).fillna("NA"),
        sex=table["sex"].map({1: "Male", 2: "Female"}),
    )
    told.to_csv(path, index=False)


def imported(path, refusals="exclude"):
    """Return what the import makes of a file: the staged tables, and what is then known of it."""
    file = files.read(path)
    book = guesses.guess(file, "wave")
    made = layout.build(file, book)
    info, responses, metadata = (
        layout.arrow(rows) for rows in (made.info, made.responses, made.metadata)
    )
    asked = questions.read(info, "wave", refusals=refusals)
    people = opinionqa.respondents({"wave": (info, responses, metadata)})
    known = newcomers.known(
        {q.key: q.options for q in asked if q.options},
        opinionqa.listed(metadata),
        asked=asked,
        values=opinionqa.listed(metadata),
        book=book,
    )
    answers = opinionqa.responses({"wave": (info, responses)}, refusals=refusals)
    return answers, people, known


@pytest.mark.parametrize("refusals", ["exclude", "option"])
@pytest.mark.parametrize(
    ("name", "write"), [("w.sav", sav), ("w.csv", csv), ("w.csv", words), ("w.dta", None)]
)
def test_a_file_is_read_as_the_import_read_it(tmp_path, name, write, refusals):
    path = tmp_path / name
    if write is None:
        pyreadstat.write_dta(frame(), str(path), variable_value_labels=WORDS)
    else:
        write(path, frame())
    responses, respondents, known = imported(path, refusals)
    people = newcomers.read(files.read(path, guess=False), known)
    at = {name: place for place, name in enumerate(known.questions)}
    row = {name: place for place, name in enumerate(people.ids)}
    compared = 0
    for one in responses.to_pylist():
        if one["question_id"] in at:
            code = people.answers[row[one["respondent_id"]], at[one["question_id"]]]
            options = known.questions[one["question_id"]].options
            assert (None if code < 0 else options[code]) == one["answer"], one
            compared += one["answer"] is not None
    assert compared > PEOPLE
    for person in respondents.to_pylist():
        assert people.attributes[row[person["respondent_id"]]] == dict(person["attributes"])


def test_the_next_wave_needs_no_other_file(tmp_path):
    """One person says less of the columns than sixty: what they are was told by the import."""
    sav(tmp_path / "wave1.sav", frame())
    *_, known = imported(tmp_path / "wave1.sav")
    (tmp_path / "wave2.csv").write_text("caseid,mood,scale,q5_1,q5_2,sex\n7,3.0,10,1,,2\n8,9,,,,\n")
    people = newcomers.read(files.read(tmp_path / "wave2.csv", guess=False), known)
    said = [
        {
            q: f.options[c]
            for (q, f), c in zip(known.questions.items(), codes, strict=True)
            if c >= 0
        }
        for codes in people.answers
    ]
    chosen = {"q5_1": "Selected", "q5_2": "Not selected"}
    assert said == [{"mood": "Good", "scale": "10", **chosen}, {}]
    assert people.ids == ["7", "8"]
    assert people.attributes == [{"sex": "Female"}, {}]
    assert people.notes == ["q5_1 to q5_2: blank beside a choice is read as not selected"]


MOOD = Field("mood", "question", ("Bad", "Fair", "Good"), {"1": "Bad", "2": "Fair", "3": "Good"})
TEN = Field("ten", "question", tuple(map(str, range(11))))
AGE = Field("AGE", "attribute", ("Below 30", "30 to 49", "50 or more"), {"99": ""}, (30, 50))
GROUP = Field("GROUP", "attribute", ("18-29", "30-49", "65+", "Refused"))
PAY = Field("PAY", "attribute", ("Under $20,000", "$20,000-$40,000", "$40,000 or more"))
HEIGHT = Field(
    "height",
    "question",
    ("Below 160", "160 to 169", "170 to 179", "180 or more"),
    bins=(160, 170, 180),
)


@pytest.mark.parametrize(
    ("field", "cell", "meant"),
    [
        *((MOOD, cell, "Bad") for cell in ("Bad", " bad ", "1", "1.0", "01", "1,0", "BAD\u00a0")),
        *(
            (MOOD, cell, "")
            for cell in ("", "NA", "Don't know", "Refused", ".", "#N/A", "-9 Missing")
        ),
        *((TEN, cell, "2") for cell in ("2", "2.0", " 2")),
        *((AGE, cell, "30 to 49") for cell in ("30 to 49", "34", "34.0", "34,5")),
        *((AGE, cell, "30 to 49") for cell in ("34 years", "34 yrs")),
        (AGE, "99", ""),
        *((GROUP, cell, "30-49") for cell in ("30", "34", 49.5, "30-49")),
        *((GROUP, cell, "65+") for cell in ("65", "103")),
        *((PAY, cell, "$20,000-$40,000") for cell in ("20000", "$30,000", "39k", "39,999")),
        # A unit behind a number, where plain numbers are answered.
        *((TEN, cell, "2") for cell in ("2 Std.", "2h", "2,0 km")),
        *((HEIGHT, cell, "170 to 179") for cell in ("172 cm", "172cm", "172,5 cm")),
        *((PAY, cell, "Under $20,000") for cell in ("0", "19,999.50")),
    ],
)
def test_what_a_cell_means(field, cell, meant):
    assert field.meaning(cell) == meant


@pytest.mark.parametrize(
    ("field", "cell", "said", "hint"),
    [
        (
            MOOD,
            "4",
            "'mood' has no option '4'",
            "there are Bad, Fair, Good, or codes 1, 2, 3; leave",
        ),
        (MOOD, "Goood", "'mood' has no option 'Goood'", "did you mean 'Good'"),
        (TEN, "11", "'ten' has no option '11'", "a number from 0 to 10; leave it blank if"),
        (TEN, "-1", "'ten' has no option '-1'", "from 0 to 10"),
        (AGE, "old", "'AGE' has no value 'old'", "it is a number"),
        (AGE, "1,234", "'AGE' has no value '1,234'", "it is a number"),
        # Ranges are far from these: metres, inches.
        (HEIGHT, "1,72 m", "no option '1,72 m'", "the number alone, in the survey's own unit"),
        (HEIGHT, "68 in", "no option '68 in'", "the number alone, in the survey's own unit"),
        *((TEN, cell, f"no option '{cell}'", "there are 0") for cell in ("2 million", "2 pm")),
        (MOOD, "1 cm", "no option '1 cm'", "there are Bad"),
        (GROUP, "17", "no value '17'", "in none of the ranges 18-29, 30-49, 65+"),
        (GROUP, "50", "no value '50'", "in none of the ranges"),
    ],
)
def test_what_means_nothing_is_told_with_what_can_be(field, cell, said, hint):
    with pytest.raises(Misread, match=said) as told:
        field.meaning(cell)
    assert hint in told.value.hint


CAT = Field(
    *("q5_1", "question", ("Not selected", "Selected"), {"1": "Selected", "0": "Not selected"}),
    chosen="Which pets do you have?: A cat",
)


@pytest.mark.parametrize(
    ("cell", "meant"),
    [
        *((cell, "Selected") for cell in ("1", "x", "Yes", "a cat", "A Cat", "selected", "TRUE")),
        *((cell, "Not selected") for cell in ("0", "no", "False", "not selected")),
        *((cell, "") for cell in ("", "NA", "Refused")),
    ],
)
def test_a_choice_may_be_said_by_a_sign_or_in_its_own_words(cell, meant):
    assert CAT.meaning(cell) == meant


@pytest.mark.parametrize("cell", ["a", "ca", "e", "dog", "2"])
def test_what_is_no_choice_is_none(cell):
    with pytest.raises(Misread, match=f"'q5_1' has no option '{cell}'"):
        CAT.meaning(cell)


def test_a_column_goes_by_the_question_s_name_or_by_that_of_the_imported_file(tmp_path):
    known = newcomers.Known({"mood": replace(MOOD, column="How is your mood?")}, {})
    for head in ("mood", "MOOD", "How is your mood?", " how is  your MOOD? "):
        (tmp_path / "p.csv").write_text(f"id,{head}\na,Good\n")
        people = newcomers.read(files.read(tmp_path / "p.csv", guess=False), known)
        assert people.answers.tolist() == [[2]]
        assert people.notes == ["no question or attribute, and not looked at: id"]
    (tmp_path / "p.csv").write_text("mood,How is your mood?\nGood,Bad\n")
    with pytest.raises(Misread, match=r"columns 'mood' and 'How is your mood\?' are both question"):
        newcomers.read(files.read(tmp_path / "p.csv", guess=False), known)


CHILDREN = Field("n", "question", ("0", "1", "2+"), {"1": "0", "2": "1", "3": "2+"})


@pytest.mark.parametrize(
    ("other", "n", "meant"),
    [
        ("mood\n1", "1", "0"),  # the other column is of codes
        ("mood\nBad", "1", "1"),
        ("mood\n1", "2+", "2+"),
        ("mood\nBad", "3", "2+"),
    ],
)
def test_what_is_an_option_and_another_s_code_is_told_by_the_other_columns(
    tmp_path, other, n, meant
):
    head, cell = other.split("\n")
    (tmp_path / "p.csv").write_text(f"{head},n\n{cell},{n}\n")
    known = newcomers.Known({"mood": MOOD, "n": CHILDREN}, {})
    people = newcomers.read(files.read(tmp_path / "p.csv", guess=False), known)
    assert CHILDREN.options[people.answers[0, 1]] == meant


def test_a_code_that_is_another_option_in_the_file_is_refused(tmp_path):
    table = pd.DataFrame({"mood": [1.0, 2.0]})
    path = tmp_path / "w.sav"
    pyreadstat.write_sav(table, str(path), variable_value_labels={"mood": {1: "Good", 2: "Fair"}})
    with pytest.raises(Misread, match="1 is 'Good' in the file, and 'Bad' in the survey") as told:
        newcomers.read(files.read(path, guess=False), newcomers.Known({"mood": MOOD}, {}))
    assert told.value.row == 0


def test_nothing_in_a_message_drives_the_terminal(tmp_path):
    (tmp_path / "p.csv").write_text("mood,\x1b[2Jstrange\n\x1b[31mBad,1\n")
    known = newcomers.Known({"mood": MOOD}, {})
    with pytest.raises(Misread) as told:
        newcomers.read(files.read(tmp_path / "p.csv", guess=False), known)
    assert "[31mBad" in str(told.value)
    assert str(told.value).isprintable()
    (tmp_path / "p.csv").write_text("mood,\x1b[2Jstrange\nBad,1\n")
    (note,) = newcomers.read(files.read(tmp_path / "p.csv", guess=False), known).notes
    assert "strange" in note
    assert note.isprintable()


def test_the_first_person_is_no_second_header(tmp_path):
    """Whose answers nobody else gives: of six people in four columns that may be."""
    rows = ["caseid,mood,n,sex", "a,Bad,2+,Female", *(f"p{i},Good,0,Male" for i in range(7))]
    (tmp_path / "p.csv").write_text("\n".join(rows) + "\n")
    known = newcomers.Known(
        {"mood": MOOD, "n": CHILDREN},
        {"sex": Field("sex", "attribute", ("Male", "Female"))},
        ("respondent_id", "caseid"),
    )
    file = files.read(tmp_path / "p.csv", guess=False)
    assert file.head
    people = newcomers.read(file, known)
    assert (people.ids[0], people.attributes[0]) == ("a", {"sex": "Female"})
    assert (file.lines[0], len(people.answers), people.notes) == (2, 8, [])


def test_numbers_where_the_survey_has_ranges_are_put_into_them_and_that_is_said():
    known = newcomers.known({"mood": ["Bad", "Good"]}, {"AGE": ["18-29", "30-49", "50+"]})
    columns = [Column("mood", ["Bad", "Good"]), Column("age", ["34", "50-64"])]
    with pytest.raises(Misread, match="no value '50-64'"):
        newcomers.read(File("people", columns), known)
    columns[1].values = ["34", "71"]
    people = newcomers.read(File("people", columns), known)
    assert people.attributes == [{"AGE": "30-49"}, {"AGE": "50+"}]
    assert people.notes == ["the numbers of 'AGE' are read as its ranges: 34 is '30-49'"]


def test_a_file_of_another_survey_is_told_what_may_be_meant():
    known = newcomers.known(
        {"trust_police": ["Yes", "No"], "natheal": ["Yes", "No"]}, {"SEX": ["F"]}
    )
    columns = [Column(name, ["1"]) for name in ("policetrust_x", "colour")]
    with pytest.raises(newcomers.Unrelated, match="policetrust_x, colour") as told:
        newcomers.read(File("people", columns), known)
    assert told.value.columns == ["policetrust_x", "colour"]
    assert "questions are natheal, trust_police, attributes SEX" in told.value.hint
    assert newcomers.alike(["NATHEAL", "colour"], ["natheal", "sex"]) == 1
