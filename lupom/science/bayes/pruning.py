"""Edges tested for conditional independence, and removed where there is no dependence to see."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from lupom.science.bayes.counting import Codes, Configurations, Ints

Edge = tuple[int, int]
TESTS = ("chi2", "g")
# What an edge is tested given: the child's other parents, or nothing; 'none' tests no edge.
PRUNING = ("conditional", "marginal", "none")


@dataclass(frozen=True)
class EdgeTest:
    """The test of one edge.

    Attributes
    ----------
    edge : (parent, child).
    statistic : chi-square or G statistic, summed over the configurations of the other parents.
    degrees_of_freedom : of it; 0 where there is nothing to compare.
    p_value : probability of a statistic at least this large if child and parent were independent
        given the child's other parents (given nothing, for a marginal test); 1 where there are no
        degrees of freedom.
    n : available cases.
    """

    edge: Edge
    statistic: float
    degrees_of_freedom: int
    p_value: float
    n: int


def independence(
    codes: Codes,
    cardinalities: Sequence[int],
    x: int,
    y: int,
    given: Sequence[int] = (),
    *,
    test: str = "chi2",
) -> EdgeTest:
    """Test whether two dimensions are independent given others, on the cases known in all.

    Degrees of freedom are counted within each configuration of `given` from the values that occur
    in it, (values of x - 1)(values of y - 1), so that sparse tables are not overrated. There is no
    continuity correction.

    Parameters
    ----------
    codes : (n, d) checked code matrix, -1 where missing.
    x, y : the columns.
    given : columns to condition on.
    test : 'chi2' (Pearson) or 'g' (likelihood ratio).
    """
    # Here, since it takes .2 s to import, and what is fitted predicts without it.
    from scipy.special import chdtrc, xlogy

    if test not in TESTS:
        raise ValueError(f"unknown test {test!r}; known are {', '.join(TESTS)}")
    rows = codes[(codes[:, [x, y, *given]] >= 0).all(axis=1)]
    n = len(rows)
    if not n:
        return EdgeTest((x, y), 0.0, 0, 1.0, 0)
    rx, ry = int(cardinalities[x]), int(cardinalities[y])
    stratum, k = np.zeros(n, dtype=np.int64), 1
    if len(given):
        strata = Configurations([rows[:, g] for g in given], [int(cardinalities[g]) for g in given])
        stratum, k = strata.index, strata.count
    # Only cells that occur are numbered, so that a table of 1,000 x 1,000 values costs n.
    xs = Configurations([stratum, rows[:, x]], [k, rx])
    ys = Configurations([stratum, rows[:, y]], [k, ry])
    cells = Configurations([xs.index, ys.index], [xs.count, ys.count])
    first = _first(cells)
    observed = np.bincount(cells.index).astype(np.float64)
    of_x, of_y = np.bincount(xs.index)[xs.index[first]], np.bincount(ys.index)[ys.index[first]]
    expected = of_x * of_y / np.bincount(stratum)[stratum[first]]
    if test == "g":
        statistic = 2.0 * float((xlogy(observed, observed) - xlogy(observed, expected)).sum())
    else:
        # Empty cells add their expectation; all expectations sum to n.
        statistic = float(((observed - expected) ** 2 / expected).sum() + n - expected.sum())
    values_x = np.bincount(stratum[_first(xs)], minlength=k)
    values_y = np.bincount(stratum[_first(ys)], minlength=k)
    df = int(((values_x - 1) * (values_y - 1)).sum())
    statistic = max(statistic, 0.0)
    return EdgeTest((x, y), statistic, df, float(chdtrc(df, statistic)) if df else 1.0, n)


def _first(configurations: Configurations) -> Ints:
    """Return the first row of each configuration."""
    return np.unique(configurations.index, return_index=True)[1].astype(np.int64)


def edge_tests(
    codes: Codes,
    cardinalities: Sequence[int],
    edges: Iterable[Edge],
    *,
    test: str = "chi2",
    marginal: bool = False,
) -> dict[Edge, EdgeTest]:
    """Test each edge given the child's other parents, or given nothing."""
    wanted = sorted(set(edges))
    parents: dict[int, list[int]] = {}
    for parent, child in wanted:
        parents.setdefault(child, []).append(parent)
    return {
        (parent, child): independence(
            codes,
            cardinalities,
            parent,
            child,
            [] if marginal else [other for other in parents[child] if other != parent],
            test=test,
        )
        for parent, child in wanted
    }


def prune(
    codes: Codes,
    cardinalities: Sequence[int],
    edges: Iterable[Edge],
    *,
    alpha: float = 0.05,
    test: str = "chi2",
    correction: str = "none",
    marginal: bool = False,
    required: Iterable[Edge] = (),
) -> dict[Edge, EdgeTest]:
    """Remove edges that an independence test does not support; return the tests of those kept.

    The edge with the largest p-value above the level goes first and its child's other edges are
    tested anew, so that of two parents that say the same one stays. A marginal test does not depend
    on other edges: whatever it does not support goes, and two parents that say the same both stay.

    Parameters
    ----------
    codes : (n, d) checked code matrix, -1 where missing; each test uses its available cases.
    edges : (parent, child) pairs.
    alpha : level of the test.
    test : 'chi2' or 'g'.
    correction : 'none', or 'bonferroni' (alpha divided by the number of edges).
    marginal : whether parent and child are tested given nothing, as in the published system,
        instead of given the child's other parents.
    required : edges that stay whatever their test says.
    """
    if correction not in ("none", "bonferroni"):
        raise ValueError(f"unknown correction {correction!r}; known are none, bonferroni")
    if not 0 < alpha <= 1:
        raise ValueError(f"alpha must be above 0 and at most 1, got {alpha}")
    kept = edge_tests(codes, cardinalities, edges, test=test, marginal=marginal)
    level = alpha / max(len(kept), 1) if correction == "bonferroni" else alpha
    safe = set(required)
    if marginal:
        return {e: t for e, t in kept.items() if e in safe or t.p_value <= level}
    while True:
        weak = [t for e, t in kept.items() if e not in safe and not t.p_value <= level]
        if not weak:
            return kept
        # Of edges with one p-value, the first by parent and child goes.
        out = max(weak, key=lambda t: (t.p_value, -t.edge[0], -t.edge[1])).edge
        del kept[out]
        again = [edge for edge in kept if edge[1] == out[1]]
        kept.update(edge_tests(codes, cardinalities, again, test=test))
