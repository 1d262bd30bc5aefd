"""A package somebody else wrote gives an LLM and embeddings: they are used like LUPoM's own."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft7Validator

from lupom import LupomError, Project
from lupom.engine.project.schemas import schemas
from tests.support.commands import lupom
from tests.support.third_party_installed import SOURCE, declare, installed

ROOT = Path(__file__).parents[3]
SETTINGS = """\
name: demo
llms:
  default:
    provider: parrot
    word: Hello!
embeddings:
  default: {provider: parrot, letters: ab}
models:
  +materialized: table
"""
FILES = {
    "lupom_project.yml": SETTINGS,
    "seeds/people.csv": "id,name\n1,Ada\n2,Bob\n",
    "prompts/note.jinja": "I am {{ name }}.",
    "prompts/responses.py": """
        from pydantic import BaseModel

        class Note(BaseModel):
            text: str
        """,
    "models/notes.sql": """
        {{ config(materialized='llm', prompt='note', response='Note', key='id') }}
        select id, name from {{ ref('people') }}
        """,
    "models/vectors.py": """
        import pyarrow as pa

        def model(lupom):
            texts = [text for (text,) in lupom.ref("notes").project("text").fetchall()]
            return pa.table({"text": texts, "vector": lupom.embed(texts).tolist()})
        """,
}


@pytest.fixture(autouse=True)
def site(tmp_path):
    with installed(tmp_path / "site") as folder:
        yield folder


@pytest.fixture
def folder(make_project):
    return make_project(FILES)


def edit(folder: Path, old: str, new: str) -> None:
    path = folder / "lupom_project.yml"
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def asked(folder: Path) -> list[int]:
    """Run the project; returns how many calls its LLM models made."""
    with Project(folder) as project:
        result = project.run()
        assert [n.message for n in result.nodes if n.status != "success"] == []
        return [node.calls.asked for node in result.nodes if node.calls is not None]


def test_a_project_runs_on_it_and_asks_nothing_twice(folder):
    assert asked(folder) == [2]
    with Project(folder) as project:
        rows = project.query("select text, vector from vectors order by text").rows()
        assert rows[0] == ("Hello! I am Ada.", [2.0, 0.0])
        assert rows[1] == ("Hello! I am Bob.", [1.0, 1.0])
        (call,) = project.query("select distinct provider, model from lupom.calls").rows()
        assert call == ("parrot", "grey")
    assert asked(folder) == []
    edit(folder, "Hello!", "Bye!")
    assert asked(folder) == [2]
    edit(folder, "Bye!", "Hello!")
    assert asked(folder) == [0]


def test_the_plan_counts_its_calls(folder, capsys):
    assert lupom("plan", "--project-dir", str(folder)) == 0
    assert "notes llm run 2 0 2" in " ".join(capsys.readouterr().out.split())


def test_debug_tries_it(folder, capsys):
    lupom("debug", "--project-dir", str(folder))
    assert "the parrot is awake" in capsys.readouterr().out


def test_it_is_imported_where_it_is_named_and_nowhere_else(make_project, capsys):
    folder = make_project(
        {"lupom_project.yml": "name: demo\n", "models/one.sql": "select 1 as one"}
    )
    assert lupom("ls", "--project-dir", str(folder)) == 0
    assert lupom("run", "--project-dir", str(folder)) == 0
    assert not [name for name in sys.modules if name.startswith("lupom_example")]
    edit(folder, "name: demo", "name: demo\nllms: {default: {provider: parrot}}")
    assert lupom("ls", "--project-dir", str(folder)) == 0
    assert "lupom_example.parrot" in sys.modules
    assert "lupom_example.cage" not in sys.modules


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("word:", "wrod:", "lupom_project.yml:5: unknown key 'wrod' (did you mean 'word'?)"),
        (
            "word: Hello!",
            "threads: 2",
            "lupom_project.yml:5: unknown key 'threads' ('threads' belongs to an embedded alias)",
        ),
        (
            "provider: parrot\n",
            "provider: parot\n",
            "lupom_project.yml:4: 'llms.default.provider': no provider 'parot' gives LLMs; there"
            " are openai, embedded, bedrock, anthropic, instructor, parrot"
            " (did you mean 'parrot'?)",
        ),
    ],
)
def test_mistakes_are_told_as_of_any_other(folder, old, new, message):
    edit(folder, old, new)
    with pytest.raises(LupomError) as raised:
        Project(folder)
    assert str(raised.value) == message


BROKEN = "gizmo 2.1 is installed and offers 'broken' (lupom.providers), but "


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (
            "gizmo_that_is_not_there:thing",
            "gizmo_that_is_not_there:thing cannot be imported: ModuleNotFoundError: No module named"
            " 'gizmo_that_is_not_there'",
        ),
        ("lupom_example.long:LONG", "lupom_example.long:LONG is no lupom.providers.Provides"),
    ],
)
def test_a_broken_package_is_one_line_where_it_is_named(folder, site, value, why):
    project = {"name": "gizmo", "version": "2.1"}
    points = {"lupom.providers": {"broken": value}}
    declare(site, {"project": {**project, "entry-points": points}})
    assert asked(folder) == [2]
    edit(folder, "provider: parrot\n", "provider: broken\n")
    with pytest.raises(LupomError) as raised:
        Project(folder)
    assert str(raised.value) == (
        f"lupom_project.yml:4: 'llms.default.provider': {BROKEN}{why}; update that package or"
        " uninstall it"
    )


def test_a_client_that_cannot_be_imported_is_one_line_too(folder, site):
    (site / "lupom_example" / "cage.py").write_text("import gizmo_that_is_not_there")
    with Project(folder) as project:
        result = project.run()
    (said,) = [node.message for node in result.nodes if node.status == "error"]
    assert said == (
        "models/notes.sql: llm 'default': lupom-example 1.0 is installed and offers 'parrot'"
        " (lupom.providers), but lupom_example.cage:Parrot cannot be imported: ModuleNotFoundError:"
        " No module named 'gizmo_that_is_not_there'; update that package or uninstall it"
        " (llms.default is at lupom_project.yml:3)"
    )


def test_editors_are_told_its_keys():
    schema = schemas()["lupom_project.json"]

    def faults(settings: str) -> list[str]:
        found = Draft7Validator(schema).iter_errors(yaml.safe_load(settings))
        return [error.message for error in found]

    assert faults(SETTINGS) == []
    assert faults(SETTINGS.replace("word", "wrod")) != []
    assert faults(SETTINGS.replace("letters", "lettres")) != []
    told = schema["definitions"]["ParrotSettings"]["properties"]["word"]
    assert told["description"] == "What it says first."
    assert "ParrotSettings" not in str(schemas(installed=False))


def test_the_page_shows_it_as_it_is():
    text = (ROOT / "docs" / "providers.md").read_text(encoding="utf-8")
    for module in ("parrot.py", "cage.py"):
        assert f"```python\n{(SOURCE / 'lupom_example' / module).read_text()}```" in text
    declared = (SOURCE / "pyproject.toml").read_text(encoding="utf-8")
    point = '[project.entry-points."lupom.providers"]\nparrot = "lupom_example.parrot:PROVIDES"'
    assert point in declared
    assert point in text
