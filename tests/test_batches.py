"""Tables worked in batches in this process: what every executor does elsewhere."""

from __future__ import annotations

from decimal import Decimal

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from lupom.batches import in_batches
from tests.support.batch_work import scaled

NUMBERS = pa.table({"x": range(10)})
SHARED = {
    "factor": 0.5,
    "words": pa.table({"word": ["even", "odd"]}),
    "shift": np.array([0.0, 100.0]),
}


def rows_of(batch: pa.Table) -> pd.DataFrame:
    return pd.DataFrame({"first": [batch["x"][0].as_py()], "rows": [len(batch)]})


def test_a_table_is_cut_into_batches_and_results_stand_in_their_order():
    found = in_batches(rows_of, NUMBERS, batch_rows=4)
    assert found.to_pylist() == [
        {"first": 0, "rows": 4},
        {"first": 4, "rows": 4},
        {"first": 8, "rows": 2},
    ]


def test_shared_values_are_tables_arrays_and_json():
    found = in_batches(scaled, NUMBERS.slice(0, 2), shared=SHARED)
    assert found.to_pylist() == [
        {"x": 0, "value": 0.0, "word": "even"},
        {"x": 1, "value": 100.5, "word": "odd"},
    ]


def test_a_table_without_rows_is_one_batch_that_says_the_columns():
    found = in_batches(scaled, NUMBERS.slice(0, 0), shared=SHARED)
    assert found.num_rows == 0
    assert found.column_names == ["x", "value", "word"]


def itself(batch: pa.Table) -> pa.Table:
    return batch


class Once:
    made = 0

    def __init__(self) -> None:
        type(self).made += 1

    def __call__(self, batch: pa.Table) -> pa.Table:
        return batch


def test_a_class_is_made_once_and_called_with_each_batch():
    assert in_batches(Once, NUMBERS, batch_rows=2).equals(NUMBERS)
    assert Once.made == 1


def changes(batch: pa.Table, shift: np.ndarray) -> pa.Table:
    shift[0] = 1
    return batch


def test_shared_arrays_are_not_to_be_changed():
    shift = np.zeros(2)
    with pytest.raises(ValueError, match="read-only"):
        in_batches(changes, NUMBERS, shared={"shift": shift})
    shift[0] = 1  # The caller's own still can be.


def named_by_row(batch: pa.Table) -> pa.Table:
    return pa.table({f"x{batch['x'][0].as_py()}": batch["x"]})


def counted(batch: pa.Table) -> int:
    return len(batch)


def one_column(batch: pa.Table) -> pa.ChunkedArray:
    return batch["x"]


def by_kind(batch: pa.Table) -> pa.Table:
    return batch if batch["x"][0].as_py() else pa.table({"x": ["none"]})


def rounded(batch: pa.Table) -> pa.Table:
    return pa.table({"x": [2**53 + 1 if batch["x"][0].as_py() else 0.5]})


def of_pandas(batch: pa.Table) -> pd.DataFrame:
    return batch.to_pandas()


def test_types_that_pandas_makes_of_the_values_of_a_batch_are_one_type():
    table = pa.table(
        {
            "whole": [1, None, 3],
            "price": [Decimal("1.5"), Decimal("12.5"), Decimal("100.5")],
            "none": pa.array([None, None, "c"]),
        }
    )
    assert in_batches(of_pandas, table, batch_rows=1).to_pylist() == table.to_pylist()


def test_unions_of_a_batch_come_to_duckdb_as_they_were():
    with duckdb.connect() as connection:
        whole = connection.sql(
            "select union_value(number := range) as value, [{'a': value}] as nested from range(5)"
        ).to_arrow_table()
        connection.register("found", in_batches(itself, whole, batch_rows=2))
        connection.register("given", whole)
        assert connection.sql("from found").fetchall() == connection.sql("from given").fetchall()


@pytest.mark.parametrize(
    ("function", "how", "message"),
    [
        (lambda batch: batch, {}, "function defined at the top of a module, not <lambda>"),
        (scaled, {"shared": {"factor": object()}}, "shared 'factor' is object: a table, a NumPy"),
        (scaled, {"shared": {"factor": np.ma.array([1], mask=[1])}}, "is a masked array; share va"),
        (scaled, {"shared": [0.5]}, "shared is values by name, not list"),
        (rows_of, {"batch_rows": 0}, "batch_rows must be a whole number from 1, not 0"),
        (rows_of, {"batch_rows": 2.5}, "batch_rows must be a whole number from 1, not 2.5"),
        (named_by_row, {"batch_rows": 5}, "batch 2 has the columns x5, and the first one x0"),
        (counted, {}, r"counted is to return a table: expected a table \(Arrow, .* got int"),
        (one_column, {}, "one_column is to return a table: expected a table .* got ChunkedArray"),
        (by_kind, {"batch_rows": 1}, "different types: .* string vs int64"),
        (rounded, {"batch_rows": 1}, "different types: Integer value 9007199254740993 not in"),
    ],
)
def test_what_cannot_go_to_another_process_or_come_back_is_an_error_here_too(
    function, how, message
):
    with pytest.raises(ValueError, match=message):
        in_batches(function, NUMBERS, **how)
