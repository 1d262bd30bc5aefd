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


def test_of_no_rows_there_is_a_header(capsys):
    formats.echo(Table(TABLE.arrow.slice(0, 0)), "csv")
    assert capsys.readouterr().out == "id,who,x\n"
