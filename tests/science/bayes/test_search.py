import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lupom.science.bayes.families import FamilyScores
from lupom.science.bayes.scores import Score
from lupom.science.bayes.search import allowed_edges, search, topological_order
from tests.science.bayes.networks import edges_of, random_network, sample, with_gaps


def total(codes, cards, score, edges):
    families = FamilyScores(np.asarray(codes, dtype=np.int32), cards, score)
    return sum(families.family(c, [p for p, x in edges if x == c]) for c in range(len(cards)))


def matrix(edges, d):
    out = np.zeros((d, d), dtype=bool)
    for parent, child in edges:
        out[parent, child] = True
    return out


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 500), st.sampled_from(["bic", "bdeu", "bds", "k2"]), st.booleans())
def test_hill_climbing_ends_where_no_single_change_gains(seed, name, gaps):
    d, score = 6, Score(name, 5)
    codes = sample(random_network(d, 3, 2, seed), 120, seed)
    codes = with_gaps(codes, 0.1, seed) if gaps else codes
    found = search(codes, [3] * d, score, method="hc")
    edges = set(found.edges)
    best = total(codes, [3] * d, score, edges)
    assert found.score == pytest.approx(best)
    assert topological_order(matrix(edges, d)) is not None
    for parent in range(d):
        for child in range(d):
            if parent == child:
                continue
            edge = {(parent, child)}
            others = [edges - edge] if edge <= edges else [edges | edge]
            if edge <= edges:
                others.append((edges - edge) | {(child, parent)})
            for other in others:
                if topological_order(matrix(other, d)) is not None:
                    assert total(codes, [3] * d, score, other) <= best + 1e-5


@pytest.mark.parametrize("name", ["bic", "bdeu", "bds"])
def test_tabu_search_finds_the_skeleton_of_the_network_that_made_the_data(name):
    network = random_network(12, 3, 2, 2)
    codes = sample(network, 5000, 0)
    found = search(codes, [3] * 12, Score(name))
    skeleton = {frozenset(edge) for edge in found.edges}
    true = {frozenset(edge) for edge in edges_of(network)}
    assert len(skeleton & true) >= 0.9 * len(true)
    assert len(skeleton - true) <= 1


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 100))
def test_tabu_and_restarts_are_never_worse_than_hill_climbing(seed):
    codes = sample(random_network(8, 3, 3, seed), 200, seed)
    climbed = search(codes, [3] * 8, Score("bds"), method="hc").score
    assert search(codes, [3] * 8, Score("bds"), tabu_length=10).score >= climbed - 1e-6
    again = search(codes, [3] * 8, Score("bds"), method="hc", restarts=2, seed=seed)
    assert again.score >= climbed - 1e-6
    assert again == search(codes, [3] * 8, Score("bds"), method="hc", restarts=2, seed=seed)


def test_a_tabu_list_of_none_is_hill_climbing():
    codes = sample(random_network(8, 3, 3, 5), 200, 5)
    assert search(codes, [3] * 8, Score("bds"), tabu_length=0) == search(
        codes, [3] * 8, Score("bds"), method="hc"
    )


def test_equal_gains_go_to_the_first_parent_and_child():
    # BDeu scores both directions alike, and the two pairs are copies of each other.
    pair = np.random.default_rng(0).integers(0, 2, (50, 1))
    codes = np.concatenate([pair, pair, pair], axis=1)
    found = search(codes, [2] * 3, Score("bdeu"), method="hc", max_moves=1)
    assert found.edges == ((0, 1),)


def test_gaps_do_not_invite_edges():
    # Sums over fewer rows look better; compared as they stand they bring some 90 false edges here.
    network = random_network(30, 4, 3, 0)
    codes = with_gaps(sample(network, 300, 0), 0.1, 0)
    found = search(codes, [4] * 30, Score("bds"), tabu_length=20)
    true = {frozenset(edge) for edge in edges_of(network)}
    assert len({frozenset(edge) for edge in found.edges} - true) <= 8


def test_constraints_hold():
    codes = sample(random_network(10, 3, 3, 1), 800, 1)
    ranks = [0, 0, 0, 1, 1, 1, 2, 2, 2, 2]
    found = search(
        codes,
        [3] * 10,
        Score("bds"),
        max_parents=2,
        allowed=allowed_edges(10, forbidden=[(0, 9)], ranks=ranks),
        required=[(0, 1), (1, 2)],
    )
    assert {(0, 1), (1, 2)} <= set(found.edges)
    assert (0, 9) not in found.edges
    assert all(ranks[parent] <= ranks[child] for parent, child in found.edges)
    assert matrix(found.edges, 10).sum(axis=0).max() <= 2


@pytest.mark.parametrize(
    ("settings_", "message"),
    [
        ({"required": [(0, 1), (1, 0)]}, "cycle"),
        ({"required": [(0, 0)]}, "not an allowed edge"),
        ({"required": [(0, 2), (1, 2)], "max_parents": 1}, "exceed max_parents"),
        ({"method": "ga"}, "known are hc, tabu"),
        ({"tabu_length": -1}, "negative"),
        ({"allowed": np.ones((2, 2), dtype=bool)}, "matrix"),
    ],
)
def test_constraints_that_cannot_hold_are_refused(settings_, message):
    with pytest.raises(ValueError, match=message):
        search(np.zeros((4, 3), dtype=int), [2] * 3, Score("bds"), **settings_)


@pytest.mark.parametrize("codes", [np.empty((0, 0)), np.empty((0, 3)), np.full((5, 3), -1)])
def test_without_data_there_are_no_edges(codes):
    codes = codes.astype(int)
    assert search(codes, [2] * codes.shape[1], Score("bds")).edges == ()
