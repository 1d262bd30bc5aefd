import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lupom.science.bayes.counting import Configurations, check_codes, family_counts


@given(st.data())
def test_two_rows_share_a_number_exactly_when_they_are_the_same_configuration(data):
    cards = data.draw(st.lists(st.sampled_from([1, 2, 3, 1000]), min_size=1, max_size=12))
    n = data.draw(st.integers(0, 30))
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    columns = [rng.integers(0, min(c, 3), n) for c in cards]
    found = Configurations(columns, cards)
    rows = [tuple(row) for row in np.stack(columns, axis=1).tolist()]
    assert found.count == len(set(rows))
    assert len(set(zip(rows, found.index.tolist(), strict=True))) == found.count
    assert (found.lookup(columns) == found.index).all()


def test_configurations_beyond_int64_do_not_overflow():
    codes = np.random.default_rng(0).integers(0, 1000, (200, 30))  # 1000 ** 30 configurations
    columns = list(codes.T)
    found = Configurations(columns, [1000] * 30)
    assert found.count == 200
    assert (found.lookup(columns) == found.index).all()
    assert (found.lookup([(c + 1) % 1000 for c in columns]) == found.count).all()


def test_family_counts_leave_out_rows_with_a_missing_member():
    codes = np.array([[0, 1], [0, 1], [1, 0], [-1, 0], [1, -1]], dtype=np.int32)
    counts, configurations, complete = family_counts(codes, [2, 2], child=1, parents=[0])
    assert counts.tolist() == [[0, 2], [1, 0]]
    assert configurations.count == 2
    assert complete.tolist() == [True, True, True, False, False]


@pytest.mark.parametrize(
    ("codes", "cards", "message"),
    [
        ([[0, 2]], [2, 2], "code 2 in row 0, column 1"),
        ([[-2, 0]], [2, 2], "code -2"),
        ([[0.5, 1.0]], [2, 2], "integers"),
        ([[0]], [2, 2], "one column per cardinality"),
        ([[0]], [0], "at least 1"),
    ],
)
def test_codes_out_of_range_are_refused(codes, cards, message):
    with pytest.raises(ValueError, match=message):
        check_codes(np.array(codes), cards)
