"""Agreements as bits, against comparing one value after another."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lupom.science.neighbours import nearest, planes


@settings(max_examples=40, deadline=None)
@given(
    st.integers(0, 10_000),
    st.lists(st.tuples(st.integers(1, 9), st.integers(1, 40)), min_size=1, max_size=12),
    st.booleans(),
)
def test_agreements_are_those_of_the_values(seed, described, missing):
    rng = np.random.default_rng(seed)
    cards, weights = (np.array(of) for of in zip(*described, strict=True))
    codes = np.stack([rng.integers(-1 if missing else 0, r, 30) for r in cards], axis=1)
    layout = planes.layout(cards.tolist(), weights)
    assert layout.total == weights.sum()
    mine, others = (planes.packed(codes[of], layout) for of in (slice(0, 11), slice(5, 30)))
    same = (codes[:11, None] == codes[None, 5:]) & (codes[:11, None] >= 0)
    found = planes.agreements(mine, others, layout)
    assert (found == (same * weights).sum(axis=2)).all()
    # Whoever is to be left out gets a number below all others.
    assert np.issubdtype(found.dtype, np.signedinteger)


@pytest.mark.parametrize("count", [127, 128, 129, 255, 256, 32768])
def test_whoever_agrees_in_all_does_so_however_many_they_are(count):
    codes = np.zeros((2, 1), dtype=np.int64)
    layout = planes.layout([2], np.array([count]))
    words = planes.packed(codes, layout)
    assert (planes.agreements(words, words, layout) == count).all()


@pytest.mark.parametrize("missing", [0.0, 0.1, 0.9])
def test_neighbours_are_the_same_by_bits_and_by_products(missing, monkeypatch):
    rng = np.random.default_rng(4)
    codes = rng.integers(0, 4, (700, 40))
    codes[rng.random(codes.shape) < missing] = -1
    codes[:5] = -1
    reference = rng.random(700) < 0.9
    by_bits = nearest(codes, [4] * 40, reference, 6, method="numpy")
    monkeypatch.setattr(planes.Layout, "pays", lambda layout, features: False)
    products = nearest(codes, [4] * 40, reference, 6, method="numpy")
    assert (by_bits[0] == products[0]).all()
    assert np.array_equal(by_bits[1], products[1], equal_nan=True)


def test_large_weights_are_no_copies_of_bits():
    codes = np.random.default_rng(5).integers(0, 4, (50, 40))
    heavy = nearest(codes, [4] * 40, [True] * 50, 3, weights=[1e5] * 40, method="numpy")
    plain = nearest(codes, [4] * 40, [True] * 50, 3, method="numpy")
    assert (heavy[0] == plain[0]).all()
    assert np.array_equal(*(found[1] for found in (heavy, plain)))
