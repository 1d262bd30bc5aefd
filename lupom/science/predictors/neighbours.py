"""The vote of the reference respondents whose known answers agree most with a respondent's."""

from __future__ import annotations

import numpy as np

from lupom.science.predictors.predictor import predictor
from lupom.science.predictors.task import HIDDEN, Floats, Task

VOTERS = 40
# Agreement is the share of questions both answered on which both gave the same answer, with this
# many answers at even odds added, so that one question in common is not perfect agreement.
SHRINKAGE = 3.0
# Rows of the similarity matrix held at once: 256 x 100,000 respondents are 205 MB.
BLOCK = 256


@predictor("Vote of the 40 people whose known answers agree most")
def neighbours_answers(task: Task, seed: int = 0) -> Floats:
    """Return the shares of options among the 40 reference respondents nearest by answers.

    Only those count who answered the question; one answer at the shares of all is added to their
    vote. Equal agreement goes by respondent id. Shapes: (P, width), rows as the task's pairs.
    """
    out = np.zeros((len(task.rows), task.width))
    reference = np.flatnonzero(task.reference)
    if not len(reference):
        for question, pairs in task.by_question():
            out[pairs, : len(task.options[question])] = task.prior(question)
        return out
    order = np.argsort(task.rows, kind="stable")
    people, first = np.unique(task.rows[order], return_index=True)
    pairs_of = np.split(order, first[1:])
    answered = (task.answers != HIDDEN).astype(np.float32)
    known = task.known.astype(np.float32)
    reference_known, reference_answered = known[reference].T, answered[reference].T
    # A later respondent of equal agreement is this much further away; agreements differ by more.
    tie = np.arange(len(reference)) * 1e-12
    voters_of = {
        q: np.flatnonzero(answered[reference, q] > 0) for q in map(int, np.unique(task.columns))
    }
    priors = {question: task.prior(question) for question in voters_of}
    for start in range(0, len(people), BLOCK):
        block = people[start : start + BLOCK]
        # What is to be predicted is hidden on this side, so the question itself never agrees.
        agreed = (known[block] @ reference_known).astype(np.float64)
        common = (answered[block] @ reference_answered).astype(np.float64)
        distance = tie - (agreed + SHRINKAGE / 2) / (common + SHRINKAGE)
        for i in range(len(block)):
            for pair in pairs_of[start + i]:
                question = int(task.columns[pair])
                voters, prior = voters_of[question], priors[question]
                near = distance[i, voters]
                if len(near) > VOTERS:
                    voters = voters[np.argpartition(near, VOTERS - 1)[:VOTERS]]
                given = task.answers[reference[voters], question]
                votes = np.bincount(given, minlength=len(prior)) + prior
                out[pair, : len(prior)] = votes / votes.sum()
    return out
