"""Sums of what calls take."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lupom.engine.llm.usage import Usage

COUNTS = st.integers(0, 10**9)
USAGES = st.builds(
    Usage,
    st.none() | COUNTS,
    st.none() | COUNTS,
    # Whole dollars, so that sums are exact in any order.
    st.none() | COUNTS.map(float),
    COUNTS,
    COUNTS,
)


def test_a_sum_is_of_each_number():
    first, second = Usage(10, 2, 0.5, 4, 1), Usage(20, 3, 0.25, 0, 2)
    assert first + second == Usage(30, 5, 0.75, 4, 3)
    assert (first + second).tokens == 35


@given(USAGES, USAGES)
def test_a_part_that_is_unknown_leaves_its_sum_unknown_and_no_other(first, second):
    total = first + second
    for name in ("tokens_in", "tokens_out", "cost"):
        parts = [getattr(first, name), getattr(second, name)]
        assert getattr(total, name) == (None if None in parts else sum(parts))
    assert total.requests == first.requests + second.requests
    assert (total.tokens is None) == (None in (total.tokens_in, total.tokens_out))


@given(st.lists(USAGES, max_size=4))
def test_parts_can_be_added_in_any_order(parts):
    assert sum(parts, Usage()) == sum(reversed(parts), Usage())
