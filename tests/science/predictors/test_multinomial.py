"""Multinomial regressions of all questions at once, beside scikit-learn's of each."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from lupom.science.predictors import multinomial

RIDGE = 1 / 0.03


def survey(people: int, sizes: list[int], seed: int = 0, missing: float = 0.2):
    """Make answers (n, Q) of people who differ in two ways, and as features with two more."""
    rng = np.random.default_rng(seed)
    where = rng.normal(size=(people, 2))
    answers = np.empty((people, len(sizes)), dtype=np.int64)
    for question, size in enumerate(sizes):
        scores = where @ rng.normal(size=(2, size)) + rng.normal(size=size)
        answers[:, question] = (scores + rng.gumbel(size=scores.shape)).argmax(axis=1)
    answers[rng.random(answers.shape) < missing] = -1
    known = [answers[:, q] == option for q, size in enumerate(sizes) for option in range(size)]
    features = np.stack([*known, where[:, 0] > 0, where[:, 1] > 1], axis=1).astype(np.uint8)
    own = np.concatenate([np.repeat(np.arange(len(sizes)), sizes), [-1, -1]])
    return features, answers, own


@pytest.mark.parametrize(
    ("people", "sizes", "missing"),
    [(400, [2, 3, 4, 7, 2, 5], 0.2), (60, [4, 4, 2, 3], 0.6), (5000, [2, 5, 3], 0.0)],
)
def test_probabilities_are_those_of_scikit_learn(people, sizes, missing) -> None:
    features, answers, own = survey(people, sizes, missing=missing)
    found = multinomial.fit(features, answers, own, RIDGE)
    for question in range(len(sizes)):
        given, others = answers[:, question] >= 0, own != question
        peer = LogisticRegression(C=1 / RIDGE, tol=1e-8, max_iter=5000)
        peer.fit(features[given][:, others], answers[given, question])
        rows = found.of(question)
        assert found.option[rows].tolist() == peer.classes_.tolist()
        assert (found.weights[rows][:, ~others] == 0).all()
        np.testing.assert_allclose(
            found.probabilities(question, features),
            peer.predict_proba(features[:, others]),
            atol=1e-3,
        )


def test_people_come_in_blocks(monkeypatch) -> None:
    features, answers, own = survey(400, [2, 3, 4])
    whole = multinomial.fit(features, answers, own, RIDGE)
    monkeypatch.setattr(multinomial, "BLOCK", 37)
    parts = multinomial.fit(features, answers, own, RIDGE)
    for question in range(3):
        np.testing.assert_allclose(
            parts.probabilities(question, features),
            whole.probabilities(question, features),
            atol=1e-3,
        )


def test_what_there_is_nothing_to_learn_of_is_not_fitted() -> None:
    features, answers, own = survey(50, [2, 3, 3])
    answers[:, 1] = -1
    answers[answers[:, 2] > 0, 2] = -1
    found = multinomial.fit(features, answers, own, RIDGE)
    assert set(found.question) == {0}
    assert found.of(1) == slice(2, 2)
    assert not len(multinomial.fit(features[:, :0], answers, own[:0], RIDGE).question)


def test_options_that_nobody_gave_have_no_row() -> None:
    features, answers, own = survey(200, [4, 3])
    answers[answers[:, 0] == 1, 0] = -1
    found = multinomial.fit(features, answers, own, RIDGE)
    assert found.option[found.of(0)].tolist() == [0, 2, 3]


def test_the_penalty_holds_all_but_the_shares() -> None:
    features, answers, own = survey(300, [3, 4])
    found = multinomial.fit(features, answers, own, 1e7)
    given = answers[answers[:, 0] >= 0, 0]
    shares = np.bincount(given) / len(given)
    np.testing.assert_allclose(
        found.probabilities(0, features), np.tile(shares, (300, 1)), atol=1e-3
    )
