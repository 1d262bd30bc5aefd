"""A project may be read without compiling its models."""

from __future__ import annotations

import pytest

from lupom import Project
from lupom.engine.errors import ProjectError, UsageError


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "lupom_project.yml").write_text("name: p\n")
    models = tmp_path / "models"
    models.mkdir()
    (models / "one.sql").write_text("{{ config(materialized='table') }} select 1 as x")
    (models / "inner.sql").write_text("{{ config(materialized='ephemeral') }} select 2 as x")
    with Project(tmp_path) as project:
        assert project.run().status == "success"
    return tmp_path


def test_a_table_that_stands_needs_no_models(folder):
    (folder / "models" / "broken.sql").write_text("select {{ nothing(")
    with Project(folder, compiled=False) as project:
        assert project.table("one").rows() == [(1,)]
        assert project.query("select x + 1 from one").rows() == [(2,)]
        with pytest.raises(ProjectError, match="broken"):
            project.run()
    with pytest.raises(ProjectError, match="broken"):
        Project(folder)


@pytest.mark.parametrize(("name", "said"), [("on", "no model 'on'"), ("inner", "is ephemeral")])
def test_what_has_no_table_is_told_as_ever(folder, name, said):
    with Project(folder, compiled=False) as project, pytest.raises(UsageError, match=said):
        project.table(name)


def test_a_table_of_a_model_that_is_gone_is_not_read(folder):
    (folder / "models" / "one.sql").unlink()
    with Project(folder, compiled=False) as project, pytest.raises(UsageError, match="no model"):
        project.table("one")


def test_vars_that_are_given_are_checked_at_once(folder):
    with pytest.raises(UsageError, match="reads a var 'sede'"):
        Project(folder, vars={"sede": 3}, compiled=False)
