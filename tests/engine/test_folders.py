"""Projects in folders whose names have a meaning in URLs, patterns and SQL."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from lupom import Project
from lupom.engine.errors import StoreError

NAMES = [
    "my%20study",
    "per%cent",
    "sha#rp",
    "a space",
    "it's",
    'quo"te',
    "größe ☃",
    "x[1]",
    "st*r",
    "semi;colon",
    "{{ braces }}",
    "file:memory",
    "col:on",
    "-dash",
    "a=b,c",
]
FILES = {
    "lupom_project.yml": "name: demo\nmodels: {+materialized: table}\n",
    "seeds/people.csv": "id,name\n1,Ada\n",
    "data/one/part.csv": "k\na\n",
    "data/two.csv": "k\nb\n",
    "models/sources.yml": (
        "sources:\n  - name: raw\n    tables:\n"
        "      - {name: parts, file: 'data/**/*.csv'}\n      - {name: two, file: data/two.csv}\n"
    ),
    "models/parts.sql": "select k from {{ source('raw', 'parts') }}",
    "models/view.sql": "{{ config(materialized='view') }} select k from {{ source('raw', 'two') }}",
    "models/code.py": (
        "from helpers import NAME\nimport pyarrow as pa\n"
        "def model(lupom):\n    return pa.table({'x': [NAME]})\n"
    ),
    "helpers.py": "NAME = 'helped'\n",
}


def make(folder: Path) -> Path:
    for name, text in FILES.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder


@pytest.mark.parametrize("name", NAMES)
def test_a_project_runs_in_a_folder_of_any_name_and_writes_nothing_beside_it(tmp_path, name):
    folder = make(tmp_path / name)
    # What a folder's name would match if it were a pattern.
    beside = tmp_path / ("x1" if "[" in name else "starr")
    make(beside)
    (beside / "data" / "two.csv").write_text("k\nwrong\n")
    before = sorted(tmp_path.iterdir())
    with Project(folder) as project:
        result = project.run()
        assert [node.message for node in result.nodes if node.status != "success"] == []
        assert sorted(project.query("from parts").rows()) == [("a",), ("b",)]
        assert project.query("from view").rows() == [("b",)]
        assert project.query("from code").rows() == [("helped",)]
        assert project.query("from people").rows() == [(1, "Ada")]
    assert sorted(tmp_path.iterdir()) == before
    with Project(folder) as project:
        assert project.plan().doing() == []
        project.export("people", "csv", folder / "out")
    assert (folder / "out" / "people.csv").read_text() == "id,name\n1,Ada\n"
    assert (folder / ".lupom" / "state.db").is_file()
    assert sorted(tmp_path.iterdir()) == before
    shutil.rmtree(beside)


def test_another_database_and_another_target_in_such_folders_are_read(tmp_path):
    folder = make(tmp_path / "quest#ion 100%")
    (folder / "lupom_project.yml").write_text(
        "name: demo\nmodels: {+materialized: table}\n"
        "targets:\n  dev: {path: 'st[o]re/dev%20.duckdb'}\n  prod: {path: 'st[o]re/pr od.duckdb'}\n"
    )
    with Project(folder, target="prod") as project:
        assert project.run().status == "success"
    with Project(folder, target="dev", defer="prod") as project:
        assert project.run("parts").status == "success"
    assert {path.name for path in (folder / "st[o]re").iterdir()} == {
        "dev%20.duckdb",
        "pr od.duckdb",
    }
    (folder / "models" / "other.yml").write_text(
        "sources:\n  - name: other\n    database: 'st[o]re/pr od.duckdb'\n"
        "    tables: [{name: people}]\n"
    )
    (folder / "models" / "o.sql").write_text("select * from {{ source('other', 'people') }}")
    with Project(folder, target="dev") as project:
        assert project.run("o").status == "success"
        assert project.query("from o").rows() == [(1, "Ada")]


@pytest.mark.parametrize("name", ["quest?ion", "a?cache=shared&mode=memory", "back\\slash"])
def test_where_duckdb_can_keep_no_database_the_store_may_be_elsewhere(tmp_path, name):
    folder = make(tmp_path / "projects" / name)
    make(tmp_path / "projects" / "questXion")
    with (
        Project(folder) as project,
        pytest.raises(StoreError, match="cannot keep a database at") as caught,
    ):
        project.run()
    assert "put the store elsewhere" in str(caught.value)
    (folder / "lupom_project.yml").write_text(
        "name: demo\nmodels: {+materialized: table}\n"
        f"targets: {{dev: {{path: {tmp_path / 'store.duckdb'}}}}}\n"
    )
    with Project(folder) as project:
        assert project.run().status == "success"
        assert sorted(project.query("from parts").rows()) == [("a",), ("b",)]
        assert project.query("from view").rows() == [("b",)]
    assert {path.name for path in folder.parent.iterdir()} == {name, "questXion"}
    assert (folder / ".lupom" / "state.db").is_file()
