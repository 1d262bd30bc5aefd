"""Which questions tell most of a question, by the tables of all pairs."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from lupom.science.predictors.task import Floats, Task


def told_by(task: Task, most: int) -> npt.NDArray[np.bool_]:
    """Return by which others each question is told most, (Q, Q), at most so many of each.

    By the likelihood ratio of the table of both (of those reference respondents who answered both),
    less half its degrees of freedom, which it is in the mean where they are independent: a
    question of many options does not seem to tell more by having more.
    """
    known = task.known[task.reference].astype(np.float32)
    # The tables of all pairs of questions, of those who answered both.
    tables = (known.T @ known).astype(np.float64)
    starts = task.offsets[:-1]

    def entropy(counts: Floats) -> Floats:
        return np.asarray(counts * np.log(np.maximum(counts, 1.0)))

    margins = np.add.reduceat(tables, starts, axis=1)
    both = np.add.reduceat(margins, starts, axis=0)
    cells = np.add.reduceat(np.add.reduceat(entropy(tables), starts, axis=0), starts, axis=1)
    rows = np.add.reduceat(entropy(margins), starts, axis=0)
    free = np.diff(task.offsets) - 1.0
    tells = cells - rows - rows.T + entropy(both) - np.outer(free, free) / 2
    np.fill_diagonal(tells, -np.inf)
    out = np.zeros(tells.shape, dtype=bool)
    best = np.argsort(-tells, axis=1, kind="stable")[:, : min(most, len(tells) - 1)]
    np.put_along_axis(out, best, True, axis=1)
    return out
