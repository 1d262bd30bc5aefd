"""The order in which options tell of an answer, where it is another than they stand in."""

from __future__ import annotations

import numpy as np
import pytest

from lupom.science.predictors.ordering import ranks

N = 3000


@pytest.fixture
def rng():
    return np.random.default_rng(4)


def told(rng, where, options=3):
    """Return answers of people who lean to the last option by `where`, 0 to 1."""
    return rng.binomial(options - 1, where)


@pytest.mark.parametrize("options", [2, 3, 5])
def test_places_by_the_alphabet_are_put_in_the_order_in_which_they_tell(rng, options):
    lean = np.array([0.5, 0.1, 0.7, 0.3, 0.9])
    region = rng.integers(0, 5, N)
    found = ranks(region.astype(float), told(rng, lean[region], options), 5)
    order = np.argsort(found)
    assert order.tolist() in ([1, 3, 0, 2, 4], [4, 2, 0, 3, 1])


@pytest.mark.parametrize("lean", [[0.1, 0.3, 0.5, 0.6, 0.9], [0.9, 0.7, 0.5, 0.2, 0.1], [0.5] * 5])
def test_a_scale_stays_as_it_is_and_so_does_what_tells_nothing(rng, lean):
    scale = rng.integers(0, 5, N)
    assert ranks(scale.astype(float), told(rng, np.array(lean)[scale]), 5) is None


def test_blanks_are_no_option_and_one_that_nobody_gave_has_a_place(rng):
    lean = np.array([0.5, 0.1, 0.8, 0.5, 0.2, 0.9])
    region = rng.choice([0, 1, 2, 4, 5], N)
    given = told(rng, lean[region])
    codes = np.where(rng.random(N) < 0.3, np.nan, region)
    found = ranks(codes, given, 6)
    assert sorted(found) == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize("options", [2, 3])
def test_few_options_have_no_other_order(rng, options):
    codes = rng.integers(0, options, N)
    assert ranks(codes.astype(float), told(rng, np.array([0.5, 0.1, 0.9])[codes]), options) is None


def test_of_one_answer_nothing_is_told(rng):
    assert ranks(rng.integers(0, 5, N).astype(float), np.zeros(N, dtype=np.int64), 5) is None
