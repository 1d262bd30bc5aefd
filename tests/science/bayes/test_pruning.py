import numpy as np
import pytest
from scipy.stats import chi2, chi2_contingency

from lupom.science.bayes.pruning import independence, prune


def copies(n=400, noise=0.2, seed=0):
    """A dimension, a noisy copy of it, a copy of the copy, and one of its own."""
    rng = np.random.default_rng(seed)
    out = [rng.integers(0, 3, n)]
    for _ in range(2):
        out.append(np.where(rng.random(n) < noise, rng.integers(0, 3, n), out[-1]))
    return np.stack([*out, rng.integers(0, 3, n)], axis=1).astype(np.int32)


@pytest.mark.parametrize(("test", "power"), [("chi2", "pearson"), ("g", "log-likelihood")])
def test_the_test_is_scipys_summed_over_the_configurations_of_the_others(test, power):
    codes = copies()
    ours = independence(codes, [3] * 4, 0, 2, [1], test=test)
    statistic, df = 0.0, 0
    for value in range(3):
        part = codes[codes[:, 1] == value]
        table = np.zeros((3, 3))
        np.add.at(table, (part[:, 0], part[:, 2]), 1)
        table = table[table.sum(axis=1) > 0][:, table.sum(axis=0) > 0]
        found = chi2_contingency(table, correction=False, lambda_=power)
        statistic, df = statistic + found.statistic, df + found.dof
    assert ours.statistic == pytest.approx(statistic)
    assert ours.degrees_of_freedom == df
    assert ours.p_value == pytest.approx(chi2.sf(statistic, df))
    assert ours.n == 400


def test_cases_missing_in_any_of_the_columns_are_left_out():
    codes = copies()
    gaps = codes.copy()
    gaps[:100, 1] = -1
    assert independence(gaps, [3] * 4, 0, 2, [1]) == independence(codes[100:], [3] * 4, 0, 2, [1])


def test_an_edge_goes_when_the_other_parents_explain_it():
    kept = prune(copies(), [3] * 4, [(0, 1), (0, 2), (1, 2), (3, 2)], alpha=0.01)
    assert set(kept) == {(0, 1), (1, 2)}


def test_of_two_parents_that_say_the_same_one_stays():
    codes = copies()
    codes[:, 2] = codes[:, 0]
    kept = prune(codes, [3] * 4, [(0, 1), (2, 1)])
    assert len(kept) == 1
    assert next(iter(kept.values())).p_value < 1e-10


def test_required_edges_stay_and_correction_is_stricter():
    codes = copies()
    assert set(prune(codes, [3] * 4, [(3, 2)], alpha=0.001, required=[(3, 2)])) == {(3, 2)}
    # An edge between two columns of noise whose p-value is below .05 by chance.
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 2, (200, 40)).astype(np.int32)
    edges = [(i, i + 1) for i in range(39)]
    plain = prune(noise, [2] * 40, edges)
    strict = prune(noise, [2] * 40, edges, correction="bonferroni")
    assert len(strict) < len(plain)


def test_a_constant_column_has_nothing_to_compare():
    codes = copies()
    codes[:, 0] = 1
    found = independence(codes, [3] * 4, 0, 1)
    assert (found.degrees_of_freedom, found.p_value) == (0, 1.0)
    assert prune(codes, [3] * 4, [(0, 1)]) == {}


def test_unknown_settings_are_refused():
    with pytest.raises(ValueError, match="known are chi2, g"):
        prune(copies(), [3] * 4, [(0, 1)], test="t")
    with pytest.raises(ValueError, match="known are none, bonferroni"):
        prune(copies(), [3] * 4, [(0, 1)], correction="fdr")
    with pytest.raises(ValueError, match="alpha"):
        prune(copies(), [3] * 4, [(0, 1)], alpha=0)
