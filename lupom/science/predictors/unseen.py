"""Answers to a question that nobody is known to have answered."""

from __future__ import annotations

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
    out = np.zeros((len(task.rows), task.width))
    for question, pairs in task.by_question():
        prior = task.prior(question, weighted=not own)
        counts = np.tile(SHRINKAGE * prior, (len(pairs), 1))
        if own:
            given = task.answers[np.ix_(task.rows[pairs], task.alike(question))]
            for option in range(len(prior)):
                counts[:, option] += (given == option).sum(axis=1)
        out[pairs, : len(prior)] = counts / counts.sum(axis=1, keepdims=True)
    return out
