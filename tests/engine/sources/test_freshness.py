"""How old sources are."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime

import duckdb
import pytest
from click.testing import CliRunner

from lupom import Project
from lupom.cli.group import lupom
from lupom.engine.run.freshness import measure

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
RULE = "{warn_after: {count: 2, period: hour}, error_after: {count: 1, period: day}}"


@pytest.fixture
def panel(make_project):
    folder = make_project(
        {
            "models/sources.yml": f"""
                sources:
                  - name: panel
                    freshness: {RULE}
                    tables:
                      - {{name: by_file, file: data/wave.csv}}
                      - {{name: by_field, file: data/wave.csv, loaded_at_field: loaded}}
                      - {{name: some, file: data/wave.csv, loaded_at_field: loaded,
                          freshness: {{error_after: {{count: 1, period: hour}}, filter: "id = 1"}}}}
                      - {{name: never, file: data/wave.csv, freshness: null}}
                      - {{name: stored}}
                """,
            "models/a.sql": "select 1 as x",
            "data/wave.csv": "id,loaded\n1,2026-03-01 08:00\n2,2026-03-01 11:30\n",
        }
    )
    os.utime(folder / "data" / "wave.csv", (NOON.timestamp() - 90_000,) * 2)
    return folder


def statuses(folder, *select):
    with Project(folder) as project:
        return {m.source.split(".")[1]: m for m in measure(project.context, select, now=NOON)}


def test_by_file_by_field_and_by_some_rows(panel):
    found = statuses(panel)
    assert {name: m.status for name, m in found.items()} == {
        "by_file": "error",
        "by_field": "pass",
        "some": "error",
        "stored": "error",
    }
    assert found["by_field"].age == 1800
    assert found["by_file"].said() == "1.0 days old, and 1 day are allowed"
    assert "'loaded_at_field' names the column" in found["stored"].message


def test_a_table_of_the_store_by_its_field(panel):
    file = panel / "models" / "sources.yml"
    file.write_text(
        file.read_text().replace("{name: stored}", "{name: stored, loaded_at_field: t}")
    )
    with duckdb.connect(str(panel / "lupom.duckdb")) as connection:
        connection.execute(
            "create table stored as select timestamptz '2026-03-01 09:00:00+00' as t"
        )
    assert statuses(panel, "panel.stored")["stored"].status == "warn"


def test_an_object_by_when_it_was_last_changed(proxy, panel, moto_server):
    from tests.support.s3_servers import client

    s3 = client(moto_server)
    s3.create_bucket(Bucket="fresh")
    s3.put_object(Bucket="fresh", Key="wave.csv", Body=b"id\n1\n")
    file = panel / "models" / "sources.yml"
    file.write_text(file.read_text().replace("by_file, file: data", "by_file, file: s3://fresh"))
    with Project(panel) as project:
        (found,) = measure(project.context, ["panel.by_file"])
    assert found.status == "pass"
    assert proxy.objects() == []


def test_the_command_says_so_by_its_exit_code(panel):
    command = ["source", "freshness", "--project-dir", str(panel), "--format", "json"]
    result = CliRunner().invoke(lupom, command, standalone_mode=False)
    assert result.return_value == 1
    told = json.loads(result.stdout)
    assert [row["status"] for row in told if row["source"] == "panel.some"] == ["error"]
    assert "error: panel.some: " in result.stderr
    os.utime(panel / "data" / "wave.csv")
    result = CliRunner().invoke(
        lupom, [*command, "--select", "panel.by_file"], standalone_mode=False
    )
    assert (result.return_value, json.loads(result.stdout)[0]["status"]) == (0, "pass")
