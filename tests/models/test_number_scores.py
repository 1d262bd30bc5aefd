"""number_scores.sql: errors of predicted numbers, also of predictions made elsewhere."""

from __future__ import annotations

import pytest

from tests.support.fake_project import FakeProject

TABLES = {
    # Of `income` the survey says no range; its known answers go from 10 to 50.
    "questions": """select * from (values ('s', 'age', 'numeric', 0.0, 100.0),
        ('s', 'income', 'numeric', null, null)) as t(survey, question_id, kind, low, high)""",
    "known_responses": """select * from (values ('s', 'a', 'income', 'answered', '10'),
        ('s', 'b', 'income', 'answered', '50'), ('s', 'c', 'income', 'held_out', null))
        as t(survey, respondent_id, question_id, status, answer)""",
    "holdout": """select * from (values ('s', 'c', 'age', '40'), ('s', 'c', 'income', '1000'))
        as t(survey, respondent_id, question_id, answer), (values ('test', 'known'))
        as r(role, scenario)""",
    "predictions": """select *, 'elsewhere' as predictor, 'twins' as llm, 'test' as role
        from (values
        ('s', 'c', 'age', 50.0, 'valid'), ('s', 'c', 'income', 990.0, 'valid'))
        as t(survey, respondent_id, question_id, value, status)""",
    "number_baselines": """select 's' as survey, 'c' as respondent_id, 'income' as question_id,
        'median' as predictor, null as llm, 30.0 as value, 'valid' as status, 'test' as role""",
    "llm_pairs": "select 's' as survey, 'x' as respondent_id, 'age' as question_id",
}


@pytest.fixture(scope="module")
def errors():
    """Absolute and relative error by predictor and question."""
    project = FakeProject()
    for name, select in TABLES.items():
        project.connection.execute(f"create table {name} as {select}")
    project.build("evaluation/number_scores.sql")
    rows = project.rows(
        "select predictor, question_id, absolute_error, relative_error from number_scores"
    )
    return {row[:2]: row[2:] for row in rows}


def test_an_error_is_a_share_of_the_question_s_range(errors):
    assert errors["elsewhere", "age"] == (10.0, 0.1)


def test_of_a_question_without_a_range_it_is_a_share_of_that_of_the_known_answers(errors):
    # The held-out 1,000 makes it no wider.
    assert errors["elsewhere", "income"] == (10.0, 0.25)
    assert errors["median", "income"] == (970.0, 24.25)
