"""Variances of weighted means by clusters, strata and replicate weights, beside samplics."""

from __future__ import annotations

import numpy as np
import pytest

from lupom.science.estimates import intervals, ppi
from lupom.science.estimates.design import Design

N = 240

# It says so of itself when it is imported; what it computes stands.
pytestmark = pytest.mark.filterwarnings("ignore:samplics is archived:FutureWarning")


@pytest.fixture(scope="module")
def sample():
    rng = np.random.default_rng(3)
    strata = np.repeat(np.arange(4), 60)
    clusters = np.tile(np.repeat(np.arange(6), 10), 4)
    effect = rng.normal(size=(4, 6))[strata, clusters]
    values = (rng.normal(size=N) + effect + strata > 1).astype(float)
    return values, rng.uniform(0.3, 4.0, N), strata, clusters


def by_samplics(values, weights, strata=None, clusters=None, domain=None):
    from samplics import PopParam, TaylorEstimator

    found = TaylorEstimator(PopParam.mean)
    psu = None if clusters is None else clusters + 1000 * (0 if strata is None else strata)
    found.estimate(y=values, samp_weight=weights, stratum=strata, psu=psu, domain=domain)
    return found


def test_weights_alone(sample):
    values, weights, *_ = sample
    found = ppi.classical(values[:, None], np.ones(N, bool), Design(weights), np.ones(N, bool))
    theirs = by_samplics(values, weights)
    assert found.value[0] == pytest.approx(theirs.point_est)
    assert np.sqrt(found.variance[0]) == pytest.approx(theirs.stderror)


def test_clusters_in_strata(sample):
    values, weights, strata, clusters = sample
    design = Design(weights, clusters, strata)
    found = ppi.classical(values[:, None], np.ones(N, bool), design, np.ones(N, bool))
    theirs = by_samplics(values, weights, strata, clusters)
    assert np.sqrt(found.variance[0]) == pytest.approx(theirs.stderror)
    assert design.degrees(np.ones(N, bool)) == 20
    apart = ppi.classical(values[:, None], np.ones(N, bool), Design(weights), np.ones(N, bool))
    assert found.variance[0] > 2 * apart.variance[0]


def test_a_group_is_a_domain_of_the_design(sample):
    values, weights, strata, clusters = sample
    design = Design(weights, clusters, strata)
    members = (np.arange(N) % 3 == 0) | (strata == 1)
    found = ppi.classical(values[:, None], np.ones(N, bool), design, members)
    theirs = by_samplics(values, weights, strata, clusters, domain=np.where(members, 1, 0))
    assert found.value[0] == pytest.approx(theirs.point_est[1])
    assert np.sqrt(found.variance[0]) == pytest.approx(theirs.stderror[1])


def test_the_difference_of_two_groups_of_the_same_clusters(sample):
    values, weights, strata, clusters = sample
    design = Design(weights, clusters, strata)
    all_, women = np.ones(N, bool), np.arange(N) % 2 == 0
    one = ppi.classical(values[:, None], all_, design, women)
    other = ppi.classical(values[:, None], all_, design, ~women)
    found = one.minus(other, design)
    # Beside the jackknife over clusters, which knows nothing of influence functions.
    estimates, factors = [], []
    for stratum in range(4):
        for cluster in range(6):
            left = ~((strata == stratum) & (clusters == cluster))
            means = [
                np.average(values[left & who], weights=weights[left & who] * scale)
                for who in (women, ~women)
                for scale in [np.where(strata == stratum, 6 / 5, 1.0)[left & who]]
            ]
            estimates.append(means[0] - means[1])
            factors.append(5 / 6)
    jackknife = np.sum(np.array(factors) * (np.array(estimates) - found.value[0]) ** 2)
    assert found.variance[0] == pytest.approx(jackknife, rel=0.05)
    # People of one cluster answer alike, so that their difference varies less than two strangers'.
    assert found.variance[0] < 0.8 * (one.variance[0] + other.variance[0])


def test_replicate_weights_give_the_jackknife(sample):
    values, weights, strata, clusters = sample
    unit = clusters + 6 * strata
    again = np.stack(
        [
            np.where(unit == u, 0.0, np.where(strata == u // 6, weights * 6 / 5, weights))
            for u in range(24)
        ],
        axis=1,
    )
    design = Design(weights, replicates=again, scale=5 / 6)
    found = ppi.classical(values[:, None], np.ones(N, bool), design, np.ones(N, bool))
    linear = Design(weights, clusters, strata)
    beside = ppi.classical(values[:, None], np.ones(N, bool), linear, np.ones(N, bool))
    assert found.value == pytest.approx(beside.value)
    assert found.variance[0] == pytest.approx(beside.variance[0], rel=0.05)


def test_predictions_narrow_intervals_of_any_design(sample):
    values, weights, strata, clusters = sample
    rng = np.random.default_rng(1)
    predictions = (0.8 * values + 0.2 * rng.random(N))[:, None]
    answered = (clusters + strata) % 2 == 0
    unit = clusters + 6 * strata
    again = weights[:, None] * rng.poisson(1.0, (24, 200))[unit]
    for design in (
        Design(weights),
        Design(weights, clusters, strata),
        Design(weights, replicates=again, scale=1 / 200),
    ):
        plain = ppi.classical(values[:, None], answered, design, np.ones(N, bool))
        found = ppi.powered(values[:, None], answered, predictions, design, np.ones(N, bool))
        assert found.variance[0] < 0.8 * plain.variance[0]
        assert found.humans == answered.sum()


def test_a_stratum_of_one_cluster_errs_to_the_wide_side(sample):
    values, weights, strata, clusters = sample
    lonely = np.where(strata == 3, 0, clusters)
    design = Design(weights, lonely, strata)
    found = ppi.classical(values[:, None], np.ones(N, bool), design, np.ones(N, bool))
    assert np.isfinite(found.variance[0])
    assert found.variance[0] > 0


def test_people_of_one_sampling_unit_tell_no_variance(sample):
    values, weights, strata, clusters = sample
    design = Design(weights, clusters, strata)
    one = (strata == 2) & (clusters == 3)
    found = ppi.classical(values[:, None], np.ones(N, bool), design, one)
    assert found.variance[0] == pytest.approx(0.0)
    assert not design.tells(one)
    assert design.tells(one | (clusters == 4))
    # Nor do people of two, if those of the other do not count.
    assert not Design(weights * (clusters != 4), clusters, strata).tells(
        one | ((strata == 2) & (clusters == 4))
    )


def test_all_alike_is_no_variance_whatever_is_rounded(sample):
    _, weights, *_ = sample
    for share in (1.0, 1 / 3, 0.1):
        found = ppi.classical(
            np.full((N, 1), share), np.ones(N, bool), Design(weights), np.ones(N, bool)
        )
        assert found.variance[0] == 0.0
        low, high = intervals.of_means(found.value, found.variance, N - 1.0)
        assert np.isnan([low, high]).all()
    low, high = intervals.of_shares(np.ones(1), np.zeros(1), N - 1.0, 100.0)
    assert 0.95 < low[0] < 0.97
    assert high[0] == 1.0
    assert np.isnan(intervals.of_shares(np.full(1, np.nan), np.zeros(1), 9.0, 0.0)).all()
