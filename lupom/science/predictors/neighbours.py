"""The vote of the reference respondents whose known answers agree most with a respondent's."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from lupom.science.predictors.predictor import State, predictor
from lupom.science.predictors.task import HIDDEN, Floats, Ints, Task, one_hot_answers

VOTERS = 40
# Agreement is the share of questions both answered on which both gave the same answer, with this
# many answers at even odds added, so that one question in common is not perfect agreement.
SHRINKAGE = 3.0
# Rows of the similarity matrix held at once: 256 x 100,000 respondents are 205 MB.
BLOCK = 256
# Of this many nearest people 40 mostly answered a question; where not, all are looked at.
NEAREST = 250


def _fit(task: Task, seed: int = 0) -> State:
    answers = task.answers[task.reference]
    # One number a cell, so that a survey of 5,000 people and 150 questions is 750 kB.
    kind = np.int8 if task.width < 128 else np.int32
    return {"answers": answers.astype(kind), "shares": task.shares()}


@predictor("Vote of the 40 people whose known answers agree most", fit=_fit)
def neighbours_answers(state: State, task: Task) -> Floats:
    """Return the shares of options among the 40 reference respondents nearest by answers.

    Only those count who answered the question; one answer at the shares of all is added to their
    vote. Equal agreement goes by respondent id. Shapes: (P, width), rows as the task's pairs.
    """
    given, shares = state["answers"], state["shares"]
    out = np.zeros((len(task.rows), task.width))
    people, place = np.unique(task.rows, return_inverse=True)
    reference_known = one_hot_answers(given, task.offsets).T
    reference_answered = (given != HIDDEN).T.astype(np.float32)
    known = one_hot_answers(task.answers[people], task.offsets)
    answered = (task.answers[people] != HIDDEN).astype(np.float32)
    # A later respondent of equal agreement is this much further away; agreements differ by more.
    tie = np.arange(len(given)) * 1e-12
    for start in range(0, len(people), BLOCK):
        block = slice(start, start + BLOCK)
        # What is to be predicted is hidden on this side, so the question itself never agrees.
        agreed = (known[block] @ reference_known).astype(np.float64)
        common = (answered[block] @ reference_answered).astype(np.float64)
        distance = tie - (agreed + SHRINKAGE / 2) / (common + SHRINKAGE)
        near = _nearest(distance, NEAREST)
        here = np.flatnonzero((place >= start) & (place < start + BLOCK))
        for question in np.unique(task.columns[here]):
            pairs = here[task.columns[here] == question]
            rows = place[pairs] - start
            answers = given[near[rows], question]
            voting = min(VOTERS, int((given[:, question] != HIDDEN).sum()))
            few = (answers != HIDDEN).sum(axis=1) < voting
            part = slice(int(task.offsets[question]), int(task.offsets[question + 1]))
            votes = _votes(answers, shares[part])
            if few.any():
                order = np.argsort(distance[rows[few]], axis=1)
                votes[few] = _votes(given[order, question], shares[part])
            out[pairs, : votes.shape[1]] = votes / votes.sum(axis=1, keepdims=True)
    return out


def _nearest(distance: Floats, k: int) -> Ints:
    """Return the k nearest of each row, in their order."""
    if distance.shape[1] <= k:
        return np.argsort(distance, axis=1)
    near = np.argpartition(distance, k - 1, axis=1)[:, :k]
    order = np.argsort(np.take_along_axis(distance, near, axis=1), axis=1)
    return np.asarray(np.take_along_axis(near, order, axis=1))


def _votes(answers: npt.NDArray[np.signedinteger[Any]], shares: Floats) -> Floats:
    """Return the votes for each option (n, K) of those who answered first, and the shares."""
    there = answers != HIDDEN
    voting = there & (np.cumsum(there, axis=1) <= VOTERS)
    votes = [((answers == option) & voting).sum(axis=1) for option in range(len(shares))]
    return np.stack(votes, axis=1) + shares
