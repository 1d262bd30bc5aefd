"""Predictions of surveys of few people, pulled to the shares as far as cross-validation says."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from lupom.science.predictors.learners import majority
from lupom.science.predictors.predictor import Predictor, State, checked
from lupom.science.predictors.task import HIDDEN, Floats, Ints, Task

# With so many reference respondents every predictor that ships has a lower log loss than the
# shares, on six surveys; with 30 and 100 some were up to .4 above them.
ENOUGH = 300
# Of fewer nothing can be learned of what a predictor is worth: the shares are all there is.
FEWEST = 6
# More folds leave more people to learn from, which tells when there are few.
FEW, FOLDS_OF_FEW, FOLDS = 100, 6, 3
# The share of the answers of a fold's people that are hidden and predicted.
HIDE = 0.3
TRIED = np.linspace(0.0, 1.0, 11)
# A share is as good as the best if its loss is within so many standard errors of it; the smallest
# such is taken. By the best alone, predictors of 30 people are up to .017 above the majority in the
# mean of three draws; with one standard error half of what they gain elsewhere is lost.
ERRORS = 0.5

# What is added to a state.
_SHARE, _SHARES = "shrinkage.share", "shrinkage.shares"


def fit(function: Callable[..., Floats], task: Task, seed: int = 0) -> float:
    """Return how far a predictor counts beside the shares on a task, 0 to 1.

    Reference respondents fall into folds; of each fold some known answers are hidden and predicted
    by what is learned of the others. The smallest share is taken whose log loss of all these
    answers is about the least, in steps of a tenth (the rule of Breiman et al. 1984, 3.4.3, with
    half a standard error).

    Parameters
    ----------
    function : a Task and a seed to probabilities (P, width).
    task : what is known of reference respondents counts, and nothing else of it.

    With 300 reference respondents or more it is 1, with fewer than 6 it is 0.
    """
    people = np.flatnonzero(task.reference)
    if len(people) >= ENOUGH:
        return 1.0
    losses = []
    for part, truth in _folds(task, people, seed) if len(people) >= FEWEST else ():
        p, shares, rows = function(part, seed), majority(part, seed), np.arange(len(truth))
        told = [blended(p, shares, float(share))[rows, truth] for share in TRIED]
        losses.append(-np.log(np.maximum(np.stack(told, axis=1), 1e-12)))
    if not losses:
        return 0.0
    loss = np.concatenate(losses)
    best = int(loss.mean(axis=0).argmin())
    behind = loss - loss[:, [best]]
    error = behind.std(axis=0) / np.sqrt(len(behind))
    return float(TRIED[np.flatnonzero(behind.mean(axis=0) <= ERRORS * error)[0]])


def blended(p: Floats, shares: Floats, share: float) -> Floats:
    """Return p^share times shares^(1 - share), divided by its sum; all (P, width)."""
    if share == 1.0:
        return p
    least = 1e-9
    logs = share * np.log(np.maximum(p, least)) + (1 - share) * np.log(np.maximum(shares, least))
    out = np.where(shares > 0, np.exp(logs), 0.0)
    return np.asarray(out / out.sum(axis=1, keepdims=True))


def _folds(task: Task, people: Ints, seed: int) -> Iterator[tuple[Task, Ints]]:
    """Yield a task for each fold, and the answers to its pairs."""
    rng = np.random.default_rng(seed)
    folds = FOLDS_OF_FEW if len(people) <= FEW else FOLDS
    filters = [question for question, those in enumerate(task.follow_ups) if those]
    fold = rng.permutation(len(people)) % folds
    for number in range(folds):
        held = people[fold == number]
        learned = task.reference.copy()
        learned[held] = False
        told = task.answers[held] != HIDDEN
        hidden = told & (rng.random(told.shape) < HIDE)
        # What hangs on a filter is known here, and each layer of filters would be a fit more.
        hidden[:, filters] = False
        # Somebody of whom nothing is known any more would be another case.
        hidden[(told == hidden).all(axis=1)] = False
        asked = (task.answers[learned] != HIDDEN).any(axis=0)
        row, column = np.nonzero(hidden & asked)
        if not len(row):
            continue
        answers = task.answers.copy()
        answers[held] = np.where(hidden, HIDDEN, answers[held])
        rows = held[row]
        part = replace(
            task,
            answers=answers,
            reference=learned,
            rows=rows,
            columns=column.astype(np.int64),
            roles=np.full(len(rows), "tuning", dtype=object),
            scenarios=np.full(len(rows), "known", dtype=object),
        )
        yield part, task.answers[rows, column]


def shrunk(predictor: Predictor, name: str = "") -> Predictor:
    """Return a predictor whose probabilities are blended as far as `fit` says.

    Its states hold what the shares and the predictor count, where there are too few people for the
    predictor to count whole. The name is for errors of what gives no probabilities.
    """
    learn, apply = predictor.fit, predictor.apply

    def function(task: Task, seed: int = 0, **options: Any) -> Floats:
        given = predictor.having(**options) if options else predictor
        p = checked(given.function(task, seed), task, name)
        return _beside_shares(p, task, _frame(given, task, seed))

    if learn is None or apply is None:
        return replace(predictor, function=function)

    def fitted(task: Task, seed: int = 0, *, before: State | None = None, **options: Any) -> State:
        given = predictor.having(**options) if options else predictor
        earlier = {} if before is None else {"before": before}
        return {**learn(task, seed, **earlier, **options), **_frame(given, task, seed)}

    def applied(state: State, task: Task) -> Floats:
        return _beside_shares(apply(state, task), task, state)

    return replace(predictor, function=function, fit=fitted, apply=applied)


def _frame(predictor: Predictor, task: Task, seed: int) -> dict[str, Any]:
    share = fit(predictor.function, task, seed)
    return {} if share == 1.0 else {_SHARE: share, _SHARES: task.shares(weighted=True)}


def _beside_shares(p: Floats, task: Task, state: Mapping[str, Any]) -> Floats:
    if _SHARE not in state:
        return p
    shares = np.zeros_like(p)
    for question, pairs in task.by_question():
        part = slice(int(task.offsets[question]), int(task.offsets[question + 1]))
        shares[pairs, : part.stop - part.start] = state[_SHARES][part]
    return blended(p, shares, float(state[_SHARE]))
