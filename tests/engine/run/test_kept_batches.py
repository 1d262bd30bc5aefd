"""Python models whose result comes in parts."""

from __future__ import annotations

import pyarrow as pa
import pytest

from lupom import Project
from lupom.engine.run.kept_batches import KeptBatches

MODEL = """
import pyarrow as pa

SCHEMA = pa.schema([("part", pa.int64()), ("word", pa.string())])


def parts(failing):
    for part in range(3):
        if part == failing:
            raise ValueError("no such part")
        yield pa.record_batch([[part] * 2, ["a", None]], schema=SCHEMA)


def model(lupom):
    failing = lupom.var("failing", None)
    return pa.RecordBatchReader.from_batches(SCHEMA, parts(failing))
"""


@pytest.mark.parametrize("target", ["{}", "{type: ducklake, catalog: lake.sqlite, data: data}"])
def test_a_model_may_hand_its_rows_over_in_parts(make_project, target):
    settings = f"name: demo\nvars: {{failing: null}}\ntargets: {{dev: {target}}}\n"
    folder = make_project({"lupom_project.yml": settings, "models/parted.py": MODEL})
    with Project(folder) as project:
        assert project.run().status == "success"
        rows = project.query("select * from parted order by all nulls last").rows()
    assert rows == [(part, word) for part in range(3) for word in ("a", None)]
    # A part that cannot be made is an error of the model, and the table stays.
    with Project(folder, vars={"failing": 1}) as project:
        (node,) = project.run().nodes
        assert "models/parted.py:10: ValueError: no such part" in (node.message or "")
        assert len(project.query("select * from parted").rows()) == 6


def test_kept_batches_are_read_as_often_as_it_takes(tmp_path):
    table = pa.table({"n": range(5)})
    for folder in (tmp_path, tmp_path / "not there"):
        kept = KeptBatches(table.to_reader(max_chunksize=2), folder)
        assert kept.reader().read_all() == kept.reader().read_all() == table
        kept.close()
    assert not list(tmp_path.iterdir())
