"""Rubin's rules, of whatever a statistician has the sets' estimates in."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from lupom.science.planning import rubin

VALUES, VARIANCES = [[0.4, 0.6], [0.5, 0.5], [0.6, 0.4]], [[0.01, 0.02]] * 3


@pytest.mark.parametrize("make", [list, tuple, np.array, pd.DataFrame])
def test_lists_arrays_and_frames_are_the_same(make):
    found = rubin.pool(make(VALUES), make(VARIANCES), [100, 100])
    plain = rubin.pool(np.array(VALUES), np.array(VARIANCES), 100.0)
    assert found.low.tolist() == plain.low.tolist()
    # (0.01 + 0.01) / 2 between sets, times 1 + 1/3, and the mean variance within.
    assert found.std_error**2 == pytest.approx([0.01 + 0.01 * 4 / 3, 0.02 + 0.01 * 4 / 3])


def test_of_a_large_sample_degrees_are_those_of_the_sets():
    found = rubin.pool([0.4, 0.5, 0.6], [0.01, 0.01, 0.01], np.inf)
    share = 0.04 / 3 / (0.01 + 0.04 / 3)
    assert found.degrees == pytest.approx(2 / share**2)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (([0.4, 0.5], [0.01], 10), "shape"),
        ((0.4, 0.01, 10), "1 imputed set"),
        (([0.4, None], [0.01, 0.01], 10), "not finite"),
        ((["a", "b"], [0.01, 0.01], 10), "values are numbers"),
        (([0.4, 0.5], [0.01, -0.01], 10), "below 0"),
        (([0.4, 0.5], [0.01, 0.01], 0), "degrees of freedom are above 0"),
        (([0.4, 0.5], [0.01, 0.01], 10, 95), "the level is between 0 and 1"),
        (([[0.4], [0.5, 0.6]], [0.01, 0.01], 10), "of one shape"),
    ],
)
def test_what_cannot_be_pooled_is_told(arguments, said):
    with pytest.raises(ValueError, match=said):
        rubin.pool(*arguments)
