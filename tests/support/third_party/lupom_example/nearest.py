"""A predictor: what the one most similar reference respondent answered."""

import numpy as np

from lupom.science.predictors.predictor import predictor
from lupom.science.predictors.task import Floats, Task


@predictor("Answer of the one reference respondent whose known answers agree most, and the shares")
def nearest_person(task: Task, seed: int = 0) -> Floats:
    """Return half the shares of all, and half on the nearest person's answer, (P, width)."""
    out = np.zeros((len(task.rows), task.width))
    agree = task.known @ task.known.T
    for question, pairs in task.by_question():
        learners, shares = task.learners(question), task.prior(question)
        nearest = agree[np.ix_(task.rows[pairs], learners)].argmax(axis=1)
        out[pairs, : len(shares)] = shares / 2
        out[pairs, task.answers[learners[nearest], question]] += 1 / 2
    return out
