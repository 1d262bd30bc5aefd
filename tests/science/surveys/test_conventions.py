"""Codes without a label that a file uses for no answer in several columns."""

from __future__ import annotations

import random

import pytest

from lupom.science.surveys import guesses
from lupom.science.surveys.choices import gather
from lupom.science.surveys.columns import Column, File


def survey(**columns: list[int]) -> tuple[File, dict[str, list[str]]]:
    """Return a file of 60 people, shuffled, and the codes that are not asked by question."""
    made = []
    for i, (name, values) in enumerate(columns.items()):
        cells = [str(v) for v in (values * 60)[:60]]
        random.Random(i).shuffle(cells)
        made.append(Column(name, cells))
    file = gather(File("x.csv", made))
    return file, {q.column: q.not_asked for q in guesses.guess(file, "x").questions}


TEN = [*range(11), 77, 88]
FOUR = [*[1, 2, 3, 4] * 6, 7, 8]
FIVE = [*[1, 2, 3, 4, 5] * 5, 7]


def test_two_digits_in_two_columns_are_a_convention():
    file, found = survey(trust=TEN, happy=[*range(11), 77], kind=[1, 2, 3, 66, 66])
    assert found == {"trust": ["77", "88"], "happy": ["77"], "kind": ["66"]}
    assert file.notes == [
        "trust, happy, kind: 66, 77, 88 stand apart from scales of several columns, and are taken"
        " for not asked; if one is an answer, move it to options:"
    ]


def test_one_digit_is_where_scales_differ_in_length():
    assert survey(interest=FOUR, agree=FIVE, vote=[*[1, 2, 3] * 8, 7, 8])[1] == {
        "interest": ["7", "8"],
        "agree": ["7"],
        "vote": ["7", "8"],
    }


@pytest.mark.parametrize(
    "columns",
    [
        {"a": TEN},  # one column alone
        {"a": FOUR, "b": FOUR},  # of one scale, which may be longer
        {"a": [1, 2, 3, 4, 5, 7], "b": [1, 2, 3, 4, 7]},  # many took it
        {"a": [*range(1, 8)], "b": [1, 3, 5, 7, 9], "c": [*range(10)]},
        {"a": [5, 10, 15, 77], "b": [20, 30, 77]},  # amounts
    ],
)
def test_other_numbers_stay_what_they_are(columns):
    file, found = survey(**columns)
    assert (set(map(tuple, found.values())), file.notes) == ({()}, [])
