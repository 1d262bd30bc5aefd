"""Random networks to sample from, and the joint distribution of a small one by enumeration."""

from __future__ import annotations

import itertools

import numpy as np


def random_network(d, r, max_parents, seed, concentration=0.4):
    """Return (order, parents, tables) of a random network; every dimension has r values."""
    rng = np.random.default_rng(seed)
    order = rng.permutation(d)
    parents = [[] for _ in range(d)]
    for i, node in enumerate(order):
        k = min(i, int(rng.integers(0, max_parents + 1)))
        parents[node] = sorted(int(p) for p in rng.choice(order[:i], k, replace=False)) if k else []
    tables = [rng.dirichlet(np.full(r, concentration), size=r ** len(p)) for p in parents]
    return order, parents, tables


def edges_of(network):
    """Return the (parent, child) pairs of a random network."""
    return sorted((p, child) for child, parents in enumerate(network[1]) for p in parents)


def sample(network, n, seed):
    """Return (n, d) codes sampled from a random network."""
    order, parents, tables = network
    r = tables[0].shape[1]
    rng = np.random.default_rng(seed)
    codes = np.zeros((n, len(order)), dtype=np.int32)
    for node in order:
        row = np.zeros(n, dtype=int)
        for p in parents[node]:
            row = row * r + codes[:, p]
        below = rng.random(n)[:, None] > tables[node][row].cumsum(axis=1)
        codes[:, node] = np.minimum(below.sum(axis=1), r - 1)
    return codes


def with_gaps(codes, share, seed):
    """Return the codes with a share of the cells missing completely at random."""
    out = codes.copy()
    out[np.random.default_rng(seed).random(codes.shape) < share] = -1
    return out


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
