"""The Gaussian over answers: its conditionals by hand, and what EM makes of unknown cells."""

from __future__ import annotations

import numpy as np
import pytest

from lupom.science.gaussian import model
from lupom.science.gaussian.encoding import Encoding, encoding


def answered(rng, n=400):
    """Return answers to five questions of 2 to 4 options that hang together, and one attribute."""
    trait = rng.normal(size=n)
    sizes = (2, 3, 4, 3, 2)
    noisy = trait[:, None] + rng.normal(size=(n, len(sizes)))
    answers = np.stack(
        [
            np.searchsorted(np.quantile(noisy[:, j], np.linspace(0, 1, k + 1)[1:-1]), noisy[:, j])
            for j, k in enumerate(sizes)
        ],
        axis=1,
    )
    return Encoding(sizes, 1), answers.astype(np.int64), (trait > 0).astype(float)[:, None]


@pytest.fixture(scope="module")
def made():
    rng = np.random.default_rng(1)
    code, answers, attributes = answered(rng)
    answers[rng.random(answers.shape) < 0.2] = -1
    return code, answers, attributes, model.fit(code, answers, attributes)


def test_columns_are_options_in_their_order_and_then_attributes():
    code = encoding([("yes", "no"), ("low", "mid", "high")], attributes=1)
    assert code.offsets.tolist() == [0, 2, 5]
    assert code.owner.tolist() == [0, 0, 1, 1, 1, -1]
    values = code.values(np.array([[1, -1]]), np.array([[0.5]]))
    assert values.tolist() == [[0, 1, 0, 0, 0, 0.5]]
    assert code.there(np.array([[1, -1]])).tolist() == [[True, True, False, False, False, True]]


def test_the_expected_value_is_the_textbook_conditional_mean(made):
    code, answers, attributes, fitted = made
    # Of some people little is known.
    answers = answers.copy()
    answers[:3, 1:] = -1
    total = fitted.covariance + fitted.ridge * np.eye(code.width)
    expected = fitted.expected(answers, attributes)
    for i in range(5):
        known = code.there(answers)[i]
        told = code.values(answers, attributes)[i] - fitted.shares - fitted.mean
        pull = np.linalg.solve(total[np.ix_(known, known)], told[known])
        by_hand = fitted.shares + fitted.mean + total[:, known] @ pull
        assert np.allclose(expected[i][~known], by_hand[~known])
        assert np.allclose(expected[i][known], code.values(answers, attributes)[i][known])


def test_options_of_a_question_have_the_sum_one(made):
    code, answers, attributes, fitted = made
    p = fitted.probabilities(answers, attributes)
    assert np.allclose(np.add.reduceat(p, code.offsets[:-1], axis=1), 1.0)
    assert (p > 0).all()
    # Before they are cut off at the least probability, too.
    raw = fitted.expected(answers, attributes)[:, : code.offsets[-1]]
    assert np.allclose(np.add.reduceat(raw, code.offsets[:-1], axis=1), 1.0)


def test_what_is_known_takes_uncertainty_away_and_its_value_does_not_matter(made):
    code, _, _, fitted = made
    nothing = np.zeros(code.width, dtype=bool)
    assert np.allclose(fitted.conditional(nothing), fitted.covariance)
    first = nothing.copy()
    first[code.columns(0)] = True
    left = np.trace(fitted.conditional(first))
    assert left < np.trace(fitted.covariance[2:, 2:])


def test_em_finds_the_covariance_of_complete_answers_from_incomplete_ones():
    """Unknown cells at their mean make variances too small; conditional ones put that right."""
    rng = np.random.default_rng(2)
    code, answers, attributes = answered(rng, 4000)
    complete = model.fit(code, answers, attributes, ridge=0.0).covariance
    # Who has the attribute leaves out half of the questions: missing at random given it.
    hidden = (rng.random(answers.shape) < 0.5) & (attributes > 0)
    part = np.where(hidden, -1, answers)
    found = model.fit(code, part, attributes, ridge=0.1, sweeps=20).covariance
    start = model.fit(code, part, attributes, ridge=0.1, sweeps=0).covariance
    assert np.abs(found - complete).mean() < np.abs(start - complete).mean() / 3


@pytest.mark.parametrize("share", [0.1, 0.5, 0.8], ids=["few unknown", "half", "most unknown"])
def test_a_sweep_is_the_textbook_one_however_much_is_unknown(share):
    rng = np.random.default_rng(3)
    code, answers, attributes = answered(rng, 60)
    answers[rng.random(answers.shape) < share] = -1
    weights = rng.lognormal(size=60)
    begin = model.fit(code, answers, attributes, weights=weights, sweeps=1)
    found = model.fit(code, answers, attributes, weights=weights, sweeps=2)
    there, say = code.there(answers), weights * 60 / weights.sum()
    values = code.values(answers, attributes) - begin.shares
    total = begin.covariance + begin.ridge * np.eye(code.width)
    full, spread = np.empty_like(values), np.zeros_like(total)
    for row, known, own, times in zip(range(60), there, values, say, strict=True):
        across, unknown = total[np.ix_(~known, known)], np.ix_(~known, ~known)
        pull = np.linalg.solve(total[np.ix_(known, known)], (own - begin.mean)[known])
        full[row] = np.where(known, own, begin.mean)
        full[row, ~known] += across @ pull
        left = total[unknown] - across @ np.linalg.solve(total[np.ix_(known, known)], across.T)
        spread[unknown] += times * (left - begin.ridge * np.eye(len(left)))
    mean = say @ full / 60
    by_hand = ((full.T * say) @ full + spread) / 60 - np.outer(mean, mean)
    assert np.allclose(found.mean, mean)
    assert np.allclose(found.covariance, by_hand)


def test_weights_count_people_as_if_they_were_there_more_often(made):
    code, answers, attributes, _ = made
    twice = np.vstack([answers, answers[:100]]), np.vstack([attributes, attributes[:100]])
    weights = np.where(np.arange(len(answers)) < 100, 2.0, 1.0)
    counted = model.fit(code, *twice, ridge=0.01)
    weighted = model.fit(code, answers, attributes, weights=weights, ridge=0.01)
    assert np.allclose(weighted.shares, counted.shares)
    assert np.allclose(weighted.covariance, counted.covariance, atol=2e-3)


def test_nobody_s_answer_leaves_a_question_at_nothing_known():
    code = Encoding((2, 3))
    fitted = model.fit(code, np.array([[0, -1], [1, -1]]))
    p = fitted.probabilities(np.array([[-1, -1]]))
    assert np.allclose(p[0, 2:], 1 / 3)
