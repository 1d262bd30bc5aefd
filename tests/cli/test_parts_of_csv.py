"""A long table goes to stdout part by part, as the same text."""

from __future__ import annotations

import csv
import io

import pyarrow as pa
import pytest

from lupom.cli import formats
from lupom.engine.run.tables import Table

TABLE = Table(
    pa.table({"id": range(7), "who": ["=a", None, "b,c", "", '"', "d\ne", ""], "x": [[1]] * 7})
)


@pytest.mark.parametrize("part", [1, 3, 7, 50])
def test_a_csv_is_the_same_in_parts(monkeypatch, capsys, part):
    monkeypatch.setattr(formats, "_PART", part)
    formats.echo(TABLE, "csv", spreadsheet_safe=True)
    out = capsys.readouterr().out
    whole = formats.render(TABLE.columns, TABLE.rows(), "csv", spreadsheet_safe=True)
    assert out == whole + "\n"
    assert [row[1] for row in csv.reader(io.StringIO(out))] == [
        *("who", "'=a", "", "b,c", "", '"', "d\ne", "")
    ]


NESTED = [
    ([["a", 'b"'], None, [], [None, "ä"]], pa.list_(pa.string())),
    ([[0.1, float("nan")], None, [], [1e-9]], pa.list_(pa.float64())),
    (
        [[("x", 1.5), ("y", None)], None, [], [("x", 1.0), ("z", 2.0)]],
        pa.map_(pa.string(), pa.float64()),
    ),
    ([[("x", ["a"])], None, [], [("y", None)]], pa.map_(pa.string(), pa.list_(pa.string()))),
    ([{"a": 1}, None, {"a": None}, {"a": 3}], pa.struct([("a", pa.int64())])),
]


@pytest.mark.parametrize(("values", "kind"), NESTED, ids=[str(kind) for _, kind in NESTED])
@pytest.mark.parametrize("part", [1, 3, 50])
def test_lists_and_maps_are_json_in_a_cell(monkeypatch, capsys, values, kind, part):
    table = Table(pa.table({"id": range(8), "x": pa.array(values * 2, kind)}))
    monkeypatch.setattr(formats, "_PART", part)
    formats.echo(table, "csv")
    assert capsys.readouterr().out == formats.render(table.columns, table.rows(), "csv") + "\n"


def test_of_no_rows_there_is_a_header(capsys):
    formats.echo(Table(TABLE.arrow.slice(0, 0)), "csv")
    assert capsys.readouterr().out == "id,who,x\n"
