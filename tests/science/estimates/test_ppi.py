"""Means from answers and predictions: beside ppi-python, on populations whose mean is known."""

from __future__ import annotations

import numpy as np
import pytest

from lupom.science.estimates import intervals, ppi
from lupom.science.estimates.design import Design

DRAWS = 400


def drawn(seed, n, people, correlation):
    """Return answers (N, 1), predictions (N, 1), and who answered: the first n."""
    rng = np.random.default_rng(seed)
    both = rng.multivariate_normal([0.0, 0.5], [[1.0, correlation], [correlation, 1.0]], people)
    return both[:, :1], both[:, 1:], np.arange(people) < n


def everybody(people):
    return np.ones(people, dtype=bool)


@pytest.mark.parametrize("weight", [0.3, 1.0])
def test_a_given_power_gives_what_ppi_python_gives(weight):
    from ppi_py import ppi_mean_pointestimate

    n, people = 80, 500
    values, predictions, answered = drawn(1, n, people, 0.7)
    # Theirs is a share of those who did not answer, ours of everybody.
    found = ppi.powered(
        values,
        answered,
        predictions,
        Design(np.ones(people)),
        everybody(people),
        power=weight * people / (people - n),
    )
    expected = ppi_mean_pointestimate(values[:n], predictions[:n], predictions[n:], lam=weight)
    assert found.value == pytest.approx(expected)


def test_weighted_answers_give_what_ppi_python_gives():
    from ppi_py import ppi_mean_pointestimate

    n, people = 80, 500
    values, predictions, answered = drawn(2, n, people, 0.7)
    weights = np.random.default_rng(2).uniform(0.2, 3.0, people)
    design = Design(weights)
    every = predictions * 1.0
    found = ppi.powered(values, answered, every, design, everybody(people), power=1.0)
    theirs = ppi_mean_pointestimate(
        values[:n], predictions[:n], predictions, lam=1.0, w=weights[:n], w_unlabeled=weights
    )
    assert found.value == pytest.approx(theirs)


def test_the_tuned_power_and_interval_are_those_of_ppi_python():
    from ppi_py import ppi_mean_ci

    n, people = 400, 8000
    values, predictions, answered = drawn(3, n, people, 0.8)
    found = ppi.powered(values, answered, predictions, Design(np.ones(people)), everybody(people))
    low, high = intervals.of_means(found.value, found.variance, n - 2)
    theirs_low, theirs_high = ppi_mean_ci(values[:n], predictions[:n], predictions[n:], alpha=0.05)
    assert found.value == pytest.approx((theirs_low + theirs_high) / 2, abs=0.001)
    # Theirs is the normal interval without a correction for degrees of freedom.
    assert (high - low) / (theirs_high - theirs_low) == pytest.approx(1.0, abs=0.01)


def test_intervals_hold_and_are_narrower_by_what_predictions_know():
    held, widths, errors = [], {"classical": [], "powered": []}, {"classical": [], "powered": []}
    people, n = 1000, 100
    design, all_ = Design(np.ones(people)), everybody(people)
    for draw in range(DRAWS):
        values, predictions, answered = drawn(draw, n, people, 0.8)
        plain = ppi.classical(values, answered, design, all_)
        found = ppi.powered(values, answered, predictions, design, all_)
        low, high = intervals.of_means(found.value, found.variance, n - 2)
        held.append(low[0] <= 0.0 <= high[0])
        for name, mean in (("classical", plain), ("powered", found)):
            widths[name].append(mean.variance[0])
            errors[name].append(mean.value[0] ** 2)
    # Of 400 intervals that hold with probability .95, 93 to 97 % do in 94 % of runs.
    assert 0.93 <= np.mean(held) <= 0.97
    # 1 - .8^2 (1 - n / N) = .424 of the variance is left.
    assert np.mean(widths["powered"]) / np.mean(widths["classical"]) == pytest.approx(
        0.424, abs=0.03
    )
    assert np.mean(errors["powered"]) / np.mean(errors["classical"]) == pytest.approx(
        0.424, abs=0.12
    )


def test_predictions_that_know_nothing_widen_no_interval():
    people, n = 1000, 60
    design, all_ = Design(np.ones(people)), everybody(people)
    for draw in range(100):
        values, predictions, answered = drawn(draw, n, people, 0.0)
        plain = ppi.classical(values, answered, design, all_)
        found = ppi.powered(values, answered, predictions, design, all_)
        untuned = ppi.powered(values, answered, predictions, design, all_, power=1.0)
        assert found.variance[0] <= plain.variance[0] * 1.01**2
        assert untuned.variance[0] > plain.variance[0] * 1.3


def test_the_mean_of_predictions_does_not_hold():
    people, n = 1000, 100
    design = Design(np.ones(people))
    _values, predictions, _answered = drawn(1, n, people, 0.8)
    found = ppi.naive(predictions, design, everybody(people))
    low, high = intervals.of_means(found.value, found.variance, people - 1)
    assert low[0] > 0.3
    assert found.predicted == people
    assert found.humans == 0
    assert high[0] - low[0] < 0.2


def test_those_who_answered_not_being_a_random_part_shows():
    people, n = 1000, 200
    values, predictions, answered = drawn(1, n, people, 0.8)
    design = Design(np.ones(people))
    assert ppi.powered(values, answered, predictions, design, everybody(people)).imbalance < 3
    best = predictions[:, 0] > np.quantile(predictions, 0.8)
    found = ppi.powered(values, best, predictions, design, everybody(people))
    assert found.imbalance > 10


def test_calibration_learns_what_an_answer_without_a_distribution_is_worth():
    rng = np.random.default_rng(5)
    people = 4000
    truth = rng.choice(3, people, p=[0.6, 0.3, 0.1])
    # Right in 60 % of cases, and otherwise any option.
    said = np.where(rng.random(people) < 0.6, truth, rng.choice(3, people))
    values, certain = np.eye(3)[truth], np.eye(3)[said]
    answered = np.arange(people) < 2000
    fold = rng.integers(0, 5, people)
    found = ppi.calibrate(values, answered, certain, np.ones(people), fold)
    assert found.sum(axis=1) == pytest.approx(np.ones(people))
    for option in range(3):
        # Bayes' rule.
        right = np.array([0.6, 0.3, 0.1]) * (0.6 * np.eye(3)[option] + 0.4 / 3)
        mine = (said == option) & ~answered
        assert found[mine].mean(axis=0) == pytest.approx(right / right.sum(), abs=0.05)


def test_nobody_is_calibrated_by_their_own_answer():
    rng = np.random.default_rng(6)
    values, predictions = rng.normal(size=(60, 1)), rng.normal(size=(60, 2))
    answered, fold = np.ones(60, dtype=bool), np.arange(60) % 5
    found = ppi.calibrate(values, answered, predictions, np.ones(60), fold)
    changed = values.copy()
    changed[fold == 2] += 100.0
    again = ppi.calibrate(changed, answered, predictions, np.ones(60), fold)
    assert again[fold == 2] == pytest.approx(found[fold == 2])
    assert np.abs(again[fold != 2] - found[fold != 2]).min() > 1


def test_people_without_a_prediction_still_answer():
    people, n = 400, 100
    values, predictions, answered = drawn(7, n, people, 0.9)
    predictions[50:100] = np.nan
    predictions[300:] = np.nan
    design = Design(np.ones(people))
    found = ppi.powered(values, answered, predictions, design, everybody(people))
    assert (found.humans, found.predicted) == (100, 250)
    assert found.variance < ppi.classical(values, answered, design, everybody(people)).variance


@pytest.mark.parametrize("share", [0.0, 0.02, 0.5, 1.0])
def test_intervals_of_shares_stay_between_0_and_1(share):
    low, high = intervals.of_shares(
        np.array([share]), np.array([share * (1 - share) / 100]), 99, 100
    )
    assert 0 <= low[0] <= share <= high[0] <= 1
    assert high[0] - low[0] > 0.02


def test_the_interval_of_a_share_is_wilson_s():
    from statsmodels.stats.proportion import proportion_confint

    share, n = 7 / 90, 90
    low, high = intervals.of_shares(np.array([share]), np.array([share * (1 - share) / n]), 1e9, n)
    assert (low[0], high[0]) == pytest.approx(proportion_confint(7, 90, method="wilson"), abs=1e-5)


def ridge(x: np.ndarray, y: np.ndarray, at: np.ndarray) -> np.ndarray:
    """A ridge regression whose penalty is best by generalised cross-validation, by the SVD."""
    centre, spread, level = x.mean(axis=0), x.std(axis=0), y.mean(axis=0)
    u, s, vt = np.linalg.svd((x - centre) / spread, full_matrices=False)
    inside, told = s > 1e-6 * s.max(), u.T @ (y - level)
    found = []
    for penalty in ppi.RIDGES:
        keep = np.where(inside, s**2 / (s**2 + penalty * np.square(s).mean()), 0.0)
        left = len(x) - 1 - keep.sum()
        if left > 1:
            score = np.square(y - level - u @ (keep[:, None] * told)).sum() / left**2
            slopes = vt.T @ (np.divide(keep, s, out=np.zeros_like(s), where=inside)[:, None] * told)
            found.append((score, level + (at - centre) / spread @ slopes))
    return min(found, key=lambda one: one[0])[1]


@pytest.mark.parametrize("columns", [2, 12, 40])
def test_calibration_is_the_ridge_regression_of_the_other_folds(columns: int) -> None:
    # The last has more columns than people who answered.
    rng = np.random.default_rng(columns)
    x = rng.normal(size=(60, columns))
    values = np.eye(3)[np.digitize(x[:, 0] + rng.normal(size=60), [-0.5, 0.5])]
    answered, fold = np.arange(60) < 35, np.arange(60) % 3
    found = ppi.calibrate(values, answered, x, np.ones(60), fold)
    told = [ridge(x[answered & (fold != k)], values[answered & (fold != k)], x) for k in range(3)]
    for k in range(3):
        held = answered & (fold == k)
        assert found[held] == pytest.approx(told[k][held], abs=1e-8)
    assert found[~answered] == pytest.approx(np.mean(told, axis=0)[~answered], abs=1e-8)
