"""Columns made of arrays are what pa.array makes of the same values."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from lupom import arrow_columns

YES = np.array([True, False, True])


def same(column, values, kind):
    column.validate(full=True)
    assert column.equals(pa.array(values, kind))


def test_texts():
    same(arrow_columns.texts(["a", None, "", "bä"]), ["a", None, "", "bä"], pa.string())
    same(arrow_columns.texts([]), [], pa.string())


def test_chosen_texts():
    picked = arrow_columns.chosen(["no", "ö"], np.array([1, -1, 0, 1]))
    same(picked, ["ö", None, "no", "ö"], pa.string())


def test_numbers():
    same(arrow_columns.numbers(np.array([1, 2, 3]), YES), [1.0, None, 3.0], pa.float64())


def test_equal_texts():
    column = pa.chunked_array([["a", None], ["b", "a"]])
    same(arrow_columns.equal(column, "a"), [True, False, False, True], pa.bool_())
    same(arrow_columns.equal(column, None), [False, True, False, False], pa.bool_())


def test_lists_and_maps():
    values, lengths = arrow_columns.texts(["a", "b", "c"]), np.array([1, 0, 2])
    same(
        arrow_columns.lists(values, lengths, YES), [["a"], None, ["b", "c"]], pa.list_(pa.string())
    )
    numbers = arrow_columns.numbers(np.array([0.5, 1, 2]))
    maps = arrow_columns.maps(values, numbers, lengths)
    expected = [[("a", 0.5)], [], [("b", 1.0), ("c", 2.0)]]
    same(maps, expected, pa.map_(pa.string(), pa.float64()))
