"""Questions that are made of another one's answers: recodes, which nobody asks."""

from __future__ import annotations

import numpy as np

from lupom.science.predictors.task import (
    HIDDEN,
    Bools,
    Floats,
    Ints,
    Task,
    one_hot,
    one_hot_answers,
)

# People with both answers; fewer do not show that one is made of the other.
FEWEST = 50
# Of the people with the recode, so many have its source, or it could not be made of it.
COVERED = 0.9
# The chance that all agree where the two do not depend on each other, of all pairs together.
CHANCE = 1e-6


def recodes(task: Task, *, attributes: bool = False) -> list[str | None]:
    """Return what each question is a recode of, the name of a question or attribute, or None, (Q).

    A recode is a function of its source: whoever gave the source an answer has one and the same of
    the recode. It takes 50 people with both, two answers of each, nine in ten of the people with
    the recode having the source, and more agreement than chance makes once in a million surveys.
    Where each is a function of the other, the one that more people answered is the source, then the
    one whose name comes first; of a chain it is the finest.

    Parameters
    ----------
    attributes : whether attributes are sources too, as where they are known before any question.
    """
    codes, sizes = task.answers, np.diff(task.offsets)
    values = [one_hot_answers(codes, task.offsets)]
    names = list(task.questions)
    if attributes:
        names += task.trait_names
        codes = np.hstack([codes, task.traits])
        wide = [len(told) for told in task.trait_values]
        sizes = np.concatenate([sizes, np.array(wide, dtype=np.int64)])
        pairs = [(column, code) for column, count in enumerate(wide) for code in range(count)]
        values.append(one_hot(task.traits, pairs).astype(np.float32))
    ends = np.concatenate([[0], sizes.cumsum()])
    columns = np.hstack(values)
    counts = (columns.T @ columns).astype(np.float64)
    answered = (codes != HIDDEN).sum(axis=0)
    given = _each(np.diag(counts)[:, None] > 0, ends)[:, 0]
    pure = _each(_each((counts > 0).T, ends).T > 1, ends) == 0
    # The finest first; what is known before any question is no recode.
    asked = np.arange(len(names)) < len(task.questions)
    order = sorted(range(len(names)), key=lambda v: (asked[v], -given[v], -answered[v], names[v]))
    limit = float(np.log(CHANCE / max(len(names) ** 2, 1)))
    sources: list[int] = []
    found: list[str | None] = [None] * len(names)
    for place in order:
        own = slice(ends[place], ends[place + 1])
        for source in sources if asked[place] else ():
            part = counts[ends[source] : ends[source + 1], own]
            if pure[source, place] and _made_of(part, float(answered[place]), limit):
                found[place] = names[source]
                break
        else:
            sources.append(place)
    return found[: len(task.questions)]


def _each(columns: Bools, ends: Ints) -> Ints:
    """Return how many of each question's rows are true, (Q, ...)."""
    sums = np.concatenate([np.zeros((1, columns.shape[1]), np.int64), columns.cumsum(axis=0)])
    return np.asarray(sums[ends[1:]] - sums[ends[:-1]])


def _made_of(part: Floats, answered: float, limit: float) -> bool:
    """Tell whether people by source and recode, (options, options), show more than chance does."""
    n, shares = part.sum(), part.sum(axis=0)
    if n < max(FEWEST, COVERED * answered) or (shares > 0).sum() < 2:
        return False
    # By chance all of an option's people agree as often as the shares' powers sum to.
    logs = np.log(shares[shares > 0] / n)
    return float(np.logaddexp.reduce(part.sum(axis=1)[:, None] * logs, axis=1).sum()) < limit
