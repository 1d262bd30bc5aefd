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


@pytest.fixture
def reference_only(project):
    """What is learned from where nobody who is tested is."""
    project.vars["learn_from_tested"] = False
    project.connection.execute("begin")
    yield learned(project)
    project.connection.execute("rollback")
    del project.vars["learn_from_tested"]


@pytest.mark.parametrize(
    "change",
    [
        "update closed_questions set question = 'Asked otherwise'",
        "update known_responses set status = 'refused' where answer is null",
    ],
)
def test_held_out_answers_and_wording_change_nothing(project, before, change) -> None:
    project.connection.execute(change)
    assert learned(project) == before


@pytest.mark.parametrize(
    "change",
    [
        f"delete from known_responses where answer is not null and role = 'known' and "
        f"(survey, respondent_id) in {TESTED}",
        f"update respondents set weight = 9, attributes = map() where "
        f"(survey, respondent_id) in {TESTED}",
    ],
)
def test_who_is_tested_changes_nothing_where_they_are_not_learned_from(
    project, reference_only, change
) -> None:
    project.connection.execute(change)
    assert learned(project) == reference_only


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


def test_everybody_is_learned_from_and_no_held_out_answer(project, before) -> None:
    people, answers, _ = before
    known = "select respondent_id from known_responses group by all having count(answer) > 0"
    assert {row[1] for row in people} == {r for (r,) in project.rows(known)}
    tested = "select respondent_id from known_responses where role = 'test'"
    assert {row[1] for row in answers} & {r for (r,) in project.rows(tested)}
    hidden = "select respondent_id, question_id from known_responses where role != 'known'"
    assert not {row[1:3] for row in answers} & set(project.rows(hidden))


def test_nobody_with_a_test_pair_is_learned_from_where_that_is_said(project, reference_only):
    tested = {
        r for (r,) in project.rows("select respondent_id from known_responses where role = 'test'")
    }
    assert not tested & {row[1] for row in reference_only[0]}
    assert not tested & {row[1] for row in reference_only[1]}
    everyone = {r for (r,) in project.rows("select respondent_id from respondents")}
    assert {row[1] for row in reference_only[1]} == everyone - tested


def test_whose_answers_are_all_hidden_is_not_learned_from(project, before) -> None:
    project.connection.execute(
        f"update known_responses set answer = null where (survey, respondent_id) in {TESTED}"
    )
    (one,) = project.rows(f"select respondent_id from {TESTED}")[0]
    assert one in {row[1] for row in before[0]}
    assert one not in {row[1] for row in learned(project)[0]}


def test_of_many_so_many_are_learned_from_and_the_same_when_one_is_added(project, before) -> None:
    project.vars["learn_from"] = 50
    people, answers, _ = learned(project)
    assert len(people) == 50
    assert {row[:2] for row in answers} <= {row[:2] for row in people}
    project.connection.execute(f"delete from respondents where (survey, respondent_id) in {OTHER}")
    assert len(set(map(str, people)) ^ set(map(str, learned(project)[0]))) <= 2
    del project.vars["learn_from"]
