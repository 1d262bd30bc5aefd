"""Plans made of the shipped survey."""

from __future__ import annotations

import pytest

from tests.support.fake_project import FakeProject
from tests.support.staged import staged


@pytest.fixture(scope="module")
def project() -> FakeProject:
    project = staged(
        "delete from gss_2018_responses where index >= 500",
        seed=1,
        tuning_pairs=50,
        test_pairs=50,
        plan_questions=3,
        group_attributes=["SEX"],
    )
    project.build("planning/question_plan.py")
    return project


def test_three_questions_of_the_survey_beat_three_drawn_by_lot(project: FakeProject) -> None:
    rows = project.rows(
        "select questions, question_id, nll from question_plan "
        "where strategy = 'chosen' and attribute is null order by questions"
    )
    assert [questions for questions, *_ in rows] == [0, 1, 2, 3]
    losses = [nll for *_, nll in rows]
    assert losses == sorted(losses, reverse=True)
    assert len({question for _, question, _ in rows}) == 4
    assert (
        project.value(
            "select difference_low from question_plan where strategy = 'random' and questions = 3"
        )
        > 0
    )


def test_held_out_answers_are_known_to_a_plan(project: FakeProject) -> None:
    # Planning is of people to come: its model may read what others may not.
    assert project.configs["question_plan"]["tags"] == ["holdout"]
    [(people,)] = project.rows(
        "select distinct n from question_plan where strategy = 'chosen' and attribute is null"
    )
    assert people == 500
    assert {g for (g,) in project.rows('select distinct "group" from question_plan')} == {
        None,
        "Female",
        "Male",
    }
