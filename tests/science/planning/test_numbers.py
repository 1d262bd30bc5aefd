"""Answers in numbers as columns: whatever their unit, and whoever has none."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from lupom.science.planning import numbers

IDS = tuple(f"p{i:03}" for i in range(200))


def columns(values, survey="s"):
    """Return the columns of one question, whose answers are texts as a file has them."""
    answers = pd.DataFrame({"survey": survey, "respondent_id": IDS, "question_id": "income"})
    return numbers.columns(answers.assign(answer=values), "s", IDS)


def test_a_column_is_of_ranks_and_has_no_unit():
    euros = np.random.default_rng(1).lognormal(8, 1, 200).round(2)
    found = columns([f"{e}" for e in euros])
    assert found.shape == (200, 2)
    assert found.mean(axis=0) == pytest.approx([0, 0], abs=1e-6)
    assert found.std(axis=0) == pytest.approx([0.5, 0.5], rel=1e-5)
    assert (np.argsort(found[:, 0]) == np.argsort(euros)).all()
    # What is far from the middle, on either side.
    middle, ends = np.argsort(euros)[80:120], np.argsort(euros)[[0, -1]]
    assert found[middle, 1].max() < 0 < found[ends, 1].min()
    assert columns([f"{e * 100:.0f}" for e in euros]) == pytest.approx(found)


def test_who_has_no_number_is_in_the_middle_and_that_is_a_column():
    ages = [str(20 + i % 50) for i in range(200)]
    ages[:30] = ["about 40", None, "inf"] * 10
    found = columns(ages)
    assert found.shape == (200, 3)
    assert (found[:30] == 0).all()
    assert (found[30:, 2] == 1).all()
    # Of the same age.
    assert found[45, 0] == found[95, 0] != found[46, 0]


@pytest.mark.parametrize("answers", [["7"] * 200, [*map(str, range(19)), *[None] * 181]])
def test_what_tells_nobody_apart_has_no_column(answers):
    assert columns(answers).shape == (200, 0)


def test_other_surveys_and_people_are_passed_over():
    assert columns([str(i) for i in range(200)], survey="other").shape == (200, 0)
    answers = pd.DataFrame({"survey": "s", "respondent_id": "p999", "question_id": "q"}, index=[0])
    assert numbers.columns(answers.assign(answer="3"), "s", IDS).shape == (200, 0)
