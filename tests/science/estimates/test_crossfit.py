"""Cross-fitted regressions on more columns than one takes."""

from __future__ import annotations

import numpy as np
import pytest

from lupom.science.estimates import crossfit
from lupom.science.estimates.design import Bools, Floats, Ints

Wide = tuple[Floats, Floats, Bools, Ints]


@pytest.fixture(scope="module")
def wide() -> Wide:
    """600 people, of whom 500 answered; 8 of 400 columns tell something, the last ones."""
    rng = np.random.default_rng(3)
    x = rng.normal(size=(600, 400))
    told = x[:, -8:].sum(axis=1) + rng.normal(0.0, 2.0, 600)
    return x, np.eye(2)[(told > 0).astype(int)], np.arange(600) < 500, np.arange(600) % 5


def error(p: Floats, wide: Wide) -> float:
    _, values, answered, _ = wide
    return float(np.square(p[answered] - values[answered]).mean())


def of_columns(wide: Wide, most: int) -> Floats:
    x, values, answered, fold = wide
    [moments] = crossfit.moments(x, [(values, answered)], fold, 5)
    return crossfit.crossed(*wide, crossfit.telling(moments, x.var(axis=0), most))


def test_columns_that_tell_most_are_taken(wide: Wide) -> None:
    few, taken, every = of_columns(wide, 8), of_columns(wide, 300), crossfit.crossed(*wide)
    assert error(few, wide) < error(taken, wide) < error(every, wide) < 0.25
    assert of_columns(wide, 400) == pytest.approx(every)


def test_nobody_is_predicted_from_their_own_answer(wide: Wide) -> None:
    x, values, answered, fold = wide
    changed = values.copy()
    changed[10] = 1.0 - changed[10]
    same = fold == fold[10]
    before, after = (of_columns((x, v, answered, fold), 100) for v in (values, changed))
    held = answered & same
    assert after[held] == pytest.approx(before[held], abs=1e-12)
    assert np.abs(after[~same] - before[~same]).max() > 1e-6


def test_without_columns_the_shares_of_the_other_folds_are_left(wide: Wide) -> None:
    _, values, answered, fold = wide
    p = crossfit.crossed(np.zeros((600, 0)), values, answered, fold)
    others = answered & (fold != 0)
    assert p[0] == pytest.approx(values[others].mean(axis=0))


@pytest.mark.parametrize("value", [0.1, 1 / 3, 0.7])
def test_people_who_are_alike_in_all_columns_are_predicted_as_the_others_answer(
    value: float,
) -> None:
    # Their squares less their mean's are rounding, which was taken for a variance below 0.
    x, fold = np.full((9, 3), value), np.arange(9) % 3
    values = np.eye(2)[np.array([0, 1, 1, 0, 1, 0, 1, 1, 0])]
    found = crossfit.crossed(x, values, np.ones(9, dtype=bool), fold)
    for k in range(3):
        assert found[fold == k] == pytest.approx(np.tile(values[fold != k].mean(axis=0), (3, 1)))
