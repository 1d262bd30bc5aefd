"""A project from Python: what a notebook does with it."""

from __future__ import annotations

import pytest

from lupom import LupomError, Project
from lupom.engine.errors import StoreError

FILES = {
    "seeds/people.csv": "id,name\n1,Ann\n2,Bob\n",
    "models/names.sql": "select name, {'a': id} as s, [id] as l from {{ ref('people') }}",
    "models/gone.sql": "{{ config(enabled=false) }} select 1 as x",
}


def test_tables_come_as_frames_and_rows(make_project):
    with Project(make_project(FILES)) as project:
        project.run()
        table = project.table("names")
        assert table.columns == ["name", "s", "l"]
        assert sorted(table.rows()) == [("Ann", {"a": 1}, [1]), ("Bob", {"a": 2}, [2])]
        assert list(table.df()["name"]) == ["Ann", "Bob"]
        assert project.table("names", limit=1).arrow.num_rows == 1


def test_a_query_takes_parameters(make_project):
    with Project(make_project(FILES)) as project:
        project.run()
        assert project.query("select name from names where name = ?", ["Bob"]).rows() == [("Bob",)]


def test_a_plan_is_made_without_building_anything(make_project):
    folder = make_project(FILES)
    with Project(folder) as project:
        assert [(s.node, s.action, s.reason) for s in project.plan().steps] == [
            ("people", "run", "first build"),
            ("names", "run", "first build"),
        ]
    assert not (folder / "lupom.duckdb").exists()


def test_a_disabled_model_is_not_there(make_project):
    with Project(make_project(FILES)) as project:
        assert "gone" not in project.nodes
        with pytest.raises(LupomError, match="no model 'gone'"):
            project.table("gone")


def test_a_description_of_nothing_is_a_typing_error(make_project):
    folder = make_project({**FILES, "models/m.yml": "models:\n  - name: nmaes\n"})
    with pytest.raises(LupomError, match=r"models/m.yml:2: no model named 'nmaes' \(did you mean"):
        Project(folder)


def test_names_of_lupoms_own_tables_are_refused(make_project):
    folder = make_project({"models/calls.sql": "select 1 as x"})
    with pytest.raises(LupomError, match="'calls' is one of LUPoM's own tables"):
        Project(folder)


def test_the_same_file_is_another_store_under_another_target(make_project):
    folder = make_project(
        {
            **FILES,
            "lupom_project.yml": """
                name: demo
                models: {+materialized: table}
                targets:
                  dev: {}
                  prod: {path: data/prod.duckdb}
                """,
        }
    )
    with Project(folder, target="prod") as project:
        project.run()
        assert project.query("select count(*) from lupom.nodes").rows() == [(2,)]
    assert (folder / "data" / "prod.duckdb").is_file()
    assert not (folder / "lupom.duckdb").exists()


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("from doubled", "'doubled' is not built yet (lupom run --select +doubled)"),
        ("from Doubled", "'doubled' is not built yet (lupom run --select +doubled)"),
        ("from dobled", "there is no table 'dobled' (did you mean 'doubled'?)"),
        ("from main.nmaes", "there is no table 'nmaes' (did you mean 'names'?)"),
        ("from elsewhere.names2", "there is no table 'elsewhere.names2' (did you mean 'names'?)"),
        ("from xyzzy", "Catalog Error: Table with name xyzzy does not exist!"),
        (
            "from lupom.node",
            'Catalog Error: Table with name node does not exist!\nDid you mean "nodes"?',
        ),
    ],
)
def test_a_table_that_is_not_there_is_a_model_that_was_meant(make_project, sql, said) -> None:
    folder = make_project(
        {"seeds/names.csv": "name\nBob\n", "models/doubled.sql": "from {{ ref('names') }}"}
    )
    with Project(folder) as project:
        project.run(select=["names"])
        with pytest.raises(StoreError) as error:
            project.query(sql)
    assert str(error.value) == said
