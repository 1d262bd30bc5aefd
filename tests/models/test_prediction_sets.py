"""Prediction sets of the shipped survey hold as often as they say."""

from __future__ import annotations

import pytest

from tests.support.fake_project import FakeProject
from tests.support.staged import staged, with_baselines

NO_LLM = (
    "create table {} as select survey, respondent_id, question_id, predictor, llm, answer, "
    "probabilities, missing_mass, status, call_id, role, scenario, null::double as value "
    "from baselines limit 0"
)


@pytest.fixture(scope="module")
def project() -> FakeProject:
    project = staged(
        seed=1, group_attributes=["SEX", "AGE"], predictors=["majority", "logistic_answers"]
    )
    with_baselines(project)
    project.build("staging/tuning_answers.sql")
    for name in ("predictions", "persona_predictions"):
        project.connection.execute(NO_LLM.format(name))
    for name in ("prediction/stacked", "prediction/prediction_sets", "evaluation/set_metrics"):
        project.build(f"{name}.py")
    return project


def test_nine_of_ten_hold_the_answer_and_those_who_know_more_need_fewer_options(project) -> None:
    rows = project.rows(
        "select predictor, low, high, coverage, mean_size, n from set_metrics "
        "where question_id is null and attribute is null"
    )
    sizes = {predictor: size for predictor, *_, size, _ in rows}
    assert set(sizes) == {"majority", "logistic_answers", "stack_plain"}
    for predictor, low, high, coverage, _, n in rows:
        assert n == 1000
        assert low < coverage < high
        assert 0.87 < coverage < 0.94, predictor
    assert sizes["stack_plain"] < sizes["majority"] - 0.15


def test_every_question_and_group_has_its_coverage(project) -> None:
    [(questions, least)] = project.rows(
        "select count(*), min(coverage) from set_metrics "
        "where question_id is not null and predictor = 'stack_plain'"
    )
    assert questions == 25
    # Forty pairs a question: nine of ten, give or take two standard errors of .047.
    assert least > 0.72
    groups = project.rows(
        'select attribute, "group", coverage, n from set_metrics '
        "where attribute is not null and predictor = 'stack_plain'"
    )
    assert {attribute for attribute, *_ in groups} == {"SEX", "AGE"}
    assert all(coverage > 0.84 for *_, coverage, _ in groups)


def test_a_higher_level_makes_larger_sets(project) -> None:
    before = project.value("select avg(size) from prediction_sets")
    project.vars["set_level"] = 0.99
    project.build("prediction/prediction_sets.py")
    assert project.value("select avg(size) from prediction_sets") > before + 0.3
