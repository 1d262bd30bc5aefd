"""Codebooks in plain text, as openpsychometrics.org has them and as people write them."""

from __future__ import annotations

from lupom.science.surveys.dictionaries import texts

ITEMS = """Each item was rated on a four point scale where

1 = Not at all
2 = Somewhat
3 = Very much

The answer is stored in variable A (e.g. Q1A). Also recorded was the time taken (E) and the
item's position in the survey (I).

Q1\tI was upset.
Q2\tI couldn&#39;t get going.

BIG1\tReserved, quiet.
BIG2\tAnxious.

The BIG items were rated such that

1 = Disagree
2 = Agree

education\t\t"How much education have you completed?", 1=None, 2=School, 3=University
age\t\t"How old are you?"
"""
NAMES = ["Q1A", "Q1E", "Q1I", "Q2A", "BIG1", "BIG2", "education", "age"]


def test_a_scale_holds_for_the_items_below_it_until_the_next_sentence():
    read = texts.read(ITEMS, "codebook.txt", NAMES).variables
    assert read["Q1"].label == "I was upset."
    assert read["Q2"].label == "I couldn't get going."
    assert read["Q2"].labels == {"1": "Not at all", "2": "Somewhat", "3": "Very much"}
    assert (read["Q2"].measure, read["Q2"].line) == ("ordinal", 11)


def test_a_scale_may_be_said_below_the_items_it_names():
    read = texts.read(ITEMS, "codebook.txt", NAMES).variables
    assert read["BIG2"].labels == {"1": "Disagree", "2": "Agree"}
    assert read["age"].labels == {}


def test_codes_stand_beside_a_name():
    education = texts.read(ITEMS, "codebook.txt", NAMES).variables["education"]
    assert education.label == "How much education have you completed?"
    assert education.labels == {"1": "None", "2": "School", "3": "University"}


def test_columns_of_a_question_are_told_by_their_endings():
    endings = texts.read(ITEMS, "codebook.txt", NAMES).endings
    assert endings["A"] == ""
    assert endings["E"] == "how long it took"
    assert endings["I"] == "the order in which things were shown"


def test_bullets_lines_of_codes_and_a_code_for_no_answer():
    text = """
- `native`: Is English your native language?
    + 1 = yes
    + 2 = no
    + (0 = missed)
Q5. Do you smoke?
  1  Yes
  2  No
  99  Refused
width     The width of the screen in pixels
"""
    read = texts.read(text, "codebook.md", ["native", "Q5", "width"]).variables
    assert read["native"].labels == {"1": "yes", "2": "no", "0": "missed"}
    assert read["native"].missing == {"0"}
    assert read["Q5"].label == "Do you smoke?"
    assert (read["Q5"].labels["2"], read["Q5"].missing) == ("No", {"99"})
    assert read["width"].labels == {}


def test_prose_is_no_variable():
    text = "age was entered as text\nThis data was collected online: see the page.\n"
    assert texts.read(text, "readme.txt", ["age", "id"]).variables == {}


def test_a_range_of_items_has_one_scale():
    read = texts.read("Q1-Q3: 1=No, 2=Yes\n", "codebook.txt", ["Q1", "Q2", "Q3"]).variables
    assert [v.labels for v in read.values()] == [{"1": "No", "2": "Yes"}] * 3


def test_a_code_for_no_answer_that_is_said_once_holds_for_every_scale():
    told = (
        "Items were rated as 1=Disagree, 3=Neutral, 5=Agree. 0=missed.\n\n"
        "The following were rated on a five point scale where 1=Disagree, 3=Neutral, 5=Agree:\n\n"
        "EXT1\tI am the life of the party.\n\n"
        "Other questions.\n"
        'member\t"Are you a member?", 0=No, 1=Yes\n'
        'age\t"What is your age?" entered as text (below 13 not recorded)\n'
    )
    read = texts.read(told, "codebook.txt", ["EXT1", "member", "age"]).variables
    assert read["EXT1"].labels == {"1": "Disagree", "3": "Neutral", "5": "Agree"}
    assert read["EXT1"].missing == {"0"}
    # Where a code is an answer of a question's own it is one.
    assert read["member"].missing == set()
    assert read["age"].missing == set()
    assert read["age"].label == "What is your age?"
