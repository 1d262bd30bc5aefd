"""The thin models of refinement and retrieval over relations of a DuckDB connection."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import duckdb
import pytest

MODELS = Path(__file__).parents[2] / "models"
CHAIN = [
    ("refinement", "persona_network_edges"),
    ("refinement", "persona_network_parameters"),
    ("refinement", "refined_persona_values"),
    ("retrieval", "similar_respondents"),
    ("retrieval", "neighbour_answers"),
]


class Handle:
    """What a Python model is given: tables of a connection, and vars at their defaults."""

    def __init__(self, connection):
        self.connection = connection

    def ref(self, name):
        return self.connection.sql(f"select * from {name}")

    def var(self, name, default=None):
        return default


def build(connection):
    for folder, name in CHAIN:
        path = MODELS / folder / f"{name}.py"
        spec = importlib.util.spec_from_file_location(f"model_{name}", path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        table = module.model(Handle(connection))
        connection.register("result", table)
        connection.execute(f"create table {name} as select * from result")
        connection.unregister("result")


@pytest.fixture
def connection():
    con = duckdb.connect()
    con.execute("""
        create table persona_dimensions as
        select 'w' as survey, unnest(['trust', 'faith', 'risk']) as dimension_id, '' as name,
            '' as description, unnest(['high', 'mid', 'low']) as level,
            ['no', 'yes'] as candidate_values;
        create table llm_respondents as
        select 'w' as survey, format('r{:03}', i) as respondent_id,
            if(i % 4 = 0, 'test', 'reference') as role
        from range(60) t(i);
        create table respondents as
        select survey, respondent_id, 1.0 as weight, map {'sex': 'f'} as attributes
        from llm_respondents;
        create table known_responses as
        select survey, respondent_id, 'q' as question_id, 'known' as role,
            if(role = 'test', 'held_out', 'answered') as status,
            if(role = 'test', null, if(respondent_id[-1] in ('1', '3', '5', '7', '9'), 'a', 'b'))
                as answer
        from llm_respondents;
        create table persona_values (
            survey varchar, respondent_id varchar, dimension_id varchar, value varchar,
            call_id varchar
        );
    """)
    yield con
    con.close()


def test_personas_are_refined_and_neighbours_vote(connection):
    connection.execute("""
        insert into persona_values
        select r.survey, r.respondent_id, d.dimension_id,
            if(r.respondent_id[-1] in ('1', '3', '5', '7', '9'), 'yes', 'no'), 'c'
        from llm_respondents r join persona_dimensions d using (survey)
    """)
    build(connection)
    assert connection.execute("select count(*) from persona_network_edges").fetchone()[0] >= 2
    assert connection.execute(
        "select count(*), sum(changed::int) from refined_persona_values"
    ).fetchone() == (180, 0)
    # Odd respondents are like odd ones; the answers follow the persona.
    assert connection.execute("""
        select distinct answer, share, probabilities['b'] from neighbour_answers
        where respondent_id in ('r000', 'r004')
    """).fetchall() == [("b", pytest.approx(15 / 20), pytest.approx(15 / 20))]
    assert not connection.execute("""
        select * from similar_respondents s
        join llm_respondents r on r.respondent_id = s.neighbour_id where r.role = 'test'
    """).fetchall()


def test_a_run_without_an_llm_leaves_typed_empty_tables(connection):
    build(connection)
    for _, name in CHAIN:
        assert connection.execute(f"select count(*) from {name}").fetchone() == (0,)
    columns = "select column_name, column_type from (describe neighbour_answers)"
    types = dict(connection.execute(columns).fetchall())
    assert types["share"] == "DOUBLE"
    assert types["probabilities"] == "MAP(VARCHAR, DOUBLE)"
