"""SPSS syntax and Stata do-files, which label a file of codes."""

from __future__ import annotations

import pytest

from lupom.science.surveys.dictionaries import spss_syntax, stata_syntax

NAMES = ["id", "q1", "q2", "q3", "s1", "s2", "s3"]
SPS = """* Encoding: UTF-8.
GET FILE='x.sav'.
* don't stumble over this.
VARIABLE LABELS
  q1 "Do you smoke?"
  /q2 'It''s fine'
  q3 "A long " +
     "label".
VALUE LABELS q1 q2
  1 'Yes'
  2 "No"
  99 'Refused' /
  s1 TO s3 1 'Low' 2 'High'.
add value labels q3 'M' 'Male' 'F' "Female"
MISSING VALUES q1 q2 (98, 99) / s1 to s3 (LO THRU -1).

VARIABLE LEVEL s1 TO s3 (ORDINAL) /q1 (NOMINAL).
EXECUTE.
"""
DO = """
* don't stumble over this
label variable q1 "Do you smoke?" // the first
la var q2 `"He said "no""'
#delimit ;
label define yn 1 "Yes"
   2 "No"  .a "Refused", replace;
#delimit cr
label define yn 99 "Don't know", add
lab def agree 1 "Agree" /// goes on
   2 "Disagree"
label values q1 q2 yn
lab val s1-s3 agree
mvdecode q1 q2, mv(99=.b \\ 98)
"""


def test_spss_syntax():
    read = spss_syntax.read(SPS, "x.sps", NAMES).variables
    assert [read[q].label for q in ("q1", "q2", "q3")] == [
        "Do you smoke?",
        "It's fine",
        "A long label",
    ]
    assert read["q2"].labels == {"1": "Yes", "2": "No", "99": "Refused"}
    assert read["q3"].labels == {"M": "Male", "F": "Female"}
    assert read["q1"].missing == {"98", "99"}
    assert read["s2"].labels == {"1": "Low", "2": "High"}
    assert (read["s2"].measure, read["q1"].measure) == ("ordinal", "nominal")
    assert read["s2"].ranges == [(float("-inf"), -1.0)]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("VALUE LABELS q1\n 1 'Yes.\n", "x.sps:2: a text whose quote does not end"),
        ("VALUE LABELS q1 1 'Yes' 2 .\n", "x.sps:1: the code 2 has no label"),
        ("VALUE LABELS q1 1 Yes 2 No.\n", "x.sps:1: a label in quotes should follow the code 1"),
        ("VARIABLE LABELS 'x'.\n", "x.sps:1: the label 'x' is of no variable"),
        ("VALUE LABELS q1 1 'Yes' q2 1 'No'.\n", "x.sps:1: 'q2' stands where a code should"),
    ],
)
def test_what_is_wrong_in_spss_syntax_is_told_with_its_line(text, said):
    with pytest.raises(ValueError, match=said):
        spss_syntax.read(text, "x.sps", NAMES)


def test_other_commands_are_passed_over_whatever_they_hold():
    assert spss_syntax.read("COMPUTE x = 'it.\nVARIABLE LABELS q1 'A'.\n", "x.sps", NAMES).variables


def test_a_do_file():
    read = stata_syntax.read(DO, "x.do", NAMES).variables
    assert read["q1"].label == "Do you smoke?"
    assert read["q2"].label == 'He said "no"'
    assert read["q1"].labels == {"1": "Yes", "2": "No", "a": "Refused", "99": "Don't know"}
    assert read["q2"].missing == {"a", "98", "99"}
    assert read["s2"].labels == {"1": "Agree", "2": "Disagree"}


def test_a_stata_dictionary():
    text = 'infile dictionary using x.dat {\n _column(1) byte q1 %1f "Sex of respondent"\n}\n'
    assert stata_syntax.read(text, "x.dct", NAMES).variables["q1"].label == "Sex of respondent"


def test_what_is_wrong_in_a_do_file_is_told_with_its_line():
    with pytest.raises(ValueError, match=r"x.do:2: a label whose quote does not end"):
        stata_syntax.read('clear\nlabel define yn 1 "Yes\n', "x.do", NAMES)
    found = stata_syntax.read("label values q1 yn\n", "x.do", NAMES)
    assert found.notes == ["x.do:1: no label set 'yn' is defined, of q1"]
