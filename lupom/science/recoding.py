"""Which variables are made of another one's values: recodes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

# People with both values; fewer do not show that one is made of the other.
FEWEST = 50
# Of the people with the recode, so many have its source, or it could not be made of it.
COVERED = 0.9
# The chance that all agree where the two do not depend on each other, of all pairs together.
CHANCE = 1e-6


def sources(codes: Ints, sizes: Ints, asked: Bools, names: Sequence[str]) -> list[int | None]:
    """Return of what each variable is a recode, by number, or None, (V).

    A recode is a function of its source: whoever has a value of the source has one and the same of
    the recode. It takes 50 people with both, two values of each, nine in ten of the people with the
    recode having the source, and more agreement than chance makes once in a million surveys. Where
    each is a function of the other, the one that more people have is the source, then the one whose
    name comes first; of a chain it is the finest.

    Parameters
    ----------
    codes : (n, V), values as numbers from 0, below 0 where there is none.
    sizes : (V), how many values each has. asked : (V); what is not asked is known before any
        question, and no recode. names : (V).
    """
    ends = np.concatenate([[0], sizes.cumsum()])
    columns = np.zeros((len(codes), int(ends[-1])), dtype=np.float32)
    row, place = np.nonzero(codes >= 0)
    columns[row, ends[place] + codes[row, place]] = 1.0
    counts = (columns.T @ columns).astype(np.float64)
    answered = (codes >= 0).sum(axis=0)
    given = _each(np.diag(counts)[:, None] > 0, ends)[:, 0]
    pure = _each(_each((counts > 0).T, ends).T > 1, ends) == 0
    # The finest first; what is known before any question is no recode.
    order = sorted(range(len(names)), key=lambda v: (asked[v], -given[v], -answered[v], names[v]))
    limit = float(np.log(CHANCE / max(len(names) ** 2, 1)))
    kept: list[int] = []
    found: list[int | None] = [None] * len(names)
    for v in order:
        own = slice(ends[v], ends[v + 1])
        for source in kept if asked[v] else ():
            part = counts[ends[source] : ends[source + 1], own]
            if pure[source, v] and _made_of(part, float(answered[v]), limit):
                found[v] = source
                break
        else:
            kept.append(v)
    return found


def _each(columns: Bools, ends: Ints) -> Ints:
    """Return how many of each variable's rows are true, (V, ...)."""
    sums = np.concatenate([np.zeros((1, columns.shape[1]), np.int64), columns.cumsum(axis=0)])
    return np.asarray(sums[ends[1:]] - sums[ends[:-1]])


def _made_of(part: Floats, answered: float, limit: float) -> bool:
    """Tell whether people by source and recode, (values, values), show more than chance does."""
    n, shares = part.sum(), part.sum(axis=0)
    if n < max(FEWEST, COVERED * answered) or (shares > 0).sum() < 2:
        return False
    # By chance all of a value's people agree as often as the shares' powers sum to.
    logs = np.log(shares[shares > 0] / n)
    return float(np.logaddexp.reduce(part.sum(axis=1)[:, None] * logs, axis=1).sum()) < limit
