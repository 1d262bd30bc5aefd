"""The shares of each option among those who have a demographic attribute in common."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.special import gammaln

from lupom.science.predictors.predictor import predictor
from lupom.science.predictors.task import HIDDEN, Floats, Ints, Task

# The shares of all, as so many answers, are added to those of a group.
SHRINKAGE = 10.0


@predictor("Most common answer within a group of people", answers=False)
def majority_group(task: Task, seed: int = 0, *, attributes: Sequence[str] = ()) -> Floats:
    """Return the shares of options among reference respondents of the same group, (P, width).

    Respondents count by survey weight. Ten answers at the shares of all are added to a group's.

    Parameters
    ----------
    attributes : which make a group, by combination of values, blank being one. When left out, the
        one attribute is taken whose groups tell most of the known answers of reference respondents:
        that with the largest Dirichlet-multinomial marginal likelihood over all questions.

    Raises
    ------
    ValueError : for an attribute no respondent has.
    """
    for name in attributes:
        if name not in task.trait_names:
            raise ValueError(
                f"{task.survey}: no respondent has the attribute {name!r}; "
                f"known are {', '.join(task.trait_names)}"
            )
    columns = [task.trait_names.index(name) for name in attributes] or _telling(task)
    out = np.zeros((len(task.rows), task.width))
    group = np.zeros(len(task.respondents), dtype=np.int64)
    if columns:
        _, group = np.unique(task.traits[:, columns], axis=0, return_inverse=True)
        group = group.reshape(-1)
    for question, pairs in task.by_question():
        prior = task.prior(question, weighted=True)
        counts = _counts(task, question, group, weighted=True) + SHRINKAGE * prior
        shares = counts / counts.sum(axis=1, keepdims=True)
        out[pairs, : len(prior)] = shares[group[task.rows[pairs]]]
    return out


def _counts(task: Task, question: int, group: Ints, *, weighted: bool = False) -> Floats:
    """Return how many learners of each group gave each answer, (groups, options)."""
    learners = task.learners(question)
    width = len(task.options[question])
    groups = int(group.max(initial=0)) + 1
    cell = group[learners] * width + task.answers[learners, question]
    weights = task.weights[learners]
    if not weighted or weights.sum() <= 0:
        weights = np.ones(len(learners))
    scale = len(learners) / weights.sum() if len(learners) else 1.0
    counts = np.bincount(cell, weights=weights * scale, minlength=groups * width)
    return np.asarray(counts.reshape(groups, width))


def _telling(task: Task) -> list[int]:
    """Return the attribute whose groups tell most of the known answers, as a list of one."""
    best: list[int] = []
    most = -np.inf
    for column in range(task.traits.shape[1]):
        group = task.traits[:, column] - HIDDEN
        evidence = 0.0
        for question in np.flatnonzero(task.answered):
            alpha = SHRINKAGE * task.prior(int(question))
            counts = _counts(task, int(question), group)
            evidence += float(
                (gammaln(counts + alpha) - gammaln(alpha)).sum()
                - (gammaln(counts.sum(axis=1) + SHRINKAGE) - gammaln(SHRINKAGE)).sum()
            )
        if evidence > most:
            best, most = [column], evidence
    return best
