"""How likely a lot asks so few people of those who gave an answer."""

from __future__ import annotations

from typing import Any

import numpy as np

from lupom.science.predictors.task import Floats, Ints

# The chance that by lot as few would be asked, of all options of all questions together.
CHANCE = 1e-3
# People of whom the same is known; fewer do not say what share of them can be asked. And people who
# were not asked; fewer do not say whether a lot decided it.
FEWEST = 20


def so_few(were: Any, count: Any, asked: Any, people: Any) -> Floats:
    """Return the chance that a lot asks so few of some people, or fewer (hypergeometric).

    Parameters
    ----------
    were, count : how many of them were asked, and how many they are. asked, people : the same of
        all with an answer in that place. A lot that asked as many is all that is compared with: of
        30 people, all 11 of one answer not asked and all 19 of the other asked is one chance in
        55 million, where with 11 people drawn anew it were one in 60,000.
    """
    # As scipy.stats has it, which takes a second to import.
    from scipy.special import gammaln

    def ways(n: Floats, k: Floats) -> Floats:
        some = (k >= 0) & (k <= n)
        n, k = np.where(some, n, 0.0), np.where(some, k, 0.0)
        log = gammaln(n + 1) - gammaln(k + 1) - gammaln(n - k + 1)
        return np.asarray(np.where(some, log, -np.inf))

    were, count, asked, people = (
        np.asarray(x, dtype=np.float64) for x in (were, count, asked, people)
    )
    chance = np.zeros(len(were))
    for number in range(int(were.max(initial=-1)) + 1):
        k = np.full(len(were), float(number))
        log = ways(count, k) + ways(people - count, asked - k) - ways(people, asked)
        chance += np.where(k <= were, np.exp(log), 0.0)
    return chance


def sums(columns: Any, owner: Ints, size: int | None = None) -> Floats:
    """Return the sums of a matrix's rows by their owner, (owners or `size`, columns)."""
    out = np.zeros((int(owner.max(initial=-1)) + 1 if size is None else size, columns.shape[1]))
    np.add.at(out, owner, columns)
    return out
