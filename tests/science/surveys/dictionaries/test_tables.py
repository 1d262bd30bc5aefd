"""Data dictionaries that are tables: REDCap's, a variable a row, a code a row."""

from __future__ import annotations

import csv
import io

import pytest

from lupom.science.surveys.dictionaries import tables


def read(text: str, *columns: str):
    rows = list(csv.reader(io.StringIO(text.lstrip("\n"))))
    return tables.read(rows, "codebook.csv", columns)


REDCAP = """
Variable / Field Name,Form Name,Field Type,Field Label,"Choices, Calculations, OR Slider Labels",\
Identifier?,Branching Logic (Show field only if...)
id,a,text,ID,,,
name,a,text,Name,,y,
sex,a,radio,<b>Sex</b> at birth,"1, Male | 2, Female | 99, Refused",,
tea,a,checkbox,Which tea?,"1, Green, hot | 2, Black",,[sex] = '1'
smoke,a,yesno,Do you smoke?,,,
bmi,a,calc,BMI,"round([w]/[h],1)",,
"""


def test_a_redcap_data_dictionary():
    found = read(REDCAP, "id", "sex", "tea___1", "smoke")
    assert found.format == "a REDCap data dictionary"
    sex, tea, smoke = (found.variables[n] for n in ("sex", "tea", "smoke"))
    assert (sex.label, sex.missing, sex.line) == ("Sex at birth", {"99"}, 4)
    assert (tea.several, tea.labels["1"], tea.asked_if) == (True, "Green, hot", "[sex] = '1'")
    assert smoke.labels == {"1": "Yes", "0": "No"}
    assert found.variables["name"].why == "personal data"
    assert found.variables["bmi"].why == "made of other columns"


def test_which_column_has_the_names_is_told_by_the_data():
    text = "original,short\nI like music.,Music\nI prefer slow songs.,Slow songs\n"
    assert read(text, "Music", "Slow songs").variables["Music"].label == "I like music."
    assert read(text, "a", "b") is None


def test_codes_in_a_cell_in_the_description_or_a_row_each():
    wide = "Variable,Description,Values\nq1,Trust,1 = low; 2 = high; -9 = missing\nq2,Age,18-99\n"
    found = read(wide, "q1", "q2").variables
    assert found["q1"].labels == {"1": "low", "2": "high", "-9": "missing"}
    assert (found["q1"].missing, found["q2"].labels) == ({"-9"}, {})
    french = 'variable,libelle\nq1,"Sexe (1=Homme, 2=Femme)"\nq2,Age\n'
    assert read(french, "q1", "q2").variables["q1"].labels == {"1": "Homme", "2": "Femme"}
    long = (
        "question_id,option_id,option_label,is_missing\nq1,1,Yes,false\n,2,No,false\nq2,9,DK,true\n"
    )
    found = read(long, "q1", "q2").variables
    assert found["q1"].labels == {"1": "Yes", "2": "No"}
    assert found["q2"].missing == {"9"}


def test_headings_stand_below_a_title():
    text = 'The survey of 2024,,\n,,\nName,Label,Codes\nq1,Trust,"1=Yes,2=No"\nq2,Age,\n'
    assert read(text, "q1", "q2").variables["q1"].label == "Trust"


def test_how_many_are_missing_is_no_code():
    text = "name,description,missing\nq1,Trust,0\nq2,Age,12\nq3,Sex,0.01\nq4,Job,-9\n"
    found = read(text, "q1", "q2", "q3", "q4").variables
    assert [set(v.missing) for v in found.values()] == [set(), set(), set(), {"-9"}]


def test_a_code_with_two_texts_is_an_error_with_its_line():
    text = "variable,value,label\nq1,1,Yes\nq1,1,No\nq2,1,Yes\n"
    with pytest.raises(ValueError, match=r"codebook.csv:3: q1 has two texts for the code 1"):
        read(text, "q1", "q2")


def test_headings_that_nobody_foresaw():
    text = "variable_names;label_names\nq1;Trust\nq2;Age\n".replace(";", ",")
    assert read(text, "q1", "q2").variables["q1"].label == "Trust"
    text = (
        "code name,code description,format,valid range\nq1,Trust,scale,1-5\nq2,Age,number,18-99\n"
    )
    found = read(text, "q1", "q2").variables
    assert (list(found["q1"].labels), found["q2"].labels) == (["1", "2", "3", "4", "5"], {})
