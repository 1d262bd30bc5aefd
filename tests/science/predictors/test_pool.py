"""Log-linear pools: what weights mean, and that they are found."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lupom.science.predictors import pool
from tests.science.predictors.made import made, noise, powered


def evidence(m, *parts, group=None):
    rows = np.flatnonzero(m.pairs.roles == "tuning")
    logs = np.log(np.stack(parts, axis=2))[rows]
    number = np.unique(m.pairs.respondents, return_inverse=True)[1]
    return pool.Evidence(
        logs,
        np.ones(logs.shape[:2], dtype=bool),
        m.answers[rows],
        m.pairs.columns[rows] if group is None else group[rows],
        number[rows] // 2 % pool.FOLDS,
    )


@given(
    st.lists(st.lists(st.floats(0.01, 1.0), min_size=4, max_size=4), min_size=1, max_size=5),
    st.floats(0.1, 3.0),
)
def test_one_part_of_weight_one_is_itself_and_any_pool_sums_to_one(rows, weight):
    p = np.array(rows)
    p /= p.sum(axis=1, keepdims=True)
    logs, inside = np.log(p)[:, :, None], np.ones(p.shape, dtype=bool)
    np.testing.assert_allclose(pool.pooled(logs, inside, np.ones(1)), p, atol=1e-12)
    other = pool.pooled(logs, inside, np.array([weight]))
    np.testing.assert_allclose(other.sum(axis=1), 1.0)
    # What is likeliest stays so; of two that are equal but for rounding either is.
    likeliest = np.take_along_axis(p, other.argmax(axis=1)[:, None], axis=1)[:, 0]
    np.testing.assert_allclose(likeliest, p.max(axis=1), rtol=1e-12)


def test_places_that_are_no_options_get_nothing():
    logs = np.zeros((1, 3, 1))
    p = pool.pooled(logs, np.array([[True, True, False]]), np.ones(1))
    assert p.tolist() == [[0.5, 0.5, 0.0]]


@pytest.mark.parametrize("power", [0.5, 2.0, 3.0])
def test_the_temperature_of_a_part_is_recovered(power):
    m = made(people=1000)
    found = pool.fit(evidence(m, powered(m.true, power)), np.ones(1), pool.Shrinkage(ridge=0.1))
    assert found.common[0] == pytest.approx(1 / power, rel=0.15)


def test_what_knows_gets_the_weight_and_what_does_not_none():
    m = made(people=600)
    centre = np.full(2, 0.5)
    found = pool.fit(evidence(m, m.true, noise(m)), centre, pool.Shrinkage(10.0))
    assert found.common[0] == pytest.approx(1.0, abs=0.15)
    assert found.common[1] < 0.1


def test_a_ridge_holds_weights_at_the_centre():
    m = made()
    e, centre = evidence(m, m.true, noise(m)), np.full(2, 0.5)
    away = [
        np.abs(pool.fit(e, centre, pool.Shrinkage(ridge)).common - centre).sum()
        for ridge in (1.0, 100.0, 1e6)
    ]
    assert away[0] > away[1] > away[2]
    assert away[2] < 0.001
    assert pool.fit(e, centre, pool.Shrinkage(pool.INFINITE)).common.tolist() == [0.5, 0.5]
    best = pool.fit(e, centre, pool.Shrinkage(pool.INFINITE, centre="best"))
    assert best.common.tolist() == [1.0, 0.0]


def test_a_group_has_weights_of_its_own_where_its_pairs_say_so():
    # The first part knows one question, the second all others.
    m = made(people=600)
    first = m.pairs.columns == 0
    parts = [np.where(first[:, None] == own, m.true, noise(m)) for own in (True, False)]
    e = evidence(m, *parts)
    found = pool.fit(e, np.full(2, 0.5), pool.Shrinkage(1.0, 5.0))
    assert found.groups[0, 0] > 0.7
    assert found.groups[0, 1] < 0.3
    assert (found.groups[1:, 1] > 0.7).all()
    same = pool.fit(e, np.full(2, 0.5), pool.Shrinkage(1.0, 1e6))
    assert np.ptp(same.groups, axis=0).max() < 0.01
    assert found.of(np.array([9])).tolist() == [found.common.tolist()]


def test_crossed_predictions_come_of_other_peoples_answers():
    m = made()
    e = evidence(m, m.true, noise(m))
    centre, shrinkage = np.full(2, 0.5), pool.Shrinkage(1.0)
    (before,) = pool.crossed(e, [(centre, shrinkage)])
    held = e.fold == 2
    changed = pool.Evidence(
        e.logs, e.inside, np.where(held, (e.truth + 1) % 3, e.truth), e.group, e.fold
    )
    (after,) = pool.crossed(changed, [(centre, shrinkage)])
    assert (before[held] == after[held]).all()
    assert (before[~held] != after[~held]).any()
