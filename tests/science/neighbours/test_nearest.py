import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lupom.science.neighbours import informative, nearest
from lupom.science.neighbours.hamming import faiss


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


@settings(max_examples=30, deadline=None)
@given(
    st.integers(0, 10_000),
    st.integers(1, 250),
    st.lists(st.integers(2, 5), min_size=1, max_size=6),
    st.booleans(),
    st.booleans(),
)
def test_the_binary_index_finds_the_same_neighbours_and_ties(seed, k, cards, missing, weighted):
    pytest.importorskip("faiss")
    rng = np.random.default_rng(seed)
    codes = np.stack([rng.integers(-1 if missing else 0, c, 200) for c in cards], axis=1)
    reference = rng.random(200) < 0.8
    weights = rng.integers(0, 3, len(cards)) if weighted else None
    asked = rng.permutation(200)[:50]
    expected = nearest(codes, cards, reference, k, weights=weights, asked=asked, method="numpy")
    found = nearest(codes, cards, reference, k, weights=weights, asked=asked, method="faiss")
    assert (found[0] == expected[0]).all()
    assert np.array_equal(found[1], expected[1], equal_nan=True)


def test_the_binary_index_says_what_it_cannot_do(monkeypatch):
    codes = np.zeros((3, 1), dtype=int)
    with pytest.raises(ValueError, match="known are auto, numpy, faiss"):
        nearest(codes, [2], [True] * 3, 1, method="flat")
    if faiss() is not None:
        with pytest.raises(ValueError, match="one-hot values of whole weights"):
            nearest(codes, [2], [True] * 3, 1, ordinal=[True], method="faiss")
    monkeypatch.setitem(sys.modules, "faiss", None)
    faiss.cache_clear()
    with pytest.raises(ValueError, match=r"pip install 'lupom\[faiss\]'"):
        nearest(codes, [2], [True] * 3, 1, method="faiss")
    rows, _ = nearest(codes, [2], [True] * 3, 1)
    assert rows.tolist() == [[1], [0], [0]]
    faiss.cache_clear()


def test_more_respondents_than_are_held_at_once_are_searched_in_tiles():
    pytest.importorskip("faiss")
    rng = np.random.default_rng(5)
    codes = rng.integers(0, 3, (70_000, 4)).astype(np.int8)
    codes[68_000:, 0] = 3
    asked = np.array([0, 65_536, 69_999])
    reference = np.ones(70_000, dtype=bool)
    found = nearest(codes, [4] * 4, reference, 900, asked=asked, method="numpy")
    expected = nearest(codes, [4] * 4, reference, 900, asked=asked, method="faiss")
    assert (found[0] == expected[0]).all()
    assert np.array_equal(*(result[1] for result in (found, expected)))


def test_some_respondents_are_asked_about():
    rng = np.random.default_rng(3)
    codes = rng.integers(-1, 3, (60, 5))
    every = nearest(codes, [3] * 5, [True] * 60, 4)
    some = nearest(codes, [3] * 5, [True] * 60, 4, asked=[7, 50, 7])
    assert (some[0] == every[0][[7, 50, 7]]).all()


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000))
def test_certainty_makes_the_cosine_that_of_shorter_vectors(seed):
    rng = np.random.default_rng(seed)
    codes = rng.integers(-1, 3, (15, 4))
    certainty = np.where(rng.random((15, 4)) < 0.2, 0.0, rng.random((15, 4)))
    vectors = np.zeros((15, 4, 3))
    at = np.nonzero(codes >= 0)
    vectors[(*at, codes[at])] = certainty[at]
    flat = vectors.reshape(15, -1)
    length = np.linalg.norm(flat, axis=1)
    rows, similarity = nearest(codes, [3] * 4, [True] * 15, 14, certainty=certainty)
    for i in range(15):
        for j, value in zip(rows[i], similarity[i], strict=True):
            if j >= 0:
                assert value == pytest.approx(flat[i] @ flat[j] / length[i] / length[j], abs=2e-9)
    with pytest.raises(ValueError, match="from 0 to 1"):
        nearest(codes, [3] * 4, [True] * 15, 1, certainty=certainty + 1.5)
    with pytest.raises(ValueError, match="the shape of the codes"):
        nearest(codes, [3] * 4, [True] * 15, 1, certainty=certainty[:, :2])
