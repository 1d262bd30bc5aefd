import itertools

import numpy as np
import pytest

from lupom.science.bayes import PersonaNetwork, refine
from lupom.science.bayes.completion import fit_tables
from lupom.science.bayes.posterior import Posterior
from lupom.science.bayes.reports import believe
from lupom.science.bayes.scores import Score
from lupom.science.bayes.simulation import with_errors
from tests.science.bayes.networks import edges_of, random_network, sample, with_gaps


def exact(tables, rates, row, r):
    """The distribution of each true value given the reports of a row, by enumeration."""
    grid = np.array(list(itertools.product(range(r), repeat=len(row))))
    joint = np.ones(len(grid))
    for table in tables:
        joint *= table.likelihood({m: grid[:, m] for m in table.members})
    for j, reported in enumerate(row):
        if reported >= 0:
            joint *= np.where(grid[:, j] == reported, 1 - rates[j], rates[j] / (r - 1))
    joint /= joint.sum()
    return [np.bincount(grid[:, j], weights=joint, minlength=r) for j in range(len(row))]


def test_averages_over_sweeps_approach_exact_inference():
    network = random_network(6, 3, 2, 5, concentration=0.5)
    codes = sample(network, 400, 5)
    tables, order = fit_tables(codes, [3] * 6, edges_of(network), Score("bds"))
    rates = np.array([0.1, 0.2, 0.0, 0.3, 0.1, 0.1])
    reports = with_gaps(with_errors(codes, 3, 0.2, 1), 0.2, 1)[:20]

    def largest(sweeps):
        found = believe(Posterior(tables, order), reports, rates, sweeps=sweeps, seed=0)
        p = {target: array for target, _, array in found}
        return max(
            np.abs(p[j][i] - expected).max()
            for i in range(len(reports))
            for j, expected in enumerate(exact(tables, rates, reports[i], 3))
        )

    assert largest(1500) < 0.05
    assert largest(1500) < largest(30)


def test_the_error_rate_of_a_dimension_is_found_where_several_others_tell_its_value():
    # Five dimensions follow one; a fifth of the reports of that one are wrong, and its children
    # agree on what they should be.
    rng = np.random.default_rng(1)
    cause = rng.integers(0, 3, 3000)
    truth = np.stack([cause] + [with_errors(cause, 3, 0.1, i) for i in range(5)], axis=1)
    reports = truth.copy()
    reports[:, 0] = with_errors(cause, 3, 0.2, 9)
    edges = [("0", str(child)) for child in range(1, 6)]
    network = PersonaNetwork.from_edges(reports, [3] * 6, edges=edges)
    network = network.with_error_rates(reports, seed=1)
    assert network.error_rates[0] == pytest.approx(0.2, abs=0.04)
    assert network.error_rates[0] > 2 * network.error_rates[1:].max()
    refined = refine(network, reports)
    assert (refined.codes[:, 0] != cause).mean() < 0.03
    assert (refined.codes != truth).mean() < 0.5 * (reports != truth).mean()
    assert (refined.error_rates == network.error_rates).all()


def test_reports_that_are_right_stay():
    codes = sample(random_network(15, 4, 2, 3), 1000, 3)
    network = PersonaNetwork.fit(codes, [4] * 15)
    result = refine(network, codes)
    assert (result.codes != codes).mean() < 0.005
    assert result.error_rates.mean() < 0.02
    assert result.raw_probability.mean() > 0.98


def test_only_levels_that_may_change_have_errors():
    codes = with_errors(sample(random_network(6, 3, 2, 2), 500, 2), 3, 0.1, 2)
    network = PersonaNetwork.fit(codes, [3] * 6, None, ["low"] * 3 + ["high"] * 3)
    result = refine(network, codes)
    assert (result.error_rates[:3] == 0).all()
    assert (result.error_rates[3:] > 0).all()
    assert (result.codes[:, :3] == codes[:, :3]).all()


def test_rates_estimated_once_serve_respondents_that_come_later():
    codes = with_errors(sample(random_network(10, 3, 2, 7), 1500, 7), 3, 0.1, 7)
    network = PersonaNetwork.fit(codes[:1000], [3] * 10).with_error_rates(codes[:1000], seed=2)
    one = refine(network, codes[1000:1001], seed=2)
    assert one.codes.shape == (1, 10)
    again = refine(network, codes[1000:], seed=2)
    assert (again.codes == refine(network, codes[1000:], seed=2).codes).all()


def test_noisy_reports_and_unknown_as_a_value_do_not_go_together():
    codes = with_gaps(sample(random_network(4, 3, 2, 2), 100, 2), 0.2, 2)
    network = PersonaNetwork.fit(codes, [3] * 4, missing="value")
    with pytest.raises(ValueError, match="without unknown as a value"):
        refine(network, codes)
