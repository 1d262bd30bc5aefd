"""The published protocol, with lists of pairs made of the shipped survey."""

from __future__ import annotations

import pytest

from tests.support.fake_project import FakeProject
from tests.support.staged import staged


def published() -> FakeProject:
    """Stage the survey with 40 pairs as published: 30 answered, 10 refused."""
    project = staged(seed=1)
    # The shipped survey has nobody who refused: ten are made.
    project.connection.execute(
        "update responses set status = 'refused', answer = null from (select survey, "
        "respondent_id, question_id from responses where status = 'answered' "
        "order by respondent_id, question_id limit 10) as r where responses.survey = r.survey and "
        "responses.respondent_id = r.respondent_id and responses.question_id = r.question_id"
    )
    project.connection.execute(
        "create table published_pairs as (select survey, respondent_id::bigint as author_id, "
        "question_id as conversation_id, 1 as label from responses where status = 'answered' "
        "order by respondent_id, question_id limit 30) union all (select survey, "
        "respondent_id::bigint, question_id, 99 from responses where status = 'refused')"
    )
    project.vars["protocol"] = "persona_db"
    project.build("staging/drawn_pairs.sql")
    project.build("staging/holdout.sql")
    return project


def test_the_published_pairs_are_the_test_pairs() -> None:
    project = published()
    assert project.rows(
        "select respondent_id, question_id from holdout where role = 'test' order by all"
    ) == project.rows(
        "select author_id::varchar, conversation_id from published_pairs where label = 1 "
        "order by all"
    )
    assert project.value("select count(*) from holdout where role = 'tuning'") == 1000
    # Two in three right: of 30 with an answer .667, of 40 with refusals .5.
    project.connection.execute(
        "create table scores as select survey, respondent_id, question_id, 'guess' as predictor, "
        "null::varchar as llm, row_number() over (order by respondent_id, question_id) % 3 > 0 "
        "as correct from holdout where role = 'test'"
    )
    project.build("evaluation/published_metrics.sql")
    assert project.rows(
        "select n, pairs, refused, not_found, round(accuracy_refused_left_out, 3), "
        "accuracy_refused_wrong from published_metrics"
    ) == [(30, 40, 10, 0, 0.667, 0.5)]


def test_refusals_are_counted_as_many_as_belong_to_the_pairs_a_predictor_was_asked() -> None:
    """Of 80 pairs 64 are answered and 16 refused; the LLM is asked 60 and right in 13."""
    project = FakeProject(protocol="persona_db")
    run = project.connection.execute
    run(
        "create table published_pairs as select 's' as survey, i as author_id, 'q' as "
        "conversation_id from range(80) as t(i)"
    )
    run(
        "create table responses as select 's' as survey, i::varchar as respondent_id, 'q' as "
        "question_id, if(i < 64, 'answered', 'refused') as status from range(80) as t(i)"
    )
    run(
        "create table scores as select 's' as survey, i::varchar as respondent_id, 'q' as "
        "question_id, 'history' as predictor, 'default' as llm, i < 13 as correct from range(60) "
        "as t(i) union all select 's', i::varchar, 'q', 'majority', null, i < 32 "
        "from range(64) as t(i)"
    )
    project.build("evaluation/published_metrics.sql")
    left_out, wrong = 13 / 60, 13 / 60 * 64 / 80
    assert project.rows(
        "select predictor, n, refused, accuracy_refused_left_out, accuracy_refused_wrong "
        "from published_metrics"
    ) == [
        ("history", 60, 16, pytest.approx(left_out), pytest.approx(wrong)),
        # Of all pairs it is the share itself: 32 of 80.
        ("majority", 64, 16, 0.5, pytest.approx(32 / 80)),
    ]


def test_other_protocols_have_no_published_metrics() -> None:
    project = FakeProject()
    for table in (
        "responses (survey varchar, respondent_id varchar, question_id varchar, status varchar)",
        "scores (survey varchar, respondent_id varchar, question_id varchar, predictor varchar, "
        "llm varchar, correct boolean)",
    ):
        project.connection.execute(f"create table {table}")
    project.build("evaluation/published_metrics.sql")
    assert project.rows("select * from published_metrics") == []
