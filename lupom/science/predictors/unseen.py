"""Answers to a question that nobody is known to have answered."""

from __future__ import annotations

from typing import Any

import numpy as np

from lupom.science.predictors.task import Floats, Task

# The shares of all, as so many answers, are added to a respondent's own.
SHRINKAGE = 8.0


def shares_alike(task: Task, *, own: bool) -> Floats:
    """Return the mean shares of questions with the same options, (P, width).

    Parameters
    ----------
    own : whether the respondent's own answers to those questions count, eight answers at the mean
        shares being added. Some people say "Too little" to whatever they are asked.

    Without such a question every option has the same probability.
    """
    return apply(fit(task), task, own=own)


def fit(task: Task) -> dict[str, Any]:
    """Return what there is to know of all questions: a state, see `predictor.Predictor`.

    Entries answered (Q), whether some reference respondent's answer is known; shares and weighted,
    both (sum of options), respondents counted alike and by survey weight.
    """
    return {
        "answered": task.answered,
        "shares": task.shares(),
        "weighted": task.shares(weighted=True),
    }


def apply(state: Any, task: Task, *, own: bool) -> Floats:
    """Return `shares_alike` of a task's pairs by what `fit` found."""
    out = np.zeros((len(task.rows), task.width))
    for question, pairs in task.by_question():
        part = slice(int(task.offsets[question]), int(task.offsets[question + 1]))
        prior = state["shares" if own else "weighted"][part]
        counts = np.tile(SHRINKAGE * prior, (len(pairs), 1))
        if own:
            alike = task.alike(question, state["answered"])
            given = task.answers[np.ix_(task.rows[pairs], alike)]
            for option in range(len(prior)):
                counts[:, option] += (given == option).sum(axis=1)
        out[pairs, : len(prior)] = counts / counts.sum(axis=1, keepdims=True)
    return out
