"""Rows of a grid: what one holds is an option of the others, but for codes that are no answers."""

from __future__ import annotations

import random

import pytest

from lupom.science.surveys import guesses
from lupom.science.surveys.choices import gather
from lupom.science.surveys.columns import Column, File

STEPS = ["1", "2", "3", "4", "5"]


def grid(*rows: list[str], names: str = "q5_{}") -> File:
    """Return a file of a grid, its rows 60 people long and each in an order of its own."""
    columns = []
    for i, row in enumerate(rows, start=1):
        values = (row * 60)[:60]
        random.Random(i).shuffle(values)
        columns.append(Column(names.format(i), values))
    return gather(File("x.csv", columns))


def with_one(row: list[str], value: str) -> list[str]:
    return [value, *(row * 12)[:59]]


def options(file: File) -> list[list[str]]:
    return [list(q.options) for q in guesses.guess(file, "x").questions]


@pytest.mark.parametrize("names", ["q5_{}", "E{}"])
def test_a_lone_code_far_off_the_scale_is_no_answer(names):
    file = grid(STEPS, with_one(STEPS, "9"), STEPS[::-1], names=names)
    assert options(file) == [STEPS] * 3
    assert guesses.guess(file, "x").questions[1].not_asked == ["9"]
    (note,) = [n for n in file.notes if "rows of one scale" in n]
    assert note.startswith(f"{names.format(2)}: 9 beside 1 to 5, of 1 of 180 answers")


def test_two_such_codes_and_longer_ones_are_none_either():
    file = grid(with_one(STEPS, "8"), with_one(STEPS, "9"), STEPS[::-1])
    assert options(file) == [STEPS] * 3
    assert options(grid(STEPS, with_one(STEPS, "99"), STEPS[::-1])) == [STEPS] * 3


def test_what_many_gave_stays_where_it_is_and_is_lent_to_nobody():
    often = ["1", "2", "3", "4", "9"]
    assert options(grid(STEPS, often, STEPS[::-1])) == [STEPS, [*STEPS, "9"], STEPS]


@pytest.mark.parametrize(
    "scale",
    [
        ["1", "3", "5", "7", "9"],
        [str(n) for n in range(11)],
        [str(n) for n in range(1, 10)],
        ["1", "2", "3", "4", "5", "7"],  # nobody took the sixth of seven
        ["1", "2", "3", "4", "5", "6", "10"],
        ["0", "1", "2"],
    ],
)
def test_scales_keep_their_ends(scale):
    last = scale[-1]
    rest = scale[:-1]
    file = grid(rest, with_one(rest, last), rest[::-1])
    assert options(file)[1] == scale
    assert not [n for n in file.notes if "rows of one scale" in n]


def test_amounts_have_a_tail_and_are_none_of_a_scale():
    glasses = ["0"] * 50 + ["1"] * 7 + ["2", "2", "3"]
    file = grid(glasses, [*glasses[:-1], "9"], glasses[::-1])
    assert "9" in options(file)[1]


def test_few_people_tell_nothing():
    columns = [
        Column("q5_1", STEPS),
        Column("q5_2", ["9", "2", "3", "4", "5"]),
        Column("q5_3", STEPS),
    ]
    assert options(gather(File("x.csv", columns))) == [STEPS, [*STEPS, "9"], STEPS]
