"""p-values, beside those of scipy.stats."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from lupom.science.significance import benjamini_hochberg, holm, mcnemar, student


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 30), st.integers(0, 30))
def test_mcnemar_is_the_exact_test_with_half_of_the_middle(b: int, c: int) -> None:
    p = mcnemar(b, c)
    assert p == mcnemar(c, b)
    assert 0 < p <= 1
    exact = stats.binomtest(min(b, c), b + c).pvalue if b + c else 1.0
    assert p <= exact + 1e-12


def test_mcnemar_of_a_textbook() -> None:
    # Fagerland, Lydersen and Laake (2013), table 1: discordant counts 1 and 7.
    assert mcnemar(1, 7) == pytest.approx(0.039, abs=0.0005)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(0, 1), max_size=12))
def test_a_correction_only_raises_and_keeps_the_order(p: list[float]) -> None:
    values = np.array(p, dtype=float)
    corrected = holm(values)
    assert (corrected >= values - 1e-12).all()
    assert (corrected <= 1.0).all()
    order = np.argsort(values, kind="stable")
    assert (np.diff(corrected[order]) >= -1e-12).all()


def test_a_correction_by_hand() -> None:
    p = np.array([0.01, 0.04, 0.03, 0.005])
    assert holm(p) == pytest.approx([0.03, 0.06, 0.06, 0.02])


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_false_discoveries_are_corrected_as_scipy_does(p: list[float]) -> None:
    assert benjamini_hochberg(np.array(p)) == pytest.approx(stats.false_discovery_control(p))


def test_nothing_is_corrected_to_nothing() -> None:
    assert len(holm(np.empty(0))) == len(benjamini_hochberg(np.empty(0))) == 0


@pytest.mark.parametrize("degrees", [1, 4.5, 200])
def test_student_s_t_has_both_tails(degrees: float) -> None:
    for t in (-3.0, 0.0, 0.4, 12.0):
        assert student(t, degrees) == pytest.approx(2 * stats.t.sf(abs(t), degrees))
