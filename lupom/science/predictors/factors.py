"""Item-based matrix factorisation of the known answers."""

from __future__ import annotations

import numpy as np

from lupom.science.predictors.predictor import State, predictor
from lupom.science.predictors.task import HIDDEN, Bools, Floats, Ints, Task

# Chosen on the tuning pairs of the General Social Survey 2018 (four draws of 1,000): log loss with
# 2, 3 and 4 factors .725, .711 and .719; with a ridge of respondents' factors of 4, 8, 16 and 32
# .717, .714, .711 and .711.
FACTORS = 3
RIDGE = 4.0
RIDGE_PEOPLE = 16.0
SWEEPS = 10
# An option's least probability: the sum of a share and a product is not bounded by 0 and 1.
LEAST = 0.03


def _fit(task: Task, seed: int = 0) -> State:
    shares = task.shares()
    of_question = task.owner
    told, there = _told(task, shares, task.answered, np.flatnonzero(task.reference))
    items = _start(told)
    for _ in range(SWEEPS):
        people = _people(told, there, items, task.offsets)
        items = _items(told, there, people, of_question)
    return {"items": items, "shares": shares, "answered": task.answered}


@predictor("Matrix factorisation of the answers, 3 factors", fit=_fit)
def factors_answers(state: State, task: Task) -> Floats:
    """Return probabilities by matrix factorisation of the known answers, (P, width).

    Each option is a column of 0 and 1 less its share; a question not answered is left out. Options
    have factors, learned from reference respondents by alternating ridge regressions (Koren, Bell
    and Volinsky 2009); a respondent's are those that explain their known answers. Share plus
    product, at least .03, is divided by its sum. Nothing is drawn: factors start from the leading
    eigenvectors.
    """
    out = np.zeros((len(task.rows), task.width))
    items, shares = state["items"], state["shares"]
    rows, place = np.unique(task.rows, return_inverse=True)
    people = _people(*_told(task, shares, state["answered"], rows), items, task.offsets)
    for question, pairs in task.by_question():
        part = slice(int(task.offsets[question]), int(task.offsets[question + 1]))
        values = np.maximum(shares[part] + people[place[pairs]] @ items[part].T, LEAST)
        out[pairs, : values.shape[1]] = values / values.sum(axis=1, keepdims=True)
    return out


def _told(task: Task, shares: Floats, answered: Bools, people: Ints) -> tuple[Floats, Floats]:
    """Return some people's answers less the shares, (n, options), and which there are, (n, Q)."""
    there = (task.answers[people] != HIDDEN) & answered
    of_option = np.repeat(there, np.diff(task.offsets), axis=1)
    return np.where(of_option, task.known[people] - shares, 0.0), there.astype(np.float64)


def _start(told: Floats) -> Floats:
    values, vectors = np.linalg.eigh(told.T @ told)
    rank = min(FACTORS, len(values))
    return np.asarray(vectors[:, ::-1][:, :rank])


def _people(told: Floats, there: Floats, items: Floats, offsets: Ints) -> Floats:
    """Return the factors of respondents given those of options, (n, factors)."""
    rank = items.shape[1]
    outer = items[:, :, None] * items[:, None, :]
    # Every question has options, so no part of the sum is empty.
    grams = np.add.reduceat(outer, offsets[:-1], axis=0)
    normal = (there @ grams.reshape(len(grams), -1)).reshape(-1, rank, rank)
    normal += RIDGE_PEOPLE * np.eye(rank)
    return np.asarray(np.linalg.solve(normal, (told @ items)[:, :, None])[:, :, 0])


def _items(told: Floats, there: Floats, people: Floats, of_question: Ints) -> Floats:
    """Return the factors of options given those of respondents, (options, factors)."""
    rank = people.shape[1]
    outer = (people[:, :, None] * people[:, None, :]).reshape(len(people), -1)
    normal = (there.T @ outer).reshape(-1, rank, rank) + RIDGE * np.eye(rank)
    right = told.T @ people
    return np.asarray(np.linalg.solve(normal[of_question], right[:, :, None])[:, :, 0])
