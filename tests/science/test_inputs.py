"""Rows that are read when they are asked for, wherever the table is."""

import duckdb
import pyarrow as pa
import pytest

from lupom.science.inputs import Rows

TABLE = pa.table({"survey": ["w", "it's", None, "w"], "n": [1, 2, 3, 4], 'a "b"': list("xyzx")})


@pytest.fixture(params=["arrow", "duckdb"])
def rows(request):
    if request.param == "arrow":
        return Rows(TABLE, ("survey", "n"))
    return Rows(duckdb.connect().from_arrow(TABLE), ("survey", "n"))


def test_rows_of_a_value_are_read_by_columns_and_in_parts(rows):
    mine = rows.of("survey", "w")
    assert mine.read(["n", 'a "b"']).to_pylist() == [
        {"n": 1, 'a "b"': "x"},
        {"n": 4, 'a "b"': "x"},
    ]
    assert rows.of("survey", "it's").of('a "b"', "y").read() == TABLE.slice(1, 1)
    assert rows.of("survey", "none").read() == TABLE.slice(0, 0)
    parts = list(rows.parts(["n"], rows=3))
    assert pa.concat_tables(parts)["n"].to_pylist() == [1, 2, 3, 4]
    assert sorted(rows.distinct("survey"), key=str) == [None, "it's", "w"]


def test_a_column_that_is_missing_is_named(rows):
    with pytest.raises(ValueError, match="no column 'answer'; its columns are 'survey', 'n'"):
        list(rows.parts(["n", "answer"]))
    with pytest.raises(ValueError, match="no column 'answer'"):
        Rows(TABLE, ["answer"])
