"""Files edited while a run reads them, edited back, and runs that die: the tables are those of a
clean build as soon as a run went through undisturbed."""

from __future__ import annotations

import random
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from lupom import Project
from lupom.engine.run.results import Silent
from lupom.engine.store import base
from tests.support.notes_project import make, people, rows

__all__ = ["make"]

# What each file of the project may say.
CHOICES = {
    "seeds/people.csv": [f"id,name\n1,Ada\n2,{name}\n" for name in ("Bob", "Cid", "0012", "7")],
    "data/visits.csv": [f"id,n\n1,{n}\n2,3\n" for n in (1, 2, 9)],
    "data/parts/one.csv": ["k\na\n", "k\nb\n"],
    "models/joined.sql": [
        f"select id, name, n + {k} as n from {{{{ ref('people') }}}} join {{{{ ref('shown') }}}}"
        " using (id)"
        for k in (0, 1)
    ],
    "helpers.py": [f"from deep.inner import BASE\nFACTOR = {k}\n" for k in (2, 3)],
    "deep/inner.py": ["BASE = 10\n", "BASE = 20\n"],
    "models/scaled.py": [
        "import pyarrow as pa\nfrom helpers import BASE, FACTOR\n"
        "def model(lupom):\n"
        "    rows = lupom.ref('joined').fetchall() + lupom.source('raw', 'visits').fetchall()\n"
        f"    return pa.table({{'x': [str(r) + str(BASE * FACTOR) + '{k}' for r in rows]}})\n"
        for k in ("a", "b")
    ],
}
FIXED = {
    "lupom_project.yml": "name: demo\nmodels: {+materialized: table}\n",
    "models/sources.yml": (
        "sources:\n  - name: raw\n    tables:\n"
        "      - {name: visits, file: data/visits.csv}\n"
        "      - {name: parts, file: 'data/parts/*.csv'}\n"
    ),
    "models/shown.sql": (
        "{{ config(materialized='view') }} select * from {{ source('raw', 'visits') }}"
    ),
    "models/together.sql": "select * from {{ source('raw', 'parts') }}",
    "deep/__init__.py": "",
}
TABLES = ("people", "shown", "joined", "scaled", "together")


class At(Silent):
    """Does things when a node starts or has ended."""

    def __init__(self) -> None:
        self.starts: dict[str, Callable[[], None]] = {}
        self.ends: dict[str, Callable[[], None]] = {}

    def started(self, index, total, node, kind):
        self.starts.pop(node, lambda: None)()

    def ended(self, index, total, result):
        self.ends.pop(result.node, lambda: None)()


def write(folder: Path, name: str, text: str) -> None:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text, encoding="utf-8")


def tables(folder: Path) -> dict[str, list[tuple]]:
    with Project(folder) as project:
        return {name: sorted(project.query(f"from {name}").rows()) for name in TABLES}


def clean_build(folder: Path) -> dict[str, list[tuple]]:
    """Build a copy of the files from nothing."""
    other = folder.with_name("clean")
    shutil.rmtree(other, ignore_errors=True)
    left = shutil.ignore_patterns(".lupom", "target", "lupom.duckdb*", "__pycache__")
    shutil.copytree(folder, other, ignore=left)
    with Project(other) as project:
        assert project.run().status == "success"
    return tables(other)


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "project"
    for name, text in FIXED.items():
        write(folder, name, text)
    for name, texts in CHOICES.items():
        write(folder, name, texts[0])
    return folder


@pytest.mark.parametrize("number", range(10))
def test_after_any_edits_crashes_and_edits_during_runs_tables_are_those_of_a_clean_build(
    folder, number, monkeypatch
):
    chance = random.Random(number)
    note = base._note

    def edit() -> Callable[[], None]:
        name = chance.choice(list(CHOICES))
        before = (folder / name).read_text(encoding="utf-8")
        write(folder, name, chance.choice(CHOICES[name]))
        return lambda: write(folder, name, before)

    for _ in range(4):
        for _ in range(chance.randrange(3)):
            edit()
        at = At()
        for node in chance.sample(TABLES, 2):
            back = chance.random() < 0.7

            def during(node: str = node, back: bool = back, at: At = at) -> None:
                undo = edit()
                if back:
                    at.ends[chance.choice([node, "scaled"])] = undo

            at.starts[node] = during
        dies_at = chance.choice([None, 1, 2, 4])
        commits = 0

        def noted(*given, dies_at=dies_at):
            nonlocal commits
            commits += 1
            if commits == dies_at:
                raise RuntimeError("the disk is full")
            note(*given)

        monkeypatch.setattr(base, "_note", noted)
        with Project(folder) as project:
            project.run(reporter=at, threads=1)
        for undo in at.ends.values():
            undo()
        monkeypatch.setattr(base, "_note", note)
    with Project(folder) as project:
        assert project.run().status == "success"
    assert tables(folder) == clean_build(folder)
    with Project(folder) as project:
        assert project.plan().doing() == []


@pytest.mark.parametrize("name", CHOICES)
@pytest.mark.parametrize("node", ["people", "scaled"])
def test_a_file_edited_when_a_node_starts_and_back_when_it_ended_is_built_again(folder, name, node):
    before = (folder / name).read_text(encoding="utf-8")
    at = At()
    at.starts[node] = lambda: write(folder, name, CHOICES[name][-1])
    at.ends[node] = lambda: write(folder, name, before)
    with Project(folder) as project:
        assert project.run(reporter=at, threads=1).status == "success"
    with Project(folder) as project:
        assert project.run().status == "success"
    assert tables(folder) == clean_build(folder)
    with Project(folder) as project:
        assert project.plan().doing() == []


def test_a_module_edited_between_two_runs_of_one_process_is_read_again(folder):
    built = []
    for text in CHOICES["deep/inner.py"]:
        write(folder, "deep/inner.py", text)
        with Project(folder) as project:
            project.run()
        built.append(tables(folder)["scaled"])
    assert "20a" in built[0][0][0]
    assert "40a" in built[1][0][0]


def test_two_projects_of_one_process_have_modules_of_their_own(folder):
    with Project(folder) as project:
        project.run()
    other = folder.with_name("other")
    shutil.copytree(folder, other, ignore=shutil.ignore_patterns(".lupom", "lupom.duckdb*"))
    write(other, "helpers.py", "BASE, FACTOR = 'x', 3\n")
    with Project(other) as project:
        project.run()
    assert "xxxa" in tables(other)["scaled"][0][0]
    with Project(folder) as project:
        project.run(full_refresh=True)
    assert "20a" in tables(folder)["scaled"][0][0]


def test_a_folder_of_one_project_is_not_taken_for_a_module_of_another(folder):
    with Project(folder) as project:
        project.run()
    other = folder.with_name("other")
    shutil.copytree(folder, other, ignore=shutil.ignore_patterns(".lupom", "lupom.duckdb*"))
    (other / "helpers.py").unlink()
    write(other, "helpers/numbers.py", "BASE, FACTOR = 'x', 3\n")
    model = (other / "models/scaled.py").read_text()
    write(other, "models/scaled.py", model.replace("from helpers", "from helpers.numbers"))
    for _ in range(2):
        with Project(other) as project:
            assert project.run(full_refresh=True).status == "success"
        assert "xxxa" in tables(other)["scaled"][0][0]
        with Project(folder) as project:
            assert project.run(full_refresh=True).status == "success"
        assert "20a" in tables(folder)["scaled"][0][0]


DIES = """
import os, signal
from helpers import FACTOR
def model(lupom):
    if os.environ.get("DIE"):
        open("seeds/people.csv", "w").write("id,name\\n1,Eve\\n")
        os.kill(os.getpid(), signal.SIGKILL)
    return lupom.ref("people")
"""


def test_a_run_killed_after_an_edit_is_made_up_for(folder):
    write(folder, "models/dying.py", DIES)
    command = [sys.executable, "-m", "lupom.cli", "run", "--threads", "1"]
    killed = subprocess.run(
        command, cwd=folder, env={"PATH": "", "DIE": "1"}, capture_output=True, check=False
    )
    assert killed.returncode == -signal.SIGKILL
    subprocess.run(command, cwd=folder, env={"PATH": ""}, capture_output=True, check=True)
    assert rows(folder, "select name from dying") == [("Eve",)]
    assert tables(folder) == clean_build(folder)


def test_a_source_written_in_the_middle_of_a_read_is_read_again(folder):
    """The edit is undone before the node ends, so that nothing but the time of change tells."""
    write(
        folder,
        "models/reader.py",
        "def model(lupom):\n"
        "    from pathlib import Path\n"
        f"    file, kept = Path({str(folder / 'data/visits.csv')!r}), 'id,n\\n1,1\\n2,3\\n'\n"
        # Whole at every moment: others read the file at the same time.
        "    def put(text):\n"
        "        file.with_suffix('.new').write_text(text)\n"
        "        file.with_suffix('.new').replace(file)\n"
        "    put(kept.replace('3', '8') if Path('once').exists() else kept)\n"
        "    table = lupom.source('raw', 'visits').to_arrow_table()\n"
        "    put(kept) if Path('once').exists() else None\n"
        "    return table\n",
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        Path("once").touch()
        with Project(folder) as project:
            project.run()
        assert rows(folder, "select n from reader where id = 2") == [(8,)]
        Path("once").unlink()
        with Project(folder) as project:
            step = next(step for step in project.plan().steps if step.node == "reader")
            assert step.reason == "input raw.visits changed"
            project.run()
        assert rows(folder, "select n from reader where id = 2") == [(3,)]


def test_a_prompt_and_a_class_edited_during_the_run_do_not_reach_it(make, server):
    folder = make(2)
    prompt, classes = folder / "prompts" / "note.jinja", folder / "prompts" / "responses.py"
    kept = (prompt.read_text(), classes.read_text())
    at = At()

    def edit() -> None:
        prompt.write_text("Other words on {{ name }} of {{ town }}.")
        classes.write_text(kept[1].replace("    score: int\n", ""))

    def back() -> None:
        prompt.write_text(kept[0])
        classes.write_text(kept[1])

    at.starts["notes"], at.ends["notes"] = edit, back
    with Project(folder) as project:
        assert project.run(reporter=at).status == "success"
    assert len(server.prompts) == 2
    assert all("Write a note on" in text for text in server.prompts)
    assert rows(folder, "select count(score) from notes") == [(2,)]
    with Project(folder) as project:
        assert project.plan().doing() == []


def test_a_table_of_the_store_that_somebody_writes_during_the_run_is_read_again(make_project):
    import duckdb

    folder = make_project(
        {
            "models/sources.yml": "sources:\n  - name: own\n    tables: [{name: t}]\n",
            "models/first.sql": "select 1 as x",
            "models/reader.sql": "select * from {{ source('own', 't') }}",
        }
    )
    with duckdb.connect(str(folder / "lupom.duckdb")) as store:
        store.execute("create table t as select 1 as x")
    at = At()
    with Project(folder) as project:

        def edit() -> None:
            with project.store.hold() as cursor:
                cursor.execute("update t set x = 2")

        at.starts["reader"] = edit
        project.run(reporter=at, threads=1)
    with duckdb.connect(str(folder / "lupom.duckdb")) as store:
        store.execute("update t set x = 1")
    with Project(folder) as project:
        project.run()
    assert rows(folder, "from reader") == [(1,)]


def test_people_of_a_seed_that_was_edited_back_are_not_asked_again(make, server):
    folder = make(2)
    at = At()
    at.starts["people"] = lambda: write(folder, "seeds/people.csv", people(3))
    at.ends["people"] = lambda: write(folder, "seeds/people.csv", people(2))
    with Project(folder) as project:
        project.run(reporter=at, threads=1)
    assert server.requests == 3
    with Project(folder) as project:
        project.run()
    assert server.requests == 3
    assert rows(folder, "select count(*) from notes") == [(2,)]
