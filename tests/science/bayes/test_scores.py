from collections import Counter
from math import lgamma, log, prod

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lupom.science.bayes.families import FamilyScores
from lupom.science.bayes.scores import Score
from tests.science.bayes.networks import random_network, sample, with_gaps

NAMES = ["bic", "bdeu", "bds", "k2"]


def slow_score(name, iss, rows, child, parents, cards):
    """The formulas as they are printed, one configuration after another."""
    r, q = cards[child], prod(cards[p] for p in parents)
    n_jk = Counter((tuple(row[p] for p in parents), row[child]) for row in rows)
    n_j = Counter(tuple(row[p] for p in parents) for row in rows)
    if name == "bic":
        likelihood = sum(n * log(n / n_j[j]) for (j, _), n in n_jk.items())
        return likelihood - 0.5 * log(max(len(rows), 1)) * q * (r - 1)
    a_jk = {"k2": 1.0, "bdeu": iss / (r * q), "bds": iss / (r * max(len(n_j), 1))}[name]
    total = 0.0
    for j, n in n_j.items():
        total += lgamma(r * a_jk) - lgamma(r * a_jk + n)
        for k in range(r):
            total += lgamma(a_jk + n_jk[j, k]) - lgamma(a_jk)
    return total


@st.composite
def families(draw):
    cards = draw(st.lists(st.integers(1, 5), min_size=2, max_size=5))
    n = draw(st.integers(0, 40))
    rng = np.random.default_rng(draw(st.integers(0, 10_000)))
    codes = np.stack([rng.integers(0, c, n) for c in cards], axis=1).astype(np.int32)
    return cards, codes


@settings(max_examples=150, deadline=None)
@given(families(), st.sampled_from(NAMES), st.sampled_from([0.5, 1.0, 10.0, 300.0]))
def test_scores_equal_the_formulas(family, name, iss):
    cards, codes = family
    parents = list(range(1, len(cards)))
    ours = FamilyScores(codes, cards, Score(name, iss)).family(0, parents)
    assert ours == pytest.approx(slow_score(name, iss, codes.tolist(), 0, parents, cards), abs=1e-8)


@settings(max_examples=60, deadline=None)
@given(families(), st.sampled_from(NAMES))
def test_scores_of_all_additions_at_once_equal_the_formulas(family, name):
    cards, codes = family
    last = len(cards) - 1
    changes = FamilyScores(codes, cards, Score(name, 5)).changes(0, [last], additions=True)
    for p in range(1, last):
        expected = slow_score(name, 5, codes.tolist(), 0, [p, last], cards)
        assert changes.added[p] == pytest.approx(expected, abs=1e-8)
    assert np.isnan(changes.added[[0, last]]).all()
    assert changes.removed[last] == pytest.approx(
        slow_score(name, 5, codes.tolist(), 0, [], cards), abs=1e-8
    )


@pytest.mark.parametrize("name", ["bdeu", "bds", "k2"])
def test_a_marginal_likelihood_is_never_above_zero_with_unobserved_configurations(name):
    # 6 parents of 4 values: 4,096 configurations, most of them unobserved in 3,000 rows.
    codes = np.random.default_rng(0).integers(0, 4, (3000, 7)).astype(np.int32)
    rows = codes.tolist()
    ours = FamilyScores(codes, [4] * 7, Score(name, 10)).family(0, [1, 2, 3, 4, 5, 6])
    assert ours < 0
    assert ours == pytest.approx(slow_score(name, 10, rows, 0, [1, 2, 3, 4, 5, 6], [4] * 7))


def test_bds_is_bdeu_where_every_configuration_is_observed_and_shares_less_elsewhere():
    full = np.array([[3, 1], [2, 5]])
    assert Score("bds").family(full) == pytest.approx(Score("bdeu").family(full))
    sparse = np.array([[3, 1], [2, 5], [0, 0], [0, 0]])
    assert Score("bds").family(sparse) == pytest.approx(Score("bds").family(full))
    assert Score("bdeu").family(sparse) != pytest.approx(Score("bdeu").family(full))


@given(st.integers(0, 1000))
def test_bdeu_and_bic_score_both_directions_of_an_edge_alike(seed):
    codes = np.random.default_rng(seed).integers(0, 3, (25, 2)).astype(np.int32)
    for name in ("bdeu", "bic"):
        scores = FamilyScores(codes, [3, 3], Score(name, 4))
        forth = scores.family(0, []) + scores.family(1, [0])
        back = scores.family(1, []) + scores.family(0, [1])
        assert forth == pytest.approx(back)


@pytest.mark.parametrize("name", NAMES)
def test_with_missing_values_a_gain_is_measured_on_the_available_cases(name):
    codes = with_gaps(sample(random_network(6, 3, 2, 3), 300, 0), 0.2, 0)
    score = Score(name, 10)
    scores = FamilyScores(codes, [3] * 6, score)
    known = codes[codes[:, 0] >= 0].tolist()
    both = codes[(codes[:, [0, 2]] >= 0).all(axis=1)].tolist()
    alone = slow_score(name, 10, known, 0, [], [3] * 6)
    gain = slow_score(name, 10, both, 0, [2], [3] * 6) - slow_score(name, 10, both, 0, [], [3] * 6)
    expected = alone + gain * len(known) / len(both)
    assert scores.family(0, [2]) == pytest.approx(expected)
    assert scores.changes(0, [], additions=True).added[2] == pytest.approx(expected)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 1000), st.sampled_from([0.0, 0.2, 0.6]))
def test_the_node_average_likelihood_is_its_formula(seed, share):
    codes = with_gaps(sample(random_network(4, 3, 2, seed), 60, seed), share, seed)
    scores = FamilyScores(codes, [3] * 4, Score("bic"), node_average=True)
    known = codes[(codes[:, [0, 1, 2]] >= 0).all(axis=1)].tolist()
    m, parameters = max(len(known), 1), 9 * 2
    likelihood = slow_score("bic", 1, known, 0, [1, 2], [3] * 4) + log(m) / 2 * parameters
    expected = 60 / m * likelihood - log(60) / 2 * parameters
    assert scores.family(0, [1, 2]) == pytest.approx(expected, abs=1e-8)
    changes = scores.changes(0, [1], additions=True)
    assert changes.added[2] == pytest.approx(expected, abs=1e-8)
    with pytest.raises(ValueError, match="penalised as bic"):
        FamilyScores(codes, [3] * 4, Score("bds"), node_average=True)


@pytest.mark.parametrize("name", NAMES)
def test_copies_of_the_same_rows_count_once(name):
    codes = sample(random_network(5, 3, 2, 8), 100, 8)
    once = FamilyScores(codes, [3] * 5, Score(name, 3))
    thrice = FamilyScores(np.concatenate([codes] * 3), [3] * 5, Score(name, 3), copies=3)
    assert thrice.family(0, [1, 2]) == pytest.approx(once.family(0, [1, 2]))
    assert thrice.changes(0, [1], additions=True).added == pytest.approx(
        once.changes(0, [1], additions=True).added, nan_ok=True
    )


def test_counting_by_sorting_and_by_table_agree():
    # 40,000 cells for 60 rows go through the sort, as the formula does not.
    codes = np.random.default_rng(1).integers(0, 200, (60, 3)).astype(np.int32)
    changes = FamilyScores(codes, [200] * 3, Score("bds")).changes(0, [1], additions=True)
    expected = slow_score("bds", 10, codes.tolist(), 0, [1, 2], [200] * 3)
    assert changes.added[2] == pytest.approx(expected)


def test_astronomic_families_have_finite_scores():
    codes = np.random.default_rng(2).integers(0, 1000, (50, 121)).astype(np.int32)
    for name in ("bdeu", "bds", "k2"):
        scores = FamilyScores(codes, [1000] * 121, Score(name))
        assert np.isfinite(scores.family(0, list(range(1, 121))))


def test_an_unknown_score_and_an_impossible_iss_are_refused():
    with pytest.raises(ValueError, match="known are bic, bdeu, bds, k2"):
        Score("bdes")
    with pytest.raises(ValueError, match="iss must be"):
        Score("bds", 0)
