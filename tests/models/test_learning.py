"""What predictors learn from stays as it is when what they do not learn from changes."""

from __future__ import annotations

import pytest

from tests.support.fake_project import FakeProject
from tests.support.staged import LEARNING, staged

TESTED = (
    "(select survey, respondent_id from known_responses where role = 'test' "
    "order by respondent_id limit 1)"
)
OTHER = (
    "(select survey, respondent_id from known_responses anti join "
    "(select respondent_id from known_responses where role = 'test') using (respondent_id) "
    "where answer is not null order by respondent_id limit 1)"
)


@pytest.fixture(scope="module")
def project() -> FakeProject:
    return staged(seed=1)


def learned(project: FakeProject) -> list[list[tuple]]:
    out = []
    for path in LEARNING:
        project.build(f"prediction/{path}")
        out.append(project.rows(f"select * from {path.removesuffix('.sql')} order by all"))
    return out


@pytest.fixture
def before(project):
    project.connection.execute("begin")
    yield learned(project)
    project.connection.execute("rollback")


@pytest.mark.parametrize(
    "change",
    [
        f"delete from known_responses where answer is not null and role = 'known' and "
        f"(survey, respondent_id) in {TESTED}",
        f"update respondents set weight = 9, attributes = map() where "
        f"(survey, respondent_id) in {TESTED}",
        "update closed_questions set question = 'Asked otherwise'",
        "update known_responses set status = 'refused' where answer is null",
    ],
)
def test_who_is_tested_and_wording_change_nothing(project, before, change) -> None:
    project.connection.execute(change)
    assert learned(project) == before


@pytest.mark.parametrize(
    ("change", "table"),
    [
        (f"delete from known_responses where (survey, respondent_id) in {OTHER}", 1),
        (f"update respondents set weight = 9 where (survey, respondent_id) in {OTHER}", 0),
        ("update closed_questions set options = list_reverse(options)", 2),
    ],
)
def test_whom_is_learned_from_and_options_do(project, before, change, table) -> None:
    project.connection.execute(change)
    after = learned(project)
    assert after[table] != before[table]
    assert [i for i in range(3) if i != table and after[i] != before[i]] == []


def test_nobody_with_a_test_pair_is_learned_from(project, before) -> None:
    tested = {
        r for (r,) in project.rows("select respondent_id from known_responses where role = 'test'")
    }
    assert not tested & {row[1] for row in before[0]}
    assert not tested & {row[1] for row in before[1]}
    everyone = {r for (r,) in project.rows("select respondent_id from respondents")}
    assert {row[1] for row in before[1]} == everyone - tested


def test_the_other_answers_of_who_is_tested_are_learned_from_where_that_is_said(project, before):
    project.vars["learn_from_tested"] = True
    try:
        people, answers, _ = learned(project)
        known = "select respondent_id from known_responses group by all having count(answer) > 0"
        assert {row[1] for row in people} == {r for (r,) in project.rows(known)}
        assert {row[1] for row in before[1]} < {row[1] for row in people}
        hidden = "select respondent_id, question_id from known_responses where role = 'test'"
        assert not {row[1:3] for row in answers} & set(project.rows(hidden))
    finally:
        del project.vars["learn_from_tested"]


def test_of_many_so_many_are_learned_from_and_the_same_when_one_is_added(project, before) -> None:
    project.vars["learn_from"] = 50
    people, answers, _ = learned(project)
    assert len(people) == 50
    assert {row[:2] for row in answers} <= {row[:2] for row in people}
    project.connection.execute(f"delete from respondents where (survey, respondent_id) in {OTHER}")
    assert len(set(map(str, people)) ^ set(map(str, learned(project)[0]))) <= 2
    del project.vars["learn_from"]
