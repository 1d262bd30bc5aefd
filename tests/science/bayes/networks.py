"""Random networks to sample from, and the joint distribution of a small one by enumeration."""

from __future__ import annotations

import itertools

import numpy as np

from lupom.science.bayes.simulation import random_network, sample, with_gaps

__all__ = ["edges_of", "posterior_by_enumeration", "random_network", "sample", "with_gaps"]


def edges_of(network):
    """Return the (parent, child) pairs of a random network."""
    return sorted((p, child) for child, parents in enumerate(network[1]) for p in parents)


def posterior_by_enumeration(tables, row, target):
    """Return P(target | the other known cells of the row) by summing over the whole joint."""
    cards = [table.cardinality for table in tables]
    grid = np.array(list(itertools.product(*(range(c) for c in cards))))
    joint = np.ones(len(grid))
    for table in tables:
        joint *= table.likelihood({m: grid[:, m] for m in table.members})
    for other, value in enumerate(row):
        if other != target and value >= 0:
            joint = joint * (grid[:, other] == value)
    sums = np.bincount(grid[:, target], weights=joint, minlength=cards[target])
    return sums / sums.sum()
