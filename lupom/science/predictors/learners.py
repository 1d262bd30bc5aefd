"""Predictors that learn one question at a time: majority, logistic regression."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from lupom.science.predictors import multinomial
from lupom.science.predictors.predictor import State, predictor
from lupom.science.predictors.task import HIDDEN, Floats, Ints, Task

# Hyperparameters were chosen by three-fold cross-validation among the reference respondents of the
# General Social Survey 2018 (29,000 answers; no test or tuning pair): log loss of the answers given
# demographics and other answers .700, .686, .700, .733 for C = .01, .03, .1, .3; given demographics
# alone .811, .804, .808 for C = .01, .03, .1.
LOGISTIC_C = 0.03


def _shares(task: Task, seed: int = 0) -> State:
    """Return each option's share among reference respondents by survey weight."""
    return {"shares": task.shares(weighted=True)}


@predictor("Most common answer, people counted by survey weight", answers=False, fit=_shares)
def majority(state: State, task: Task) -> Floats:
    """Return the share of each option among reference respondents, the same for everyone.

    Respondents count by survey weight; learners below do not, since they predict persons and no
    population. Shapes: (P, width), rows as the task's pairs; columns after a question's options
    are 0.
    """
    return _each(task, lambda question, people: _tiled(state, task, question, people))


def _on_attributes(task: Task, seed: int = 0) -> State:
    return _regressions(task, task.attributes, np.full(task.attributes.shape[1], HIDDEN))


@predictor("Logistic regression on the attributes", answers=False, fit=_on_attributes)
def logistic_demographics(state: State, task: Task) -> Floats:
    """Return probabilities by multinomial logistic regression on attributes, (P, width)."""
    return _by_regressions(state, task, task.attributes)


def _on_answers(task: Task, seed: int = 0) -> State:
    of_answers = task.owner
    of_attributes = np.full(task.attributes.shape[1], HIDDEN)
    return _regressions(task, task.features, np.concatenate([of_answers, of_attributes]))


@predictor("Logistic regression on the other answers and the attributes", fit=_on_answers)
def logistic_answers(state: State, task: Task) -> Floats:
    """Return probabilities by logistic regression on the other answers and attributes, (P, width).

    Answers and attributes come as 0 and 1 for each option and value. An answer that is not known,
    held-out ones included, is 0 in all of its question's options.
    """
    return _by_regressions(state, task, task.features)


def _regressions(task: Task, features: npt.NDArray[np.generic], own: Ints) -> State:
    learning = task.reference
    answers = np.full_like(task.answers[learning], HIDDEN)
    answers[:, task.wanted] = task.answers[learning][:, task.wanted]
    found = multinomial.fit(features[learning], answers, own, 1.0 / LOGISTIC_C)
    return {
        "question": found.question,
        "option": found.option,
        "weights": found.weights,
        "intercept": found.intercept,
        "shares": task.shares(),
        "learners": (task.answers[learning] != HIDDEN).sum(axis=0),
    }


def _by_regressions(state: State, task: Task, features: npt.NDArray[np.generic]) -> Floats:
    found = multinomial.Regressions(
        state["question"], state["option"], state["weights"], state["intercept"]
    )

    def predict(question: int, people: Ints) -> Floats:
        prior = _tiled(state, task, question, people)
        rows = found.of(question)
        # Nothing to tell apart, or nothing to tell by: the shares are all there is.
        if rows.start == rows.stop:
            return prior
        out = np.zeros_like(prior)
        out[:, found.option[rows]] = found.probabilities(question, features[people])
        # One answer's worth of the shares, so that no option is held to be impossible.
        learners = state["learners"][question]
        return np.asarray((out * learners + prior) / (learners + 1.0))

    return _each(task, predict)


def _tiled(state: State, task: Task, question: int, people: Ints) -> Floats:
    """Return a question's shares in a state for each of some people, (n, options)."""
    part = slice(int(task.offsets[question]), int(task.offsets[question + 1]))
    return np.tile(state["shares"][part], (len(people), 1))


def _each(task: Task, predict: Callable[[int, Ints], Floats]) -> Floats:
    """Put together what `predict` says of each question's pairs."""
    out = np.zeros((len(task.rows), task.width))
    for question, pairs in task.by_question():
        probabilities = predict(question, task.rows[pairs])
        out[pairs, : probabilities.shape[1]] = probabilities
    return out
