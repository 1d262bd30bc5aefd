"""A model is one select: nothing that it does not return is done."""

from __future__ import annotations

import duckdb
import pytest

from lupom import Project
from lupom.engine.errors import ModelError, UsageError
from lupom.engine.store.statements import one_select

# The parser before has a CTE be a select, and is what refuses any other.
DUCKDB_2 = int(duckdb.__version__.partition(".")[0]) >= 2

ONE = [
    ("select 1 as x", "select 1 as x"),
    ("select 1 as x;;", "select 1 as x"),
    ("select 1 as x; -- done; really", "select 1 as x"),
    ("select 'ä;' as x /* ; */; ; -- ö", "select 'ä;' as x /* ; */"),
    ("select ';' as x -- ; drop table victim", "select ';' as x -- ; drop table victim"),
    ("select $$; drop table victim$$ as x", "select $$; drop table victim$$ as x"),
    ("values (1)", "values (1)"),
    ("from victim", "from victim"),
    ("with a as (select 1) from a", "with a as (select 1) from a"),
    ('select update, merge from "delete"', 'select update, merge from "delete"'),
    ("pivot t on b using sum(a);", "pivot t on b using sum(a)"),
]
if DUCKDB_2:
    text = "pivot (select b, (update) update, (a) merge from t) on b using sum(update)"
    ONE.append((text, text))

HOLDS = "holds {}" if DUCKDB_2 else "A CTE needs a SELECT"
OTHER = [
    ("select 3 as a; drop table victim", "the second is 'drop table victim'"),
    ("select ';' as a; /* ; */ create table stray as select 1 as x", "2 statements"),
    ("select 1; select 2; select 3", "3 statements"),
    (
        "with w as (insert /* now */ into victim values (1) returning k) pivot w on k using sum(k)",
        HOLDS.format("INSERT"),
    ),
    (
        "with w as (with v as (select 1) delete from victim returning k) pivot w on k",
        HOLDS.format("DELETE"),
    ),
    (
        "with w as (UPDATE victim set k = 1 returning k) pivot w on k using sum(k)",
        HOLDS.format("UPDATE"),
    ),
    ("drop table victim", "is not a select but DROP"),
    ("insert into victim values (1) returning *", "is not a select but INSERT"),
    ("copy victim to '/tmp/victim.csv'", "is not a select but COPY"),
    ("with a as (insert into victim values (1) returning k) from a", HOLDS.format("INSERT")),
    ("with a as (delete from victim returning k) from a", HOLDS.format("DELETE")),
    ("with a as (update victim set k = 1 returning k) select * from a", HOLDS.format("UPDATE")),
    ("-- nothing", "there is no statement"),
]


@pytest.mark.parametrize(("text", "plain"), ONE)
def test_one_select_is_taken_without_its_end(text, plain):
    assert one_select(text).rstrip() == plain


@pytest.mark.parametrize(("text", "message"), OTHER)
def test_anything_else_is_an_error(text, message):
    with pytest.raises((ModelError, duckdb.ParserException), match=message):
        one_select(text)


def writes(where: str, text: str) -> dict[str, str]:
    """Return the files of a project in which some SQL text does more than it may."""
    return {
        "model": {"models/m.sql": text},
        "view": {"models/m.sql": "{{ config(materialized='view') }}" + text},
        "incremental": {"models/m.sql": "{{ config(materialized='incremental') }}" + text},
        "ephemeral": {
            "models/e.sql": "{{ config(materialized='ephemeral') }}" + text,
            "models/m.sql": "select * from {{ ref('e') }}",
        },
        "python": {
            "models/e.sql": "{{ config(materialized='ephemeral') }}" + text,
            "models/m.py": "def model(lupom):\n    return lupom.ref('e')\n",
        },
        "llm": {
            "models/m.sql": "{{ config(materialized='llm', prompt='p', response='R', key='a') }}"
            + text,
            "prompts/p.jinja": "{{ a }}",
            "prompts/responses.py": "from pydantic import BaseModel\n\n"
            "class R(BaseModel):\n    x: str\n",
        },
        "test": {"tests/data/t.sql": text, "models/m.sql": "select 1 as a"},
    }[where]


PROJECT = """
name: demo
models: {+materialized: table}
llms: {default: {provider: openai, base_url: 'http://127.0.0.1:9/v1', model: m, max_retries: 0}}
"""


@pytest.mark.parametrize(
    "text",
    [
        "select 3 as a; drop table victim; create table stray as select 1 as x",
        "select 3 as a -- ;\n; -- hidden\n create table stray as select 1 as x",
        "with w as (insert into victim values (6) returning k) select k as a from w",
        "select 3 as a) ; create table stray as select 1 as x; select (2",
    ],
)
@pytest.mark.parametrize(
    "where", ["model", "view", "incremental", "ephemeral", "python", "llm", "test"]
)
def test_no_text_of_a_project_does_more_than_select(make_project, where, text):
    folder = make_project(
        {
            "lupom_project.yml": PROJECT,
            "models/victim.sql": "select 5 as k",
            **writes(where, text),
        }
    )
    with Project(folder) as project:
        assert project.run("victim").status == "success"
        result = project.run(tests=True)
        name = {"model": "m", "test": "t"}.get(where)
        failed = [node for node in result.nodes if node.status == "error"]
        assert failed
        assert name is None or failed[0].node == name
        tables = project.query("select table_name from duckdb_tables() where schema_name = 'main'")
        names = {row[0] for row in tables.rows()}
        assert "stray" not in names
        assert project.query("from victim").rows() == [(5,)]


def test_the_error_names_the_file_and_what_came_second(make_project):
    folder = make_project({"models/m.sql": "select 3 as a; drop table victim"})
    with Project(folder) as project:
        (node,) = project.run().nodes
    assert node.message.startswith(
        "models/m.sql: 2 statements, and a select must be alone; the second is 'drop table victim'"
    )


def test_a_query_is_one_statement(make_project):
    folder = make_project({"models/m.sql": "select 3 as a; -- that is all"})
    with Project(folder) as project:
        assert project.run().status == "success"
        assert project.query("select a from m; -- ;").rows() == [(3,)]
        with pytest.raises(UsageError, match="2 statements"):
            project.query("create temp table x as select 1; select 2")
