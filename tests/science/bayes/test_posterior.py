import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lupom.science.bayes.counting import check_codes
from lupom.science.bayes.parameters import ConditionalTable
from lupom.science.bayes.posterior import Posterior
from lupom.science.bayes.scores import Score
from tests.science.bayes.networks import (
    posterior_by_enumeration,
    random_network,
    sample,
    with_gaps,
)


def fitted(network, codes, score="bds"):
    cards = [network[2][0].shape[1]] * len(network[1])
    checked = check_codes(codes, cards)
    tables = [
        ConditionalTable.fit(checked, cards, child, parents, Score(score))
        for child, parents in enumerate(network[1])
    ]
    return Posterior(tables, [int(i) for i in network[0]])


def posteriors(network, codes):
    d = codes.shape[1]
    out = {t: np.zeros((len(codes), network.cardinalities[t])) for t in range(d)}
    for target, rows, p in network.each(codes, range(d)):
        out[target][rows] = p
    return out


@settings(max_examples=15, deadline=None)
@given(
    st.integers(0, 1000),
    st.sampled_from([0.0, 0.2, 0.5, 0.9]),
    st.sampled_from(["bds", "bdeu", "bic", "k2"]),
)
def test_posteriors_equal_enumeration_of_the_joint(seed, share, score):
    network = random_network(6, 3, 3, seed)
    codes = sample(network, 60, seed)
    posterior = fitted(network, codes, score)
    holes = with_gaps(codes, share, seed)[:8]
    ours = posteriors(posterior, holes)
    for i, row in enumerate(holes):
        for target in range(6):
            expected = posterior_by_enumeration(posterior.tables, row, target)
            assert ours[target][i] == pytest.approx(expected, abs=1e-9)


def test_the_value_of_the_cell_itself_is_not_used():
    network = random_network(8, 3, 2, 1)
    codes = sample(network, 50, 1)
    posterior = fitted(network, codes)
    other = codes.copy()
    other[:, 3] = (other[:, 3] + 1) % 3
    hidden = codes.copy()
    hidden[:, 3] = -1
    expected = posteriors(posterior, codes)[3]
    assert np.allclose(posteriors(posterior, other)[3], expected)
    assert np.allclose(posteriors(posterior, hidden)[3], expected)


def test_a_row_of_which_nothing_is_known_gets_the_marginals():
    network = random_network(6, 3, 2, 4)
    posterior = fitted(network, sample(network, 80, 4))
    row = np.full((1, 6), -1, dtype=np.int32)
    ours = posteriors(posterior, row)
    for target in range(6):
        expected = posterior_by_enumeration(posterior.tables, row[0], target)
        assert ours[target][0] == pytest.approx(expected)


def test_the_rows_of_a_large_network_do_not_depend_on_each_other():
    network = random_network(40, 4, 3, 2)
    codes = sample(network, 400, 2)
    posterior = fitted(network, codes)
    holes = with_gaps(codes, 0.1, 2)
    together = posteriors(posterior, holes)
    one_by_one = [posteriors(posterior, holes[i : i + 1]) for i in range(5)]
    for target in range(40):
        assert np.allclose(together[target].sum(axis=1), 1)
        for i in range(5):
            assert np.allclose(together[target][i], one_by_one[i][target][0])


def test_products_of_very_small_probabilities_do_not_vanish():
    # One parent of 60 children that almost never differ from it: products down to 1e-300.
    n, d = 4000, 61
    codes = np.repeat(np.random.default_rng(0).integers(0, 2, (n, 1)), d, axis=1).astype(np.int32)
    cards = [2] * d
    tables = [
        ConditionalTable.fit(codes, cards, c, [0] if c else [], Score("bds", 1e-3))
        for c in range(d)
    ]
    posterior = Posterior(tables, list(range(d)))
    row = np.array([[-1] + [0, 1] * 30], dtype=np.int32)
    row[0, 5] = -1
    for _, _, p in posterior.each(row, range(d)):
        assert np.isfinite(p).all()
        assert p.sum() == pytest.approx(1)


def test_inference_that_would_not_fit_in_memory_is_refused():
    # 12 parents of 6 values, all missing, with a known child: a table of 6 ** 12.
    d = 13
    codes = np.random.default_rng(0).integers(0, 6, (40, d)).astype(np.int32)
    tables = [
        ConditionalTable.fit(codes, [6] * d, c, list(range(12)) if c == 12 else [], Score("bds"))
        for c in range(d)
    ]
    row = np.full((1, d), -1, dtype=np.int32)
    row[0, 12] = 1
    with pytest.raises(ValueError, match="lower max_parents"):
        list(Posterior(tables, list(range(d))).each(row, [0]))


def test_tables_are_dirichlet_means_and_unseen_configurations_are_uniform():
    codes = np.array([[0, 0], [0, 0], [0, 1], [1, 1]], dtype=np.int32)
    table = ConditionalTable.fit(codes, [3, 2], 1, [0], Score("bds", 4))
    # iss 4 over 2 observed configurations of 2 values: 1 per cell.
    assert table.probabilities.tolist() == [[3 / 5, 2 / 5], [1 / 3, 2 / 3], [1 / 2, 1 / 2]]
    assert table.configurations.tolist() == [[0], [1]]
    seen = {0: np.array([0, 1, 2]), 1: np.array([1, 1, 1])}
    assert table.likelihood(seen) == pytest.approx([2 / 5, 2 / 3, 1 / 2])
