"""What the neighbours of a respondent answered."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True)
class Vote:
    """The neighbours' answers to one question; one entry per respondent.

    Attributes
    ----------
    counts : (n, r) neighbours who gave each answer.
    n : (n,) neighbours who answered.
    answer : (n,) the most common answer, -1 where nobody answered.
    share : (n,) its share of the n; NaN where nobody answered.
    """

    counts: NDArray[np.int64]
    n: NDArray[np.int64]
    answer: NDArray[np.int64]
    share: NDArray[np.float64]


def vote(neighbours: ArrayLike, answers: ArrayLike, cardinality: int) -> Vote:
    """Count the neighbours' answers to one question.

    Of equally common answers the one of the nearest neighbour is taken.

    Parameters
    ----------
    neighbours : (n, k) rows, nearest first, -1 for none; as `nearest` returns them.
    answers : (rows,) code of each respondent's answer, -1 where it is not known.
    cardinality : r, number of answers.
    """
    near = np.asarray(neighbours)
    n, k = near.shape
    given = np.append(np.asarray(answers), -1)[near]
    at, rank = np.nonzero(given >= 0)
    cell = at * cardinality + given[at, rank]
    counts = np.bincount(cell, minlength=n * cardinality).astype(np.int64)
    first = np.full(n * cardinality, k, dtype=np.int64)
    np.minimum.at(first, cell, rank)
    counts = counts.reshape(n, cardinality)
    order = counts * (k + 1) + (k - first.reshape(n, cardinality))
    total = counts.sum(axis=1)
    if not cardinality:
        none = np.full(n, -1, dtype=np.int64)
        return Vote(counts, total, none, np.full(n, np.nan))
    best = np.argmax(order, axis=1)
    most = counts[np.arange(n), best]
    share = np.divide(most, total, out=np.full(n, np.nan), where=total > 0)
    return Vote(counts, total, np.where(total > 0, best, -1), share)
