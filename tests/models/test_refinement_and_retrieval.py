"""The thin models of refinement and retrieval over relations of a DuckDB connection."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import duckdb
import pytest

from lupom.batches import in_batches

MODELS = Path(__file__).parents[2] / "models"
SEEDS = Path(__file__).parents[2] / "seeds"
CHAIN = [
    ("refinement", "persona_networks"),
    ("refinement", "persona_network_edges"),
    ("refinement", "persona_network_parameters"),
    ("refinement", "refined_persona_values"),
    ("retrieval", "retrieval_settings"),
    ("retrieval", "similar_respondents_search"),
    ("retrieval", "similar_respondents"),
    ("retrieval", "neighbour_answers"),
]


class Handle:
    """What a Python model is given: tables of a connection, and vars at their defaults."""

    def __init__(self, connection, vars):
        self.connection = connection
        self.vars = vars

    def ref(self, name):
        return self.connection.sql(f"select * from {name}")

    def var(self, name, default=None):
        return self.vars.get(name, default)

    def config(self, **settings):
        pass

    def map(self, function, table, **how):
        return in_batches(function, table, **how)

    def embed(self, texts):
        return [[text.count("yes"), text.count("no"), 1.0] for text in texts]


def build(connection, chain=CHAIN, **vars):
    for folder, name in chain:
        path = MODELS / folder / f"{name}.py"
        spec = importlib.util.spec_from_file_location(f"model_{name}", path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        table = module.model(Handle(connection, vars))
        connection.register("result", table)
        connection.execute(f"create or replace table {name} as select * from result")
        connection.unregister("result")


@pytest.fixture
def connection():
    con = duckdb.connect()
    for seed in ("retrieval", "networks"):
        con.execute(f"create table {seed} as from read_csv('{SEEDS / seed}.csv', header = true)")
    con.execute("""
        create table prediction_settings as
        select 'everything' as setting, 'refined' as persona, 'common' as neighbours;
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
        create table retrieval_respondents as
        select survey, respondent_id, role, true as has_persona, true as asked
        from llm_respondents;
        create table questions as
        select 'w' as survey, 'q' as question_id, 'Which?' as question, ['a', 'b'] as options,
            'single' as kind;
        create table tuning_answers as
        select 'w' as survey, 'r001' as respondent_id, 'q' as question_id, 'a' as answer limit 0;
        create table persona_values (
            survey varchar, respondent_id varchar, dimension_id varchar, value varchar,
            call_id varchar
        );
    """)
    yield con
    con.close()


def infer(connection):
    connection.execute("""
        insert into persona_values
        select r.survey, r.respondent_id, d.dimension_id,
            if(r.respondent_id[-1] in ('1', '3', '5', '7', '9'), 'yes', 'no'), 'c'
        from llm_respondents r join persona_dimensions d using (survey)
    """)


def test_personas_are_refined_and_neighbours_vote(connection):
    infer(connection)
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


def test_a_run_without_an_llm_leaves_typed_tables_and_compares_answers(connection):
    build(connection)
    assert connection.execute("select count(*) from refined_persona_values").fetchone() == (0,)
    # Test respondents' one answer is hidden, so there is nothing to compare them by.
    assert connection.execute("""
        select distinct compared_by, role from similar_respondents
        join llm_respondents using (survey, respondent_id)
    """).fetchall() == [("answers", "reference")]
    columns = "select column_name, column_type from (describe neighbour_answers)"
    types = dict(connection.execute(columns).fetchall())
    assert types["share"] == "DOUBLE"
    assert types["probabilities"] == "MAP(VARCHAR, DOUBLE)"


def test_every_row_of_the_seed_finds_neighbours(connection):
    infer(connection)
    build(connection)
    connection.execute("update respondents set attributes = map {'sex': respondent_id[-1]}")
    names = connection.execute("select distinct retrieval, survey from retrieval").fetchall()
    for retrieval, survey in names:
        if retrieval == "tuned":
            continue
        if survey != "default":
            connection.execute(f"update retrieval set survey = 'w' where survey = '{survey}'")
        build(
            connection,
            [("retrieval", "retrieval_settings"), ("retrieval", "similar_respondents")],
            retrieval=retrieval,
            neighbour_demographics=["sex"],
        )
        ((n,),) = connection.execute("select count(*) from similar_respondents").fetchall()
        assert n > 500
        if survey != "default":
            connection.execute(f"update retrieval set survey = '{survey}' where survey = 'w'")


def test_a_tuned_setting_is_what_the_search_chose(connection):
    infer(connection)
    connection.execute("""
        create or replace table known_responses as
        select survey, respondent_id, 'q' as question_id, 'tuning' as role, 'held_out' as status,
            null as answer
        from known_responses where role = 'known' and respondent_id < 'r010'
        union all
        select survey, respondent_id, question_id, role, status, answer
        from known_responses where respondent_id >= 'r010';
        create or replace table tuning_answers as
        select survey, respondent_id, 'q' as question_id,
            if(respondent_id[-1] in ('1', '3', '5', '7', '9'), 'a', 'b') as answer
        from llm_respondents where role = 'reference' and respondent_id < 'r010';
    """)
    grid = {"similarity": ["persona"], "encoding": ["onehot"], "k": [3, 30], "max_skew": [10]}
    build(connection, retrieval="tuned", retrieval_search=grid)
    chosen = connection.execute("select k, accuracy from similar_respondents_search where chosen")
    assert chosen.fetchall() == [(3, 1.0)]
    ranks = connection.execute("select max(rank) from similar_respondents").fetchall()
    assert ranks == [(3,)]
    build(connection, CHAIN[-4:], retrieval="default", retrieval_search=grid)
    ranks = connection.execute("select max(rank) from similar_respondents").fetchall()
    assert ranks == [(20,)]


def test_nothing_to_tune_on_is_an_error_that_says_so(connection):
    infer(connection)
    with pytest.raises(ValueError, match="survey 'w' has no tuning pair"):
        build(connection, retrieval="tuned")
