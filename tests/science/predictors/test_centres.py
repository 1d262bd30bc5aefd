"""Weights that parts had elsewhere are where the weights of a new survey are looked for."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lupom.science.predictors.centres import (
    ENOUGH,
    FEW,
    FEW_PEOPLE,
    LEFT_OUT,
    MANY,
    MANY_PEOPLE,
    candidates,
    centre,
)

SHIPPED = sorted(set(MANY) - LEFT_OUT)
names = st.lists(st.sampled_from([*MANY, "theirs", "ours"]), min_size=1, unique=True)


def test_the_parts_that_ship_have_the_weights_they_had_elsewhere():
    assert centre(SHIPPED, MANY).tolist() == pytest.approx([MANY[name] for name in SHIPPED])


def test_a_part_that_was_nowhere_else_counts_as_if_all_were_alike():
    weights = dict(zip([*SHIPPED, "theirs"], centre([*SHIPPED, "theirs"], MANY), strict=True))
    assert weights["theirs"] == pytest.approx(1 / 7)
    # The others share the rest as they do without it.
    assert weights["boosted_answers"] == pytest.approx(MANY["boosted_answers"] * 6 / 7)


def test_what_is_left_of_the_parts_shares_what_those_that_are_gone_had():
    weights = centre(["autoencoder_answers", "network_answers"], MANY)
    assert weights.sum() == pytest.approx(sum(MANY.values()))
    assert weights[0] / weights[1] == pytest.approx(0.32 / 0.16)


@given(names, st.sampled_from([MANY, FEW]))
def test_no_weight_is_negative_and_all_are_about_one(parts, elsewhere):
    weights = centre(parts, elsewhere)
    assert (weights >= 0).all()
    assert weights.sum() == pytest.approx(1.0, abs=0.03)


def test_parts_that_added_nothing_anywhere_are_alike_where_there_are_no_others():
    assert centre(["majority", "forest_answers"], FEW).tolist() == [0.5, 0.5]


def test_weights_elsewhere_are_begun_from_where_people_are_not_few():
    of_many, of_few = centre(SHIPPED, MANY).tolist(), centre(SHIPPED, FEW).tolist()
    begun = [weights.tolist() for weights, _ in candidates(SHIPPED, 1000, MANY_PEOPLE, "known")]
    assert of_many in begun
    assert of_few in begun
    begun = [weights.tolist() for weights, _ in candidates(SHIPPED, 1000, FEW_PEOPLE, "known")]
    assert begun == [of_few] * len(begun)


@pytest.mark.parametrize(("pairs", "best"), [(ENOUGH - 1, False), (ENOUGH, True)])
def test_of_few_people_the_best_part_is_looked_for_unless_luck_would_find_it(pairs, best):
    tried = candidates(SHIPPED, pairs, FEW_PEOPLE - 1, "known")
    assert any(shrinkage.centre == "best" for _, shrinkage in tried) == best
    assert all(np.allclose(weights, 1 / 6) for weights, _ in tried)


def test_of_people_of_whom_nothing_is_known_weights_elsewhere_say_nothing():
    for weights, _ in candidates(SHIPPED, 1000, 1000, "new_respondent"):
        assert np.allclose(weights, 1 / 6)
