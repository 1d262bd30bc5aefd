"""Codes before questions, and questions of what is known of people or says who they are."""

from __future__ import annotations

import pytest

from lupom.science.surveys import guesses, wordings
from lupom.science.surveys.columns import Column, File

YES = ["Yes", "No", "No"] * 4


@pytest.mark.parametrize(
    ("name", "code", "wording"),
    [
        ("1 - Do you cook?", "Q1", "Do you cook?"),
        ("Q1. Do you cook?", "Q1", "Do you cook?"),
        ("[Q1] Do you cook?", "Q1", "Do you cook?"),
        ("Q12b: Do you cook?", "Q12b", "Do you cook?"),
        ("3) Do you cook?", "Q3", "Do you cook?"),
        ("cook. Do you cook?", "cook", "Do you cook?"),
        ("G2Q5[SQ001]. Which? [Tea pots]", "G2Q5_SQ001", "Which? [Tea pots]"),
        ("Do you cook? - No", "", "Do you cook? - No"),
        ("St. Anton is nice", "", "St. Anton is nice"),
        ("2 - 3 times", "", "2 - 3 times"),
        ("Q1", "", "Q1"),
        ("Which? - Selected Choice", "", "Which?"),
        ("3. Which (of all)? - Selected Choice - Tea", "Q3", "Which (of all)? - Tea"),
    ],
)
def test_a_code_is_parted_from_its_question(name, code, wording):
    assert wordings.parted(name) == (code, wording)


def test_a_code_is_the_questions_key():
    columns = [Column(name, YES) for name in ("1 - Do you cook?", "[B2] Do you bake?")]
    book = guesses.guess(File("x.csv", columns), "x")
    assert [(q.column, q.key, q.question) for q in book.questions] == [
        ("1 - Do you cook?", "Q1", "Do you cook?"),
        ("[B2] Do you bake?", "B2", "Do you bake?"),
    ]


@pytest.mark.parametrize(
    ("name", "attribute"),
    [
        ("How old are you?", "age"),
        ("2. What is your age (in years)?", "age"),
        ("Please indicate your gender:", "gender"),
        ("What is your gender? - Selected Choice", "gender"),
        ("What is the highest level of education you have completed?", "education"),
        ("What is your annual household income?", "income"),
        ("In which country do you currently live?", "country"),
        ("What is your marital status?", "marital_status"),
        ("Wie alt sind Sie?", "age"),
        ("Altersgruppe", "Altersgruppe"),
        ("Household income", "Household income"),
        ("Should age be asked?", None),
        ("Which state is best?", None),
        ("What do you think of income tax?", None),
        ("How many people live in your household?", None),
    ],
)
def test_what_is_known_of_people_is_an_attribute_by_its_wording(name, attribute):
    columns = [Column(name, ["a", "b", "c"] * 4), Column("q", YES)]
    book = guesses.guess(File("x.csv", columns), "x")
    assert [a.name for a in book.attributes] == ([] if attribute is None else [attribute])


@pytest.mark.parametrize(
    ("name", "values", "why"),
    [
        ("What is your name?", "ab", "personal data"),
        ("Please leave your e-mail if we may write to you", "ab", "personal data"),
        ("Contact", ["a@b.org", "c@d.org"], "personal data"),
        ("Source", ["10.0.0.1", "10.0.0.2"], "personal data"),
        ("Phone no", ["+47 22 33 44 55", "(22) 334-4556"], "personal data"),
        ("time", ["10:31", "11:02"], "of the interview, not of the person"),
        ("time", ["Morning", "Evening"], None),
        ("Status", ["Complete", "Partial"], "of the interview, not of the person"),
        ("Status", ["Married", "Single"], None),
        ("mode", ["web", "phone"], "of the interview, not of the person"),
        ("intake_complete", ["0", "2"], "of the interview, not of the person"),
        ("Tête de série", ["1503249853", "668450572"], "of the interview, not of the person"),
        ("Durée pour la question: A1", ["3.1", "4"], "of the interview, not of the person"),
        ("Letzte Seite", "15", "of the interview, not of the person"),
        ("groupTime12", "15", "of the interview, not of the person"),
        ("Nom &amp; Post-nom / Firstname and Surname", "ab", "personal data"),
        ("Screen time", "15", None),
        ("Time spent on chores", "15", None),
        ("duration_of_illness", "15", None),
        ("Time spent (seconds)", "15", "of the interview, not of the person"),
        ("Duration (in seconds)", "15", "of the interview, not of the person"),
        ("made", ["2024/05/01 10:00", "2024/5/2 9:30"], "dates"),
        ("dob", ["1990-01-01", "1991-01-01"], "personal data"),
    ],
)
def test_what_says_who_people_are_or_when_they_answered_is_left_out(name, values, why):
    columns = [Column(name, list(values) * 6), Column("q", YES)]
    book = guesses.guess(File("x.csv", columns), "x")
    assert book.ignored.get(name) == why
