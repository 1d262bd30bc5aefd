"""Choices of one question, of which everybody gives one at least."""

from __future__ import annotations

import numpy as np
import pytest

from lupom.science.planning.choices import Choices
from lupom.science.planning.moments import Cells

UNIT = np.array([0, 0, 0, 3])


def people(codes):
    ends = 2 * np.arange(codes.shape[1] + 1)
    values = np.zeros((len(codes), int(ends[-1])), np.float32)
    row, column = np.nonzero(codes >= 0)
    values[row, ends[column] + codes[row, column]] = 1
    return Cells(codes, values, np.ones(len(codes)), ends)


@pytest.fixture
def codes():
    out = np.random.default_rng(1).integers(0, 2, (200, 4))
    out[(out[:, :3] == 0).all(axis=1), 1] = 1
    return out


def test_that_nobody_gave_none_is_found(codes):
    found = Choices.of(people(codes), UNIT)
    assert found.unit.tolist() == [0, 0, 0, -1]
    assert found.not_given.tolist() == [0, 0, 0, -1]


def test_one_who_gave_none_is_enough_and_so_are_few_people(codes):
    none = codes.copy()
    none[0] = 0
    assert (Choices.of(people(none), UNIT).unit == -1).all()
    # Of 30 people 4 would have given none; that may be chance.
    assert (Choices.of(people(codes[:30]), UNIT).unit == -1).all()


def test_whose_other_choices_were_not_given(codes):
    one = people(codes)
    found = Choices.of(one, UNIT)
    none, last = found.none(one.values, 0, np.array([0, 1]))
    assert (none == (codes[:, 2] == 0)).all()
    assert not last
    none, last = found.none(one.values, 0, np.array([0]))
    assert (none == (codes[:, 1:3] == 0).all(axis=1)).all()
    assert last
    assert found.none(one.values, 0, np.array([0, 1, 2])) == (None, False)
    assert found.none(one.values, 3, np.array([3])) == (None, False)
