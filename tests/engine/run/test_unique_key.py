"""The unique key of an incremental model holds from its first build on."""

from __future__ import annotations

import pytest

from lupom import Project

SELECT = "select * from (values ('a', {{ var('v', 1) }}), ('%s', {{ var('v', 1) }} + 10)) t(k, v)"


def project_of(make_project, second, key="'k'"):
    return make_project(
        {
            "models/dups.sql": SELECT % second,
            "models/one.sql": (
                f"{{{{ config(materialized='incremental', unique_key={key}) }}}}"
                " select * from {{ ref('dups') }}"
            ),
        }
    )


@pytest.mark.parametrize("full_refresh", [False, True])
def test_the_first_build_refuses_two_rows_of_one_key(make_project, full_refresh):
    folder = project_of(make_project, "a")
    with Project(folder) as project:
        result = project.run(full_refresh=full_refresh)
        assert result.status == "error"
        assert result.nodes[-1].message.startswith(
            "models/one.sql: unique_key: two rows have k = 'a'"
        )
        assert "one" not in project.records()


def test_unique_rows_are_built_and_replaced_later(make_project):
    folder = project_of(make_project, "b")
    for v in (1, 2):
        with Project(folder, vars={"v": v}) as project:
            assert project.run().status == "success"
            assert sorted(project.query("from one").rows()) == [("a", v), ("b", v + 10)]


def test_a_key_of_several_columns_is_unique_as_a_whole(make_project):
    folder = project_of(make_project, "a", "['k', 'v']")
    with Project(folder) as project:
        assert project.run().status == "success"


def test_a_key_that_is_no_column_is_an_error_on_the_first_build(make_project):
    folder = project_of(make_project, "b", "'kk'")
    with Project(folder) as project:
        message = project.run().nodes[-1].message
    assert message == "models/one.sql: unique_key: the model has no column 'kk' (columns: k, v)"


def test_two_rows_without_a_key_are_two_of_one_key(make_project):
    folder = make_project(
        {
            "models/m.sql": "{{ config(materialized='incremental', unique_key='k') }}"
            " select * from (values (null, 1), (null, 2)) t(k, v)"
        }
    )
    with Project(folder) as project:
        assert "two rows have k = NULL" in project.run().nodes[-1].message


def test_a_first_build_that_was_refused_leaves_what_stood(make_project):
    folder = project_of(make_project, "b")
    with Project(folder) as project:
        project.run()
    project_of(make_project, "a")
    with Project(folder) as project:
        assert project.run(full_refresh=True).status == "error"
        assert sorted(project.query("from one").rows()) == [("a", 1), ("b", 11)]
