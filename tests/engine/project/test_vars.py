"""Vars are held to what YAML beside the models says that they may be."""

from __future__ import annotations

import pytest

from lupom.engine.errors import ProjectError, UsageError
from lupom.engine.project.discovery import read_project
from lupom.engine.project.vars import VarBlock

VARS = """\
vars:
  - {name: pairs, type: integer, min: 0}
  - {name: sample, type: text, values: [compact, spread]}
  - {name: share, type: [number, map, none], min: 0, max: 1}
  - {name: sets, type: integer, min: 2, max: 200, also: [0]}
  - {name: core, type: [list, map], entries: list, items: text}
  - {name: kept, type: list, items: text, values: [asked, refused]}
  - {name: blocks, type: integer, default: 4}
  - {name: blocks_asked, type: integer, below: blocks, default: 2}
  - name: prices
    type: map
    keys: [interview, question]
    entries: number
    min: 0
    positive: [interview]
"""


@pytest.fixture
def project(tmp_path):
    """Write a project with these vars and settings, and read it."""

    def read(declared="", vars=None, types=VARS):
        (tmp_path / "models").mkdir(exist_ok=True)
        (tmp_path / "models" / "vars.yml").write_text(types)
        (tmp_path / "lupom_project.yml").write_text(f"name: demo\nvars:\n  a: 1\n{declared}")
        return read_project(tmp_path, vars=vars)

    return read


@pytest.mark.parametrize(
    ("name", "value", "must_be"),
    [
        ("pairs", "x", "a whole number of at least 0, not 'x'"),
        ("pairs", -1, "a whole number of at least 0, not -1"),
        ("pairs", 2.5, "a whole number of at least 0, not 2.5"),
        ("pairs", True, "a whole number of at least 0, not True"),
        ("pairs", None, "a whole number of at least 0, not null"),
        ("sample", "compat", "'compact' or 'spread', not 'compat' (did you mean 'compact'?)"),
        ("sets", 1, "a whole number from 2 to 200 or 0, not 1"),
        ("sets", 1000, "a whole number from 2 to 200 or 0, not 1000"),
        ("core", "q1", "a list or a map, not 'q1' (a list of one is [q1])"),
        ("core", ["q1", 2], "a list of a text, without 2"),
        ("kept", "asked", "a list, not 'asked' (a list of one is [asked])"),
        ("kept", ["refusd"], "a list of 'asked' or 'refused', without 'refusd' (did you mean"),
        ("share", 2, "a number from 0 to 1, a map or null, not 2"),
        ("share", float("nan"), "a number from 0 to 1, a map or null, not nan"),
    ],
)
def test_another_value_is_an_error_that_says_what_it_must_be(project, name, value, must_be):
    with pytest.raises(UsageError) as caught:
        project(vars={name: value})
    assert str(caught.value).startswith(f"--vars: the var '{name}' must be ")
    assert must_be in str(caught.value)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (
            {"interviw": 1},
            "has no 'interviw', only interview, question (did you mean 'interview'?)",
        ),
        ({"interview": 0}, "must have a number above 0 as 'interview', not 0"),
        ({"interview": "x"}, "must have a number of at least 0 as 'interview', not 'x'"),
        ({"interview": float("inf")}, "must have a number of at least 0 as 'interview', not inf"),
        (
            {"interview": 1, "question": -1},
            "must have a number of at least 0 as 'question', not -1",
        ),
    ],
)
def test_a_maps_entries_are_held_to_theirs(project, value, message):
    with pytest.raises(UsageError) as caught:
        project(vars={"prices": value})
    assert str(caught.value) == f"--vars: the var 'prices' {message}"
    assert project(vars={"prices": {"question": 0.1}}).vars["prices"] == {"question": 0.1}


def test_a_wrong_entry_has_its_line(project):
    with pytest.raises(ProjectError) as caught:
        project("  prices:\n    interview: 2\n    questions: 1\n")
    assert str(caught.value) == (
        "lupom_project.yml:6: the var 'prices' has no 'questions', only interview, question"
        " (did you mean 'question'?)"
    )


def test_in_the_project_file_the_error_has_its_line(project):
    with pytest.raises(ProjectError) as caught:
        project("  pairs: many\n")
    assert str(caught.value) == (
        "lupom_project.yml:4: the var 'pairs' must be a whole number of at least 0, not 'many'"
    )
    # What is laid over it counts.
    assert project("  pairs: many\n", {"pairs": 5}).vars["pairs"] == 5


@pytest.mark.parametrize(
    "vars",
    [{"pairs": 0}, {"sample": "spread"}, {"share": 0.5}, {"share": {"low": 1}}, {"share": None}],
)
def test_what_it_may_be_is_taken(project, vars):
    assert project(vars=vars).vars == {"a": 1} | vars


def test_a_var_is_declared_once(project):
    with pytest.raises(ProjectError, match=r"models/vars.yml:3: the var 'x' is declared twice"):
        project(types="vars:\n  - {name: x, type: list}\n  - {name: x, type: map}\n")


def test_without_a_type_anything_is_taken():
    assert all(VarBlock(name="x").allows(value) for value in (1, "a", None, [], {}))


@pytest.mark.parametrize(
    ("declared", "given", "message"),
    [
        (
            "  blocks_asked: 4\n",
            {},
            "lupom_project.yml:4: the var 'blocks_asked' must be less than",
        ),
        ("  blocks: 2\n", {}, "lupom_project.yml:4: the var 'blocks' must be more than"),
        ("  blocks_asked: 3\n", {"blocks": 3}, "--vars: the var 'blocks' must be more than"),
        ("  blocks: 3\n", {"blocks_asked": 3}, "--vars: the var 'blocks_asked' must be less than"),
    ],
)
def test_a_var_may_have_to_be_below_another(project, declared, given, message):
    with pytest.raises((ProjectError, UsageError)) as caught:
        project(declared, given)
    assert str(caught.value).startswith(message)
    assert project("  blocks: 9\n", {"blocks_asked": 8}).vars["blocks_asked"] == 8
    assert project(vars={"sets": 0}).vars["sets"] == 0
