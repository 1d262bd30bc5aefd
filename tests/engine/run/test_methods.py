"""Selectors that compare with what was: state:, result:, and selections with a name."""

from __future__ import annotations

import shutil

import pytest

from lupom import Project
from lupom.engine.errors import SelectionError, UsageError

FILES = {
    "seeds/people.csv": "id\n1\n2\n",
    "models/a.sql": "select * from {{ ref('people') }}",
    "models/b.sql": "select * from {{ ref('a') }}",
    "models/c.sql": "{{ config(tags=['nightly']) }} select * from {{ ref('a') }}",
}


@pytest.fixture
def folder(make_project):
    folder = make_project(FILES)
    with Project(folder) as project:
        project.run()
    return folder


def selected(folder, *arguments, **options):
    with Project(folder, **options) as project:
        return project.select(*arguments)


def edit(folder, file, text):
    (folder / file).write_text(text)


def test_modified_is_what_the_store_was_not_built_from(folder):
    assert selected(folder, "state:modified") == ()
    edit(folder, "models/a.sql", "select id + 1 as id from {{ ref('people') }}")
    edit(folder, "models/d.sql", "select 1 as one")
    assert set(selected(folder, "state:modified")) == {"a", "d"}
    assert selected(folder, "state:new") == ("d",)
    assert set(selected(folder, "state:modified+")) == {"a", "b", "c", "d"}
    assert set(selected(folder, "state:unmodified")) == {"people", "b", "c"}


def test_modified_against_the_artifacts_of_another_run(folder, tmp_path):
    shutil.copytree(folder / "target", tmp_path / "before")
    edit(folder, "models/b.sql", "select 5 as id")
    with Project(folder) as project:
        project.run()
    assert selected(folder, "state:modified") == ()
    assert selected(folder, "state:modified", state=tmp_path / "before") == ("b",)


def test_state_says_where_artifacts_are_missing(folder, tmp_path):
    with pytest.raises(UsageError, match="--state takes a folder of artifacts"):
        selected(folder, "state:modified", state=tmp_path)


def test_result_is_how_a_node_ended_in_the_last_run(folder):
    edit(folder, "models/b.sql", "select nonsense")
    with Project(folder) as project:
        assert project.run().status == "error"
    assert selected(folder, "result:error") == ("b",)
    assert selected(folder, "result:success") == ()


def test_a_misspelt_state_gets_a_hint(folder):
    with pytest.raises(SelectionError, match="did you mean 'modified'"):
        selected(folder, "state:modifed")


SELECTORS = """
selectors:
  - name: nightly
    definition: "tag:nightly"
  - name: feeding
    definition: {method: tag, value: nightly, parents: true, exclude: [people]}
  - name: both
    definition:
      union:
        - {name: b}
        - {method: selector, value: nightly}
        - exclude: [c]
"""


@pytest.mark.parametrize(
    ("name", "names"), [("nightly", ("c",)), ("feeding", ("a", "c")), ("both", ("b",))]
)
def test_named_selections(folder, name, names):
    edit(folder, "selectors.yml", SELECTORS)
    assert selected(folder, f"selector:{name}") == names


def test_the_default_selection_counts_where_nothing_is_selected(folder):
    edit(folder, "selectors.yml", SELECTORS + "    default: true\n")
    assert selected(folder) == ("b",)
    assert selected(folder, "a") == ("a",)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("- {name: x, definition: 'selector:x'}", "selectors lead in a circle: x -> x"),
        ("- {name: x, definition: 'nam'}", "selectors.yml:2: --select 'nam' matches nothing"),
        ("- {name: x, definition: {method: tag, valu: y}}", "unknown key 'valu'"),
        ("- {name: y, definition: a}", "no selector 'x' in selectors.yml"),
    ],
)
def test_mistakes_in_selectors(folder, text, message):
    edit(folder, "selectors.yml", f"selectors:\n  {text}\n")
    with pytest.raises(SelectionError) as caught:
        selected(folder, "selector:x")
    assert message in str(caught.value)
