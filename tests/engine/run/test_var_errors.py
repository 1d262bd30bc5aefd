"""What a var may be is sometimes known by a model alone: its error is then told as the var's."""

from __future__ import annotations

import pytest

from lupom import Project

MODEL = """
def model(lupom):
    core = lupom.var("plan_core", ["q1"])
    if core != ["q1"]:
        raise ValueError(f"{lupom.var('says', 'plan_core')} names {core[0]}, no question")
    return lupom.ref("one")
"""


@pytest.fixture
def message(make_project):
    def of(settings="", **given):
        files = {
            "lupom_project.yml": f"name: demo\nvars:\n  other: 1\n{settings}",
            "models/one.sql": "select 1 as x",
            "models/blocks.py": MODEL,
        }
        with Project(make_project(files), vars=given) as project:
            return project.run().nodes[-1].message

    return of


def test_where_it_stands_in_the_settings(message):
    assert message("  plan_core: [q9]\n") == "lupom_project.yml:4: plan_core names q9, no question"


def test_or_that_it_was_given(message):
    said = "models/blocks.py:5: --vars: plan_core names q8, no question"
    assert message("  plan_core: [q9]\n", plan_core=["q8"]) == said


def test_an_error_that_is_no_var_s_has_the_model_s_line(message):
    for word in ("nobody", "other"):  # the second is a var that the model does not read
        found = message("  plan_core: [q9]\n", says=word)
        assert found == f"models/blocks.py:5: ValueError: {word} names q9, no question"
