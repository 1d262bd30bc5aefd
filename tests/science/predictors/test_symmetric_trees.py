"""Boosted symmetric trees: what they split at, beside a plain search and scikit-learn's trees."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier

from lupom.science.predictors import symmetric_trees
from lupom.science.predictors.symmetric_trees import DEPTH, LEAST_PEOPLE, RATE, RIDGE, grown


def answers(people: int, seed: int, options: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """A table of six features, a fifth of them unknown, and an answer that goes by two of them."""
    random = np.random.default_rng(seed)
    table = random.integers(4, size=(people, 6)).astype(np.float32)
    score = table[:, 0] - table[:, 1] + (table[:, 2] > 2) + random.normal(0, 1, people)
    given = np.digitize(score, np.linspace(-1, 1.5, options - 1))
    table[random.random(table.shape) < 0.2] = np.nan
    return table, given


def log_loss(p: np.ndarray, given: np.ndarray) -> float:
    return float(-np.log(p[np.arange(len(given)), given]).mean())


def gain(slopes: np.ndarray, curves: np.ndarray, leaf: np.ndarray) -> float:
    return sum(
        float((slopes[leaf == i].sum(axis=0) ** 2 / (curves[leaf == i].sum(axis=0) + RIDGE)).sum())
        for i in np.unique(leaf)
    )


@pytest.mark.parametrize("options", [2, 3, 5])
def test_the_first_tree_is_that_of_a_plain_search(options, monkeypatch) -> None:
    monkeypatch.setattr(symmetric_trees, "TRIED", 1.0)
    table, given = answers(300, seed=options, options=options)
    trees = grown(table, given, seed=1)
    share = np.bincount(given) / len(given)
    told = np.eye(options)[given]
    slopes, curves = share - told, np.tile(share * (1 - share), (len(given), 1))
    if options == 2:
        slopes, curves = slopes[:, 1:], curves[:, 1:]
    leaf = np.zeros(len(given), dtype=int)
    for depth in range(DEPTH):
        candidates = {}
        for feature, bound, side in itertools.product(range(6), range(4), (False, True)):
            column = table[:, feature]
            left = (column <= bound) | (side & np.isnan(column))
            if LEAST_PEOPLE <= left.sum() <= len(left) - LEAST_PEOPLE:
                parted = leaf + (~left << depth)
                candidates[feature, bound, side] = gain(slopes, curves, parted), parted
        best = max(candidates, key=lambda one: candidates[one][0])
        found = (
            int(trees.feature[0, depth]),
            int(trees.bound[0, depth]),
            bool(trees.unknown_left[0, depth]),
        )
        assert candidates[found][0] == pytest.approx(candidates[best][0], rel=1e-4)
        leaf = candidates[found][1]
    for i in range(2**DEPTH):
        here = leaf == i
        wanted = -RATE * slopes[here].sum(axis=0) / (curves[here].sum(axis=0) + RIDGE)
        np.testing.assert_allclose(trees.value[0, i], wanted, rtol=1e-3, atol=1e-6)


def test_they_tell_as_much_as_scikit_learns() -> None:
    table, given = answers(1500, seed=1)
    new, truth = answers(3000, seed=2)
    ours = log_loss(grown(table, given, seed=1).probabilities(new), truth)
    peer = HistGradientBoostingClassifier(
        max_iter=35,
        learning_rate=0.11,
        max_leaf_nodes=6,
        min_samples_leaf=LEAST_PEOPLE,
        l2_regularization=RIDGE,
        early_stopping=False,
        random_state=1,
    ).fit(table, given)
    shares = np.bincount(given) / len(given)
    assert ours < log_loss(peer.predict_proba(new), truth) + 0.005
    assert ours < log_loss(np.tile(shares, (len(truth), 1)), truth) - 0.1


def test_the_same_seed_makes_the_same_trees() -> None:
    table, given = answers(200, seed=4)
    one, other = (grown(table, given, seed=5).probabilities(table) for _ in range(2))
    np.testing.assert_array_equal(one, other)


def test_what_nothing_tells_has_its_shares() -> None:
    """No split leaves enough people on both sides."""
    table = np.full((40, 2), np.nan, dtype=np.float32)
    table[:3] = 1.0
    given = np.array([0] * 10 + [2] * 30)
    trees = grown(table, given, seed=1)
    np.testing.assert_allclose(trees.probabilities(table), np.tile([0.25, 0.75], (40, 1)))


def test_of_many_values_a_few_are_split_at() -> None:
    """Ages, or a scale of 101 points."""
    random = np.random.default_rng(3)
    age = random.integers(18, 90, size=(900, 1)).astype(np.float32)
    given = (age[:, 0] > 50).astype(int)
    p = grown(age, given, seed=1).probabilities(age)
    assert np.mean(p.argmax(axis=1) == given) > 0.95
