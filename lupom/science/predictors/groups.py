"""The shares of each option among those who have a demographic attribute in common."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lupom.science.predictors.predictor import State, predictor
from lupom.science.predictors.task import HIDDEN, Floats, Ints, Task

# The shares of all, as so many answers, are added to those of a group.
SHRINKAGE = 10.0


def _fit(task: Task, seed: int = 0, *, attributes: Sequence[str] = ()) -> State:
    for name in attributes:
        if name not in task.trait_names:
            raise ValueError(
                f"{task.survey}: no respondent has the attribute {name!r}; "
                f"known are {', '.join(task.trait_names)}"
            )
    columns = [task.trait_names.index(name) for name in attributes] or _telling(task)
    groups, group = _grouped(task.traits[:, columns])
    shares = task.shares(weighted=True)
    counts = _counts(task, group, len(groups), weighted=True) + SHRINKAGE * shares
    return {
        "traits": columns,
        "groups": groups,
        "shares": shares,
        "group_shares": counts / _totals(task, counts),
    }


@predictor("Most common answer within a group of people", answers=False, fit=_fit)
def majority_group(state: State, task: Task) -> Floats:
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
    out = np.zeros((len(task.rows), task.width))
    # A group that nobody was in has the shares of all: the last row.
    shares = np.vstack([state["group_shares"], state["shares"]])
    groups = [*map(tuple, state["groups"].tolist())]
    place = {group: i for i, group in enumerate(groups)}
    found, group = _grouped(task.traits[:, state["traits"]])
    row = np.array([place.get(tuple(g), len(groups)) for g in found.tolist()], dtype=np.int64)
    for question, pairs in task.by_question():
        part = slice(int(task.offsets[question]), int(task.offsets[question + 1]))
        own = shares[row[group[task.rows[pairs]]], part]
        out[pairs, : own.shape[1]] = own
    return out


def _grouped(traits: Ints) -> tuple[Ints, Ints]:
    """Return the combinations of values there are, and everyone's place among them."""
    if not traits.shape[1]:
        return np.zeros((1, 0), dtype=np.int64), np.zeros(len(traits), dtype=np.int64)
    groups, group = np.unique(traits, axis=0, return_inverse=True)
    return groups, group.reshape(-1)


def _counts(task: Task, group: Ints, groups: int, *, weighted: bool = False) -> Floats:
    """Return how many learners of each group gave each answer, (groups, sum of options)."""
    learning = np.flatnonzero(task.reference)
    known = task.known[learning]
    member = np.zeros((groups, len(learning)))
    member[group[learning], np.arange(len(learning))] = 1.0
    counts = member @ known
    if not weighted:
        return np.asarray(counts)
    weights = task.weights[learning]
    heavy = (member * weights) @ known
    # A question's learners weigh 1 in the mean; where all weigh nothing they count alike.
    total, sizes = _totals(task, heavy.sum(axis=0)), _totals(task, counts.sum(axis=0))
    scale = np.divide(sizes, total, out=np.ones_like(total), where=total > 0)
    return np.where(total > 0, heavy * scale, counts)


def _totals(task: Task, counts: Floats) -> Floats:
    """Return the sum over a question's options in the place of each, shape as `counts`."""
    # Every question has options, so no part of the sum is empty.
    sums = np.add.reduceat(counts, task.offsets[:-1], axis=-1)
    return np.asarray(np.repeat(sums, np.diff(task.offsets), axis=-1))


def _telling(task: Task) -> list[int]:
    """Return the attribute whose groups tell most of the known answers, as a list of one."""
    # Where it is fitted: to predict by what was needs none of it, and it takes .2 s to import.
    from scipy.special import gammaln

    best: list[int] = []
    most = -np.inf
    first = task.offsets[:-1]
    told = np.repeat(task.answered, np.diff(task.offsets))
    alpha = SHRINKAGE * task.shares()
    for column, values in enumerate(task.trait_values):
        group = task.traits[:, column] - HIDDEN
        counts = _counts(task, group, len(values) + 1)
        given = (gammaln(counts + alpha) - gammaln(alpha)).sum(axis=0)
        sums = np.add.reduceat(counts, first, axis=1)
        among = (gammaln(sums + SHRINKAGE) - gammaln(SHRINKAGE)).sum(axis=0)
        evidence = float(given[told].sum() - among[task.answered].sum())
        if evidence > most:
            best, most = [column], evidence
    return best
