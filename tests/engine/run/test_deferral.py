"""Deferral: models built on tables of another target's store."""

from __future__ import annotations

import pytest

from lupom import Project
from lupom.engine.errors import UsageError

FILES = {
    "lupom_project.yml": """
        name: demo
        models: {+materialized: table}
        target: dev
        targets:
          dev: {path: dev.duckdb}
          prod: {path: prod.duckdb}
        """,
    "models/a.sql": "select 1 as n",
    "models/b.sql": "select n + 1 as n from {{ ref('a') }}",
    "models/c.py": """
        def model(lupom):
            return lupom.ref("b").project("n + 1 as n")
        """,
}


@pytest.fixture
def folder(make_project):
    folder = make_project(FILES)
    with Project(folder, target="prod") as project:
        project.run()
    return folder


def run(folder, *select, **options):
    with Project(folder, **options) as project:
        result = project.run(list(select) or None)
        return {node.node: node.status for node in result.nodes}


def test_what_is_not_built_here_is_read_there(folder):
    assert run(folder, "c", defer="prod") == {"c": "success"}
    with Project(folder) as project:
        assert project.table("c").rows() == [(3,)]
        assert project.query(
            "select count(*) from duckdb_tables() where table_name = 'b'"
        ).rows() == [(0,)]


def test_what_is_built_here_comes_first(folder):
    (folder / "models" / "b.sql").write_text("select n + 100 as n from {{ ref('a') }}")
    run(folder, "b", defer="prod")
    assert run(folder, "c", defer="prod") == {"c": "success"}
    with Project(folder) as project:
        assert project.table("c").rows() == [(102,)]


def test_equal_tables_built_here_later_are_no_change(folder):
    run(folder, "c", defer="prod")
    assert run(folder) == {"a": "success", "b": "success", "c": "unchanged"}


def test_a_change_there_is_a_change(folder):
    run(folder, "c", defer="prod")
    assert run(folder, "c", defer="prod") == {}
    (folder / "models" / "a.sql").write_text("select 5 as n")
    run(folder, target="prod")
    assert run(folder, "c", defer="prod") == {"c": "success"}


def test_a_view_cannot_read_another_store(folder):
    (folder / "models" / "v.sql").write_text(
        "{{ config(materialized='view') }} select * from {{ ref('b') }}"
    )
    with Project(folder, defer="prod") as project:
        (node,) = project.run("v").nodes
    assert node.status == "error"
    assert "materialized='table'" in node.message


@pytest.mark.parametrize(
    ("target", "message"),
    [("prd", "did you mean 'prod'"), ("dev", "the target of this run itself")],
)
def test_a_target_that_cannot_be(folder, target, message):
    with pytest.raises(UsageError, match=message):
        Project(folder, defer=target)


def test_a_target_that_was_never_built(make_project):
    with pytest.raises(UsageError, match="lupom run --target prod"):
        Project(make_project(FILES), defer="prod")


def test_a_view_there_is_another_when_what_it_reads_is_built_anew(folder):
    for name, text in {
        "between.sql": "{{ config(materialized='ephemeral') }} select n from {{ ref('a') }}",
        "seen.sql": "{{ config(materialized='view') }} select n from {{ ref('a') }}",
        "far.sql": "{{ config(materialized='view') }} select n from {{ ref('between') }}",
        "reads.sql": "select seen.n, far.n as m from {{ ref('seen') }} cross join {{ ref('far') }}",
    }.items():
        (folder / "models" / name).write_text(text)
    with Project(folder, target="prod") as project:
        project.run()
    assert run(folder, "reads", defer="prod") == {"reads": "success"}
    assert run(folder, "reads", defer="prod") == {}
    (folder / "models" / "a.sql").write_text("select 7 as n")
    # The table alone: the views of it stand as they were made.
    with Project(folder, target="prod") as project:
        project.run("a")
    assert run(folder, "reads", defer="prod") == {"reads": "success"}
    with Project(folder) as project:
        assert project.table("reads").rows() == [(7, 7)]
