"""The autoencoder, the graded response model and the Gaussian: what each can tell."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from lupom.science.predictors.autoencoder import autoencoder_answers
from lupom.science.predictors.gaussians import gaussian_answers
from lupom.science.predictors.graded import graded_answers
from lupom.science.predictors.learners import logistic_answers, majority
from lupom.science.predictors.task import Floats, Task

MODELS = [autoencoder_answers, graded_answers, gaussian_answers]


def task_of(answers: np.ndarray, options: list[int], hidden: int, tested: int = 200) -> Task:
    """Return a task in which the first people's answers to one question are to be predicted."""
    n, questions = answers.shape
    known = answers.astype(np.int64).copy()
    known[:tested, hidden] = -1
    return Task(
        "s",
        tuple(f"r{i:04d}" for i in range(n)),
        tuple(f"q{j}" for j in range(questions)),
        tuple(tuple(f"o{k}" for k in range(size)) for size in options),
        known,
        np.arange(n) >= tested,
        np.zeros((n, 0)),
        np.arange(tested),
        np.full(tested, hidden),
        np.full(tested, "test", dtype=object),
        np.full(tested, "known", dtype=object),
        np.ones(n),
        np.zeros((n, 0), dtype=np.int64),
        (),
        (),
    )


def loss(p: Floats, truth: np.ndarray) -> float:
    return float(-np.log(p[np.arange(len(truth)), truth]).mean())


@pytest.fixture(scope="module")
def scale() -> tuple[Task, np.ndarray]:
    """Six questions on a scale of 0 to 10, which 150 people answered who have one trait."""
    rng = np.random.default_rng(3)
    trait = rng.normal(size=(350, 1)) * 2.0
    answers = np.clip(np.round(5 + trait + rng.normal(size=(350, 6))), 0, 10).astype(int)
    return task_of(answers, [11] * 6, hidden=5), answers[:200, 5]


def test_the_autoencoder_learns_what_no_sum_of_answers_tells():
    """Whether two people agree is the exclusive or of what they say."""
    rng = np.random.default_rng(1)
    answers = rng.integers(2, size=(900, 5))
    answers[:, 4] = answers[:, 0] ^ answers[:, 1]
    task, truth = task_of(answers, [2] * 5, hidden=4), answers[:200, 4]
    assert (autoencoder_answers(task, 1).argmax(axis=1) == truth).mean() > 0.9
    assert (logistic_answers(task, 1).argmax(axis=1) == truth).mean() < 0.65


def test_the_graded_response_model_knows_the_order_of_options(scale):
    task, truth = scale
    graded = graded_answers(task, 1)
    assert loss(graded, truth) < loss(logistic_answers(task, 1), truth)
    # One peak: probabilities rise to the likeliest option and fall after it.
    peak = graded.argmax(axis=1)
    steps = np.diff(graded, axis=1)
    rising = np.arange(10) < peak[:, None]
    wrong = np.where(rising, steps < -0.02, steps > 0.02)
    assert wrong.mean() < 0.05


@pytest.mark.parametrize("model", MODELS)
def test_each_tells_more_than_the_shares(model, scale):
    task, truth = scale
    p = model(task, 1)
    assert np.allclose(p.sum(axis=1), 1.0)
    assert loss(p, truth) < loss(majority(task, 1), truth)


@pytest.mark.parametrize("model", MODELS)
def test_the_seed_is_all_that_is_drawn_from(model, scale):
    task, _ = scale
    assert np.array_equal(model(task, 1), model(task, 1))


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("people", [0, 1, 5])
def test_few_people_or_none_are_no_error(model, people, scale):
    task, _ = scale
    few = replace(task, reference=np.arange(len(task.respondents)) >= 350 - people)
    p = model(few, 1)
    assert np.isfinite(p).all()
    assert np.allclose(p.sum(axis=1), 1.0)


@pytest.mark.parametrize("model", MODELS)
def test_a_question_of_one_option_is_no_error(model, scale):
    task, _ = scale
    first = np.where(task.answers[:, 0] < 0, -1, 0)
    task = replace(
        task,
        answers=np.column_stack([first, task.answers[:, 1:]]),
        options=(("o0",), *task.options[1:]),
    )
    assert np.isfinite(model(task, 1)).all()
