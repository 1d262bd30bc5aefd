"""Split questionnaires: which blocks, who is asked them, and the precision that is left."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from lupom.science.planning import blocks
from lupom.science.planning.blocks import Scores
from tests.science.planning.surveys import tables, three_themes


def pair(correlation: float) -> Scores:
    return Scores(np.array([[1.0, correlation], [correlation, 1.0]]), 2)


def either() -> np.ndarray:
    """Two forms of one question each."""
    return np.array([[True, False], [False, True]])


def test_of_questions_that_tell_nothing_of_each_other_the_share_asked_is_left():
    assert blocks.efficiency(pair(0.0), either()) == pytest.approx([0.5, 0.5])


def test_what_is_told_by_another_question_loses_less():
    # Half of the people asked y and x both, half x alone: the mean of y by regression on x has the
    # variance of 1 / n_y (1 - r^2) + r^2 / n (Little and Rubin 2002, 7.2).
    r = 0.8
    forms = np.array([[True, True], [True, False]])
    left = blocks.efficiency(pair(r), forms)
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
    left = blocks.efficiency(pair(r), forms)[1]
    assert np.var(found) * n == pytest.approx(1 / left, rel=0.08)


def test_the_association_of_two_is_left_as_they_are_asked_together():
    forms = np.array([[True, True], [True, False], [False, True]])
    left = blocks.association_efficiency(pair(0.0), forms)
    assert left[0, 1] == pytest.approx(1 / 3)
    # Something is known of it by the variances alone where it is strong.
    assert blocks.association_efficiency(pair(0.9), forms)[0, 1] > 1 / 3


@pytest.fixture(scope="module")
def survey():
    return tables(three_themes(n=1200))


@pytest.fixture(scope="module")
def designed(survey):
    return blocks.design_blocks(*survey, blocks=3, asked=2)


def test_blocks_are_balanced_and_lose_less_than_by_answers_alone(designed):
    rows = designed.to_pylist()
    assert sorted(Counter(r["block"] for r in rows).values()) == [3, 4, 4]
    assert all(r["asked"] == pytest.approx(2 / 3) for r in rows)
    assert all(1 < r["half_width"] <= r["half_width_alone"] + 1e-9 for r in rows)


def test_pairs_that_depend_are_asked_together_more_often(survey, designed):
    rows = blocks.design_associations(*survey, designed).to_pylist()
    assert len(rows) == 55
    strong = [r["asked_together"] for r in rows if abs(r["association"]) > 0.3]
    weak = [r["asked_together"] for r in rows if abs(r["association"]) < 0.1]
    assert np.mean(strong) > np.mean(weak)
    assert all(r["efficiency"] > 0.3 for r in rows)


def test_a_core_is_asked_of_everybody(survey):
    rows = blocks.design_blocks(*survey, blocks=3, asked=1, core=["a0", "b0"]).to_pylist()
    core = {r["question_id"]: r for r in rows if r["block"] == "core"}
    assert set(core) == {"a0", "b0"}
    assert all(r["half_width"] == pytest.approx(1) for r in core.values())
    assert core["a0"]["asked"] == 1


def test_forms_are_balanced_whenever_fieldwork_ends(survey, designed):
    rows = blocks.design_assignments(designed, survey[1], people=100, seed=5).to_pylist()
    assert [r["person"] for r in rows] == list(range(1, 101))
    for end in (3, 30, 100):
        counts = Counter(r["form"] for r in rows[:end])
        assert max(counts.values()) - min(counts.values()) <= 1
    named = {r["question_id"]: r["block"] for r in designed.to_pylist()}
    assert all({named[q] for q in r["questions"]} == set(r["blocks"].split()) for r in rows)
    other = blocks.design_assignments(designed, survey[1], people=100, seed=6).to_pylist()
    assert [r["form"] for r in other] != [r["form"] for r in rows]
    assert blocks.design_assignments(designed, survey[1]).num_rows == 1200


def test_what_makes_no_design_is_told(survey):
    with pytest.raises(ValueError, match="3 of 3 blocks"):
        blocks.design_blocks(*survey, blocks=3, asked=3)
    with pytest.raises(ValueError, match=r"plan_core names a9, .*did you mean 'a\d'"):
        blocks.design_blocks(*survey, core=["a9"])


def test_too_few_questions_for_so_many_blocks_are_told(survey):
    none = blocks.design_blocks(*survey, blocks=100)
    assert none.num_rows == 0
    [said] = blocks.too_few(none, survey[2], 100)
    assert "make no 100 blocks" in said
    assert blocks.too_few(blocks.design_blocks(*survey, blocks=3), survey[2], 3) == []
