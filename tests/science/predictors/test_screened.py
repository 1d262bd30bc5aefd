"""Filters are predicted without what hangs on them, by every predictor."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from lupom.science.predictors import baselines, states
from lupom.science.predictors.screened import layers, untold
from lupom.science.predictors.task import HIDDEN, tasks
from tests.support.planned_surveys import filtered, tables

PREDICTORS = baselines.shipped()
HANGS = {"work": ["boss", "why"], "boss": ["why"]}


@pytest.fixture(scope="module")
def task():
    """The survey with filters, of which 60 people's answers are to be predicted.

    What hangs on these is still known of them, as it must not be.
    """
    responses, respondents, questions = tables(filtered(400))
    questions["follow_ups"] = [HANGS.get(name, []) for name in questions["question_id"]]
    person = responses["respondent_id"].str[1:].astype(int)
    held = (person < 60) & (responses["question_id"] == "work")
    held |= (person < 30) & responses["question_id"].isin(["plain0", "boss"])
    held &= responses["answer"].notna()
    known = responses.assign(
        answer=responses["answer"].mask(held), role=np.where(held, "test", "known")
    )
    (found,) = tasks(known, known[held], respondents, questions)
    return found


def without_follow_ups(task):
    hang = [task.questions.index(name) for name in ("boss", "why")]
    answers = task.answers.copy()
    answers[:60, hang] = HIDDEN
    return replace(task, answers=answers)


def of(task, name):
    return task.columns == task.questions.index(name)


def test_a_filter_s_layer_has_what_hangs_on_none_of_its_filters():
    found = layers(((1, 2), (2,), (), (), (0,)))
    assert [layer.filters.tolist() for layer in found] == [[4], [0], [1]]
    assert [layer.kept.tolist() for layer in found] == [
        [1, 2, 3, 4],
        [0, 3, 4],
        [0, 1, 3, 4],
    ]


def test_of_two_that_hang_on_each_other_neither_is_seen():
    found = layers(((1,), (0,), ()))
    assert [(one.filters.tolist(), one.kept.tolist()) for one in found] == [
        ([0], [0, 2]),
        ([1], [1, 2]),
    ]


@pytest.mark.parametrize("name", PREDICTORS)
def test_what_hangs_on_a_filter_changes_no_prediction_of_it(task, name):
    chosen = baselines.prepared({name: PREDICTORS[name]})
    seen = baselines.probabilities_of(task, chosen)[name]
    hidden = baselines.probabilities_of(without_follow_ups(task), chosen)[name]
    work = of(task, "work")
    assert work.sum() == 60
    assert np.array_equal(seen[work], hidden[work])


def test_whoever_has_a_blank_there_is_not_told_by_it(task):
    """Who worked was read off the blanks; nothing else in the survey tells of it."""
    name = "boosted_answers"
    chosen = baselines.prepared({name: PREDICTORS[name]})
    # Of whom it is still known whether they were asked about a boss.
    work = of(task, "work") & (task.rows >= 30)
    truth = filtered(400)["work"][task.rows[work]]
    found = [
        -np.log(baselines.probabilities_of(one, chosen)[name][work][np.arange(30), truth]).mean()
        for one in (task, replace(task, follow_ups=()))
    ]
    assert found[0] > 0.6
    assert found[1] < 0.3


def test_a_filter_is_seen_where_what_hangs_on_it_is_predicted(task):
    name = "logistic_answers"
    chosen = baselines.prepared({name: PREDICTORS[name]})
    seen = baselines.probabilities_of(task, chosen)[name][of(task, "plain0")]
    answers = task.answers.copy()
    answers[:, task.questions.index("lot")] = HIDDEN
    without = baselines.probabilities_of(replace(task, answers=answers), chosen)[name]
    assert np.abs(seen - without[of(task, "plain0")]).max() > 0.05


@pytest.mark.parametrize("name", ["logistic_answers", "gaussian_answers", "neighbours_answers"])
def test_a_state_has_all_layers_and_is_kept_as_bytes(task, name):
    (one,) = baselines.prepared({name: PREDICTORS[name]}).values()
    state = states.from_bytes(states.to_bytes(states.fit(one, task)))
    assert state["screened.filters"] == [
        [task.questions.index("work")],
        [task.questions.index("boss")],
    ]
    learned = states.apply(one, state, task)
    assert np.allclose(learned, baselines.probabilities_of(task, {name: one})[name])
    # The questions of a state are told by their names.
    assert np.allclose(states.apply(one, state, replace(task, follow_ups=())), learned)


def test_of_whom_only_a_follow_up_is_known_nothing_may_be_seen(task):
    answers = np.full_like(task.answers, HIDDEN)
    answers[:, task.questions.index("why")] = 0
    blank = untold(replace(task, answers=answers))
    assert blank[of(task, "work")].all()
    assert not blank[of(task, "plain0")].any()
