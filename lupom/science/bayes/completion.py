"""Structure and parameters where values are missing: structural EM over exact joint draws."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from lupom.science.bayes.counting import MISSING, Codes, Floats
from lupom.science.bayes.parameters import ConditionalTable
from lupom.science.bayes.parts import pick
from lupom.science.bayes.posterior import Posterior
from lupom.science.bayes.scores import Score
from lupom.science.bayes.search import Edge, Structure, search, topological_order

METHODS = ("em", "available", "nal", "value")
# Structural EM: passes at most, and completions averaged. With many respondents one completion is
# as good as three (2,000 x 30, 20 % missing: .947 of the skeleton either way), with few it is not
# (500: .844 and .885).
PASSES, COPIES, MANY = 4, 3, 2000
# Parameters: one pass from those of the available cases, averaged over five completions. More
# passes feed rare configurations on their own draws: held-out log-likelihood a respondent -24.9
# with one pass, -25.3 with four, -25.0 with available cases alone (2,000 x 30, 20 % missing).
TABLE_PASSES, TABLE_COPIES = 1, 5


def fit_tables(
    codes: Codes,
    cardinalities: Sequence[int],
    edges: Iterable[Edge],
    score: Score,
    *,
    copies: int = 1,
) -> tuple[list[ConditionalTable], list[int]]:
    """Return the conditional tables of a structure, and its dimensions parents first.

    Raises
    ------
    ValueError : when the edges form a cycle.
    """
    d = codes.shape[1]
    matrix = np.zeros((d, d), dtype=bool)
    for parent, child in edges:
        matrix[parent, child] = True
    order = topological_order(matrix)
    if order is None:
        raise ValueError("the edges form a cycle")
    tables = [
        ConditionalTable.fit(
            codes,
            cardinalities,
            child,
            [int(p) for p in np.flatnonzero(matrix[:, child])],
            score,
            copies=copies,
        )
        for child in range(d)
    ]
    return tables, order


def draw(posterior: Posterior, codes: Codes, uniforms: Floats) -> Codes:
    """Fill what is missing with one draw from its joint posterior given the rest of the row.

    Exact, by the chain rule: each missing cell is drawn given what is known and what was drawn
    before it, of the parts that the known cells of a row leave at one time (`Posterior.fill`).

    Parameters
    ----------
    posterior : of the network.
    codes : (n, d) checked code matrix, -1 where missing.
    uniforms : (n, d) numbers in [0, 1) that decide the draws.
    """
    out = codes.copy()
    order = np.argsort((codes < 0).sum(axis=0), kind="stable")
    rank = np.argsort(order).tolist()
    left = np.flatnonzero((out < 0).any(axis=1))
    while len(left):
        part = out[left]
        whole = posterior.fill(part, uniforms[left], rank)
        # Of a part that is too large, the first cell alone; then it may fall into smaller ones.
        first = np.argmax((part < 0)[:, order], axis=1)
        for place in np.unique(first[~whole]):
            target, rows = int(order[place]), np.flatnonzero(~whole & (first == place))
            for _, some, p in posterior.each(part[rows], [target]):
                at = rows[some]
                part[at, target] = pick(p, uniforms[left[at], target])
        out[left] = part
        left = left[~whole]
        left = left[(out[left] < 0).any(axis=1)]
    return out


def complete(posterior: Posterior, codes: Codes, *, copies: int, seed: int) -> Codes:
    """Return `copies` completions of the codes, one below the other; see `draw`.

    The same seed uses the same uniform numbers, so that passes of EM differ by their network only.
    """
    drawn = [np.random.default_rng([seed, copy]).random(codes.shape) for copy in range(copies)]
    # At one time: what a row's known cells leave is the same in all of them.
    return draw(posterior, np.concatenate([codes] * copies), np.concatenate(drawn))


def _copies(codes: Codes) -> int:
    return COPIES if len(codes) < MANY else 1


def structural_em(
    codes: Codes,
    cardinalities: Sequence[int],
    score: Score,
    settings: Mapping[str, Any],
    *,
    copies: int | None = None,
    passes: int = PASSES,
    seed: int = 0,
) -> Structure:
    """Find a structure by structural EM (Friedman 1997, 1998) over draws of what is missing.

    Starts from the structure of the available cases. Each pass draws completions from the exact
    joint posterior under the present network, and searches anew on their averaged counts, from
    the present structure; it ends when a pass changes nothing.

    Parameters
    ----------
    codes : (n, d) checked code matrix, -1 where missing.
    settings : of `search`.
    copies : completions that are averaged; 3 below 2,000 respondents and 1 from there.
    passes : at most.
    seed : of the draws.
    """
    copies = _copies(codes) if copies is None else copies
    found = search(codes, cardinalities, score, **settings)
    if not (codes < 0).any() or not len(codes):
        return found
    filled, times = codes, 1
    for _ in range(passes):
        tables, order = fit_tables(filled, cardinalities, found.edges, score, copies=times)
        filled = complete(Posterior(tables, order), codes, copies=copies, seed=seed)
        times = copies
        again = search(filled, cardinalities, score, **settings, start=found.edges, copies=copies)
        same = again.edges == found.edges
        found = again
        if same:
            break
    return found


def em_tables(
    codes: Codes,
    cardinalities: Sequence[int],
    edges: Iterable[Edge],
    score: Score,
    *,
    copies: int = TABLE_COPIES,
    passes: int = TABLE_PASSES,
    seed: int = 0,
) -> tuple[list[ConditionalTable], list[int], Codes]:
    """Estimate the parameters of a known structure by EM over draws of what is missing.

    Returns
    -------
    tables, dimensions parents first, and the completions of the last pass.
    """
    pairs = sorted(set(edges))
    tables, order = fit_tables(codes, cardinalities, pairs, score)
    filled = np.concatenate([codes] * copies)
    if (codes < 0).any():
        for _ in range(passes):
            filled = complete(Posterior(tables, order), codes, copies=copies, seed=seed)
            tables, order = fit_tables(filled, cardinalities, pairs, score, copies=copies)
    return tables, order, filled


def as_value(codes: Codes, cardinalities: Sequence[int]) -> tuple[Codes, list[int], list[bool]]:
    """Make unknown a value of each dimension where it occurs.

    Returns
    -------
    codes without missing cells, cardinalities with the value more, which dimensions have it.
    """
    unknown = [bool(gap) for gap in (codes == MISSING).any(axis=0)]
    cards = [int(c) + u for c, u in zip(cardinalities, unknown, strict=True)]
    last = np.asarray(cardinalities, dtype=np.int32)
    return np.where(codes < 0, last, codes).astype(np.int32), cards, unknown
