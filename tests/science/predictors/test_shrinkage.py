"""Predictors of few people, pulled to the shares."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from lupom.science.predictors import baselines, shrinkage, states
from lupom.science.predictors.learners import logistic_answers, majority
from lupom.science.predictors.predictor import predictor
from lupom.science.predictors.task import Floats, Task, tasks
from tests.science import synthetic


@pytest.fixture(scope="module")
def survey() -> Task:
    s = synthetic.survey(people=400, held=120)
    return tasks(s.known, s.pairs, s.respondents, s.questions)[0]


def of(task: Task, people: int) -> Task:
    """Return the task with so many reference respondents."""
    learned = np.zeros_like(task.reference)
    learned[np.flatnonzero(task.reference)[:people]] = True
    return replace(task, reference=learned)


@predictor("One option for certain, whatever was answered")
def certain(task: Task, seed: int = 0) -> Floats:
    sizes = np.array([len(options) for options in task.options])[task.columns]
    out = np.where(np.arange(task.width) < sizes[:, None], 0.001, 0.0)
    out[:, 0] = 1.0
    return out / out.sum(axis=1, keepdims=True)


def test_what_knows_nothing_is_left_at_the_shares(survey):
    few = of(survey, 40)
    assert shrinkage.fit(certain, few) == 0.0
    assert np.allclose(shrinkage.shrunk(certain)(few, 1), majority(few, 1))


def test_what_knows_more_than_the_shares_counts(survey):
    assert shrinkage.fit(logistic_answers, of(survey, 100)) > 0.3


def test_no_filter_is_predicted_where_what_hangs_on_it_is_known(survey):
    asked = set()

    def seen(task: Task, seed: int = 0) -> Floats:
        asked.update(task.columns.tolist())
        return majority(task, seed)

    few = replace(of(survey, 40), follow_ups=((1,), *[()] * (len(survey.questions) - 1)))
    shrinkage.fit(seen, few)
    assert asked == set(range(1, len(survey.questions)))


def test_with_enough_people_a_predictor_is_as_it_is(survey):
    many = of(survey, shrinkage.ENOUGH)
    assert shrinkage.fit(certain, many) == 1.0
    assert np.array_equal(shrinkage.shrunk(certain)(many, 1), certain(many, 1))


@pytest.mark.parametrize("people", [0, 1, 5])
def test_of_hardly_anybody_the_shares_are_all_there_is(survey, people):
    few = of(survey, people)
    assert np.allclose(shrinkage.shrunk(logistic_answers)(few, 1), majority(few, 1))


def test_blends_lie_between_and_options_that_are_none_stay_so():
    p, shares = np.array([[0.9, 0.1, 0.0]]), np.array([[0.5, 0.5, 0.0]])
    halfway = shrinkage.blended(p, shares, 0.5)
    assert halfway.sum() == pytest.approx(1.0)
    assert halfway[0, 2] == 0.0
    # Log-linear: odds of 9 and of 1 give their geometric mean.
    assert halfway[0, 0] / halfway[0, 1] == pytest.approx(3.0)


def test_a_state_says_the_same_as_the_function(survey):
    few, one = of(survey, 60), shrinkage.shrunk(logistic_answers)
    kept = states.from_bytes(states.to_bytes(states.fit(one, few, 1)))
    assert np.allclose(states.apply(one, kept, few), one(few, 1))


def test_no_predictor_of_thirty_people_is_far_above_the_majority():
    s = synthetic.survey(people=230, held=200)
    whole = tasks(s.known, s.pairs, s.respondents, s.questions)[0]
    few = of(whole, 30)
    options = dict(zip(s.questions["question_id"], s.questions["options"], strict=True))
    held = {
        (row.respondent_id, row.question_id): options[row.question_id].index(row.answer)
        for row in s.holdout.itertuples()
    }
    truth = np.array(
        [
            held[few.respondents[r], few.questions[c]]
            for r, c in zip(few.rows, few.columns, strict=True)
        ]
    )
    loss = {
        name: float(-np.log(one(few, 1)[np.arange(len(truth)), truth]).mean())
        for name, one in baselines.prepared().items()
    }
    for name, value in loss.items():
        assert value < loss["majority"] + 0.02, name
