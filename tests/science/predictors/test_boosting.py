"""Boosted trees on answers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from lupom.science.predictors import boosting, states
from lupom.science.predictors.learners import logistic_answers
from lupom.science.predictors.symmetric_trees import DEPTH
from lupom.science.predictors.task import HIDDEN, Task, tasks
from tests.science import synthetic


def task_of(items: int = 6) -> Task:
    s = synthetic.survey(people=240, held=120, items=items)
    return tasks(s.known, s.pairs, s.respondents, s.questions)[0]


def task_with(answers: np.ndarray, sizes: tuple[int, ...], question: int) -> Task:
    """Return a task whose first 150 people are asked one question, learned from the others."""
    n = len(answers)
    return replace(
        task_of(),
        respondents=tuple(f"r{i:03d}" for i in range(n)),
        questions=tuple(f"q{i}" for i in range(len(sizes))),
        options=tuple(tuple("abcdefgh"[:size]) for size in sizes),
        answers=answers.astype(np.int64),
        reference=np.arange(n) >= 150,
        attributes=np.zeros((n, 0)),
        rows=np.arange(150),
        columns=np.full(150, question),
        roles=np.full(150, "test", dtype=object),
        scenarios=np.full(150, "known", dtype=object),
        weights=np.ones(n),
        traits=np.zeros((n, 0), dtype=np.int64),
        trait_names=(),
        trait_values=(),
        common=(),
    )


@pytest.mark.filterwarnings("error")
def test_more_options_than_people_are_no_warning() -> None:
    task = task_of()
    rng = np.random.default_rng(1)
    answers = task.answers.copy()
    answers[:, 0] = np.where(answers[:, 0] == HIDDEN, HIDDEN, rng.integers(90, size=len(answers)))
    many = replace(
        task,
        answers=answers,
        options=(tuple(f"o{i}" for i in range(90)), *task.options[1:]),
        reference=task.reference & (np.arange(len(answers)) < 100),
    )
    assert np.isfinite(boosting.boosted_answers(many, 1)).all()


def test_a_question_is_told_alike_whatever_else_is_predicted() -> None:
    task = task_of()
    everything = boosting.boosted_answers(task, 3)
    pairs = np.flatnonzero(task.columns == 2)
    alone = replace(
        task,
        rows=task.rows[pairs],
        columns=task.columns[pairs],
        roles=task.roles[pairs],
        scenarios=task.scenarios[pairs],
    )
    np.testing.assert_array_equal(
        boosting.boosted_answers(alone, 3)[:, : len(task.options[2])],
        everything[pairs, : len(task.options[2])],
    )


def test_who_was_not_asked_is_told_from_who_was() -> None:
    """A question that only some are asked says as much by being left out as by its answer."""
    rng = np.random.default_rng(2)
    n = 600
    asked = rng.random(n) < 0.5
    answers = rng.integers(2, size=(n, 4))
    answers[:, 3] = np.where(asked, 1, rng.integers(2, size=n) * 2)
    answers[~asked, 0] = HIDDEN
    truth = answers[:150, 3].copy()
    answers[:150, 3] = HIDDEN
    made = task_with(answers, (2, 2, 2, 3), 3)
    p = boosting.boosted_answers(made, 1)
    right = p[np.arange(150), truth]
    assert right[asked[:150]].min() > 0.9
    assert right.mean() > 0.7
    assert logistic_answers(made, 1)[np.arange(150), truth].mean() < right.mean()


def test_places_tell_as_much_in_any_order() -> None:
    """Eight regions by the alphabet, every other of which leans to the one side."""
    rng = np.random.default_rng(3)
    region = rng.integers(8, size=900)
    vote = (rng.random(900) < np.where(region % 2 == 0, 0.85, 0.15)).astype(np.int64)
    truth = vote[:150].copy()
    vote[:150] = HIDDEN
    by_side = np.array([0, 4, 1, 5, 2, 6, 3, 7])

    def right(codes: np.ndarray) -> float:
        p = boosting.boosted_answers(task_with(np.stack([codes, vote], axis=1), (8, 2), 1), 1)
        return float(p[np.arange(150), truth].mean())

    assert right(region) == pytest.approx(right(by_side[region]), abs=0.01)


def changed(task: Task, question: int) -> Task:
    """Return a task in which the first person who is learned from answers a question otherwise."""
    answers = task.answers.copy()
    one = np.flatnonzero(task.reference & (answers[:, question] != HIDDEN))[0]
    answers[one, question] = 0 if answers[one, question] else 1
    return replace(task, answers=answers)


def test_trees_of_what_has_not_changed_are_taken_from_an_earlier_state(monkeypatch) -> None:
    # With two that tell a question few look at the one that changes.
    monkeypatch.setattr(boosting, "TOLD_BY", 2)
    task = task_of(items=12)
    boosted = boosting.boosted_answers
    before = states.fit(boosted, task, 1)
    other = changed(task, 0)
    anew = states.fit(boosted, other, 1)
    again = states.fit(boosted, other, 1, before)
    assert states.to_bytes(again) == states.to_bytes(anew)
    same = (before["made_of"] == anew["made_of"]).all(axis=1)
    assert 0 < same.sum() < len(same)
    # What is taken is the earlier one's, and only that.
    nothing = {**before, "value": np.zeros_like(before["value"])}
    mixed = states.fit(boosted, other, 1, nothing)
    scores = np.where(anew["options"] == 2, 1, anew["options"])
    of = np.repeat(same, anew["trees"] * scores * 2**DEPTH)
    assert not mixed["value"][of].any()
    assert np.array_equal(mixed["value"][~of], anew["value"][~of])


def test_a_state_of_other_inputs_gives_nothing() -> None:
    task = task_of()
    boosted = boosting.boosted_answers
    anew = states.to_bytes(states.fit(boosted, task, 2))
    assert states.to_bytes(states.fit(boosted, task, 2, states.fit(boosted, task, 1))) == anew
    assert states.to_bytes(states.fit(boosted, task, 2, {})) == anew
