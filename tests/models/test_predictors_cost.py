"""What each predictor costs and adds, on the shipped survey and a few quick predictors."""

from __future__ import annotations

import pytest

from tests.support.fake_project import FakeProject
from tests.support.staged import staged, with_baselines

PREDICTORS = ["majority", "logistic_demographics", "gaussian_answers", "logistic_answers"]


@pytest.fixture(scope="module")
def project() -> FakeProject:
    project = staged(seed=1, test_pairs=300, tuning_pairs=300, predictors=PREDICTORS)
    with_baselines(project)
    project.build("staging/tuning_answers.sql")
    project.build("prediction/predictors.py")
    project.build("prediction/predictors_cost.py")
    return project


def test_a_row_says_what_a_predictor_costs_and_adds(project) -> None:
    rows = project.rows(
        "select predictor, part, n, size > 0, seconds >= 0, nll_gain_low < nll_gain_high"
        " from predictors_cost where survey = 'gss_2018' order by predictor"
    )
    assert rows == [
        ("gaussian_answers", True, 300, True, True, True),
        ("logistic_answers", True, 300, True, True, True),
        ("logistic_demographics", False, 300, True, True, True),
        ("majority", False, 300, True, True, True),
    ]


def test_its_own_figures_are_those_of_its_predictions(project) -> None:
    [(accuracy, nll)] = project.rows(
        "select avg((b.answer = t.answer)::int), avg(-ln(b.probabilities[t.answer]))"
        " from baselines as b join tuning_answers as t"
        " using (survey, respondent_id, question_id) where predictor = 'logistic_answers'"
    )
    [found] = project.rows(
        "select accuracy, nll from predictors_cost where predictor = 'logistic_answers'"
    )
    assert found == pytest.approx((accuracy, nll))


def test_what_a_fit_took_is_what_fitted_predictors_says(project) -> None:
    both = "select predictor, seconds, size from {} order by all"
    assert project.rows(both.format("predictors_cost")) == project.rows(
        both.format("fitted_predictors")
    )
