"""Forms of a split questionnaire, and the precision that each leaves."""

from __future__ import annotations

import numpy as np
import pytest

from lupom.science.planning import designs
from lupom.science.planning.designs import Scores, assign_blocks


def pair(correlation: float) -> Scores:
    return Scores(np.array([[1.0, correlation], [correlation, 1.0]]), 2)


def either() -> np.ndarray:
    """Two forms of one question each."""
    return np.array([[True, False], [False, True]])


def test_of_questions_that_tell_nothing_of_each_other_the_share_asked_is_left():
    assert designs.efficiency(pair(0.0), either()) == pytest.approx([0.5, 0.5])


def test_what_is_told_by_another_question_loses_less():
    # Half of the people asked y and x both, half x alone: the mean of y by regression on x has the
    # variance of 1 / n_y (1 - r^2) + r^2 / n (Little and Rubin 2002, 7.2).
    r = 0.8
    forms = np.array([[True, True], [True, False]])
    left = designs.efficiency(pair(r), forms)
    assert left[0] == pytest.approx(1.0)
    assert left[1] == pytest.approx(1 / (2 * (1 - r**2) + r**2))


def test_predicted_precision_is_that_of_maximum_likelihood_in_simulations():
    rng = np.random.default_rng(0)
    r, n = 0.7, 200
    forms = np.array([[True, True], [True, False]])
    found = []
    for _ in range(4000):
        x = rng.normal(size=n)
        y = r * x[: n // 2] + np.sqrt(1 - r**2) * rng.normal(size=n // 2)
        known = x[: n // 2]
        slope = np.cov(known, y)[0, 1] / known.var(ddof=1)
        found.append(y.mean() + slope * (x.mean() - known.mean()))
    left = designs.efficiency(pair(r), forms)[1]
    assert np.var(found) * n == pytest.approx(1 / left, rel=0.08)


def test_the_association_of_two_is_left_as_they_are_asked_together():
    forms = np.array([[True, True], [True, False], [False, True]])
    left = designs.association_efficiency(pair(0.0), forms)
    assert left[0, 1] == pytest.approx(1 / 3)
    # Something is known of it by the variances alone where it is strong.
    assert designs.association_efficiency(pair(0.9), forms)[0, 1] > 1 / 3


def dependent(count: int) -> Scores:
    """Scores of questions that hang together by threes."""
    theme = np.arange(count) // 3
    return Scores(np.where(theme[:, None] == theme, 0.5, 0.1) + 0.5 * np.eye(count), count)


def test_what_is_one_question_for_a_person_is_in_one_block():
    unit = np.array([0, 1, 1, 1, 1, 2, 3, 4, 4, 5, 6, 7])
    chosen = assign_blocks(dependent(12), 3, 2, unit=unit).block
    for one in range(8):
        assert len(set(chosen[unit == one])) == 1
    # Blocks are as long as they can be made of wholes.
    assert sorted(np.bincount(chosen)) == [4, 4, 4]


def test_blocks_differ_by_one_question_where_each_is_one():
    chosen = assign_blocks(dependent(11), 3, 2).block
    assert sorted(np.bincount(chosen)) == [3, 4, 4]
    assert (chosen == assign_blocks(dependent(11), 3, 2, unit=np.arange(11)).block).all()
