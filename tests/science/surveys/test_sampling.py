"""How people were drawn is told estimates, and is no question."""

from __future__ import annotations

import random

import pytest

from lupom.science.surveys import doubts, guesses
from lupom.science.surveys.columns import Column, File

N = 120
DRAW = random.Random(1)


def drawn(count: int) -> list[str]:
    return DRAW.choices([str(1000 + i) for i in range(count)], k=N)


def file_of(**columns: list[str]) -> File:
    trust = Column("trust", DRAW.choices([*"1234"], k=N))
    return File("x.csv", [trust, *(Column(name, values) for name, values in columns.items())])


@pytest.mark.parametrize(
    ("cluster", "stratum"),
    [("psu", "stratum"), ("VPSU", "VSTRAT"), ("SDMVPSU", "SDMVSTRA"), ("upm", "estrato")],
)
def test_units_and_strata_are_of_the_design(cluster, stratum):
    file = file_of(**{cluster: drawn(40), stratum: drawn(8)})
    book = guesses.guess(file, "x")
    assert book.design == [cluster, stratum]
    assert [q.column for q in book.questions] == ["trust"]
    assert doubts.doubts(file, book) == [
        f"{cluster} and {stratum} say how people were drawn; for intervals of estimates that know"
        f" it put survey_design: {{cluster: {cluster}, stratum: {stratum}}} under vars: in"
        " lupom_project.yml"
    ]


def test_whoever_is_a_unit_of_their_own_is_no_answer_either():
    book = guesses.guess(file_of(psu=[str(9000 + 3 * i) for i in range(N)]), "x")
    assert book.design == ["psu"]


def test_the_probability_to_be_drawn_is_no_answer():
    book = guesses.guess(file_of(prob=[str(0.001 + i / 1e5) for i in range(N)]), "x")
    assert book.ignored == {"prob": "how likely a person was to be drawn"}
    assert book.design == []


def test_other_numbers_of_that_name_are_questions():
    groups = {"strata": DRAW.choices(["a", "b"], k=N), "prob": DRAW.choices([*"12345"], k=N)}
    book = guesses.guess(file_of(**groups), "x")
    assert [q.column for q in book.questions] == ["trust", "strata", "prob"]


@pytest.mark.parametrize("name", ["rownames", "Unnamed: 0", "index"])
def test_row_names_of_which_some_were_left_out_are_no_question(name):
    rows = [str(i * 2 + i // 7) for i in range(N)]
    book = guesses.guess(file_of(idno=[f"p{i}" for i in range(N)], **{name: rows}), "x")
    assert [q.column for q in book.questions] == ["trust"]
    assert name in book.ignored


def test_one_after_the_other_no_answers_are():
    book = guesses.guess(file_of(laufend=[str(7 + i) for i in range(N)]), "x")
    assert book.ignored == {"laufend": "a running number"}
