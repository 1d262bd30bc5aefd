import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lupom.science.neighbours import informative, nearest


def slow_nearest(codes, cards, reference, k, ordinal, weights):
    """Neighbours and similarities, one pair after another."""
    out = []
    for i, mine in enumerate(codes):
        found = []
        for j, other in enumerate(codes):
            shared = [
                d for d in range(len(cards)) if mine[d] >= 0 and other[d] >= 0 and weights[d] > 0
            ]
            if i == j or not reference[j] or not shared:
                continue
            agreement = sum(
                weights[d] * (1 - abs(mine[d] - other[d]) / max(cards[d] - 1, 1))
                if ordinal[d]
                else weights[d] * (mine[d] == other[d])
                for d in shared
            )
            known = [
                sum(w for w, c in zip(weights, row, strict=True) if c >= 0) for row in (mine, other)
            ]
            found.append((-round(float(agreement / np.sqrt(known[0] * known[1])), 9), j))
        out.append(sorted(found)[:k])
    return out


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 12), st.booleans(), st.booleans())
def test_neighbours_are_the_most_similar_and_ties_go_to_the_earlier_row(seed, k, ordered, weighted):
    rng = np.random.default_rng(seed)
    cards = [2, 3, 4]
    codes = np.stack([rng.integers(-1, c, 20) for c in cards], axis=1)
    reference = rng.random(20) < 0.6
    ordinal = [ordered] * 3
    weights = [1.0, 0.5, 0.0] if weighted else [1.0, 1.0, 1.0]
    rows, similarity = nearest(codes, cards, reference, k, ordinal=ordinal, weights=weights)
    for i, expected in enumerate(slow_nearest(codes, cards, reference, k, ordinal, weights)):
        found = [j for j in rows[i].tolist() if j >= 0]
        assert found == [j for _, j in expected]
        assert similarity[i, : len(found)] == pytest.approx([-s for s, _ in expected], abs=2e-9)
        assert np.isnan(similarity[i, len(found) :]).all()


def test_nobody_is_their_own_neighbour_and_test_respondents_are_nobodys():
    codes = np.zeros((6, 2), dtype=int)
    reference = np.array([True, True, False, True, False, True])
    rows, _ = nearest(codes, [2, 2], reference, 5)
    assert rows[0].tolist() == [1, 3, 5, -1, -1]
    assert rows[2].tolist() == [0, 1, 3, 5, -1]


def test_a_missing_value_is_no_match():
    codes = np.array([[0, -1, -1], [0, -1, -1], [0, 1, 1]])
    _, similarity = nearest(codes, [2, 2, 2], [True] * 3, 2)
    # The two who know one dimension and agree are alike; the third shares one of three.
    assert similarity[0].tolist() == pytest.approx([1, 1 / np.sqrt(3)])


def test_who_shares_no_known_dimension_is_no_neighbour():
    codes = np.array([[0, -1], [-1, 0], [-1, -1]])
    rows, _ = nearest(codes, [2, 2], [True] * 3, 2)
    assert (rows == -1).all()


def test_dimensions_of_a_thousand_values_go_through_sparse_features():
    rng = np.random.default_rng(0)
    codes = rng.integers(-1, 3, (40, 6))
    reference = rng.random(40) < 0.7
    narrow = nearest(codes, [3] * 6, reference, 7)
    wide = nearest(codes, [1000] * 6, reference, 7)
    assert (wide[0] == narrow[0]).all()
    assert np.array_equal(wide[1], narrow[1], equal_nan=True)


def test_dimensions_that_nearly_everyone_shares_are_dropped():
    codes = np.zeros((100, 5), dtype=int)
    codes[:5, 0] = 1  # 95 to 5
    codes[:20, 1] = 1  # 80 to 20
    codes[:, 3] = -1
    codes[:, 4] = np.arange(100) % 3
    assert informative(codes, max_skew=10).tolist() == [False, True, False, False, True]
    assert informative(codes, max_skew=None).tolist() == [True, True, False, False, True]


@pytest.mark.parametrize("shape", [(0, 0), (0, 3), (4, 0), (1, 3)])
def test_without_anyone_to_compare_there_are_no_neighbours(shape):
    codes = np.zeros(shape, dtype=int)
    rows, similarity = nearest(codes, [2] * shape[1], [True] * shape[0], 3)
    assert rows.shape == similarity.shape == (shape[0], 3)
    assert (rows == -1).all()


def test_what_cannot_be_meant_is_refused():
    codes = np.zeros((2, 2), dtype=int)
    with pytest.raises(ValueError, match="at least 1"):
        nearest(codes, [2, 2], [True, True], 0)
    with pytest.raises(ValueError, match="one truth value"):
        nearest(codes, [2, 2], [True], 1)
    with pytest.raises(ValueError, match="weights must be"):
        nearest(codes, [2, 2], [True, True], 1, weights=[1, -1])
