"""Columns made of others after the survey are no questions."""

from __future__ import annotations

import random

import pytest

from lupom.science.surveys import guesses
from lupom.science.surveys.columns import Column, File

N = 300


@pytest.fixture(scope="module")
def columns() -> dict[str, Column]:
    draw = random.Random(1)
    trust = draw.choices([*"123456"], k=N)
    work = draw.choices(["Yes", "No"], k=N)
    return {
        "trust": Column("trust", trust),
        "trust3": Column("trust3", [str((int(v) + 1) // 2) if v else "" for v in trust]),
        "work": Column("work", work),
        "boss": Column("boss", [draw.choice([*"abc"]) if v == "Yes" else "" for v in work]),
        "tv": Column("tv", draw.choices([*"xyz"], k=N)),
    }


def asked(*columns: Column) -> list[str]:
    return [q.column for q in guesses.guess(File("x.csv", list(columns)), "x").questions]


def test_what_is_made_of_another_is_ignored_and_says_of_which(columns):
    book = guesses.guess(File("x.csv", list(columns.values())), "x")
    assert [q.column for q in book.questions] == ["trust", "work", "boss", "tv"]
    assert book.ignored == {"trust3": "made of trust: whoever gave one answer there has one here"}


def test_one_exception_makes_it_a_question(columns):
    values = list(columns["trust3"].values)
    values[5] = "3" if values[5] != "3" else "2"
    assert "trust3" in asked(columns["trust"], Column("trust3", values), columns["tv"])


def test_what_has_a_wording_was_asked(columns):
    worded = Column("trust3", columns["trust3"].values, "Which school did you finish?")
    assert "trust3" in asked(columns["trust"], worded, columns["tv"])


def test_choices_of_one_question_stay_together(columns):
    """The third is what the others leave, and nobody makes it of them."""
    none = ["1" if v == "1" else "0" for v in columns["trust"].values]
    other = random.Random(2).choices([*"01"], k=N)
    choices = [Column("q_1", other), Column("q_2", none)]
    assert asked(columns["trust"], *choices) == ["trust", "q_1", "q_2"]
    assert asked(columns["trust"], Column("q", none), columns["tv"]) == ["trust", "tv"]


def test_what_an_attribute_tells_is_no_question(columns):
    draw = random.Random(3)
    age = [str(draw.randint(18, 90)) for _ in range(N)]
    young = ["1" if int(a) < 40 else "2" for a in age]
    book = guesses.guess(
        File("x.csv", [Column("age", age), Column("young", young), columns["tv"]]), "x"
    )
    assert [a.column for a in book.attributes] == ["age"]
    assert [q.column for q in book.questions] == ["tv"]
    assert book.ignored["young"].startswith("made of age")
