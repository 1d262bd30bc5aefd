"""Reported values as evidence of true ones: how often reports are wrong, and what is then true.

The model: true values x follow the network; a reported value y_j equals x_j with probability
1 - e_j and is any of the other r - 1 values with e_j / (r - 1). Neither is known, so tables and
error rates are estimated together by stochastic EM (Celeux and Diebolt 1985): each sweep draws
every true value given the present draws of its Markov blanket *and its report*, then estimates the
tables and the rates from what was drawn.

Exact inference is out of reach here, since no true value is known: it would sum over all cells of
a row at once. The sampler is a proper one, every cell being redrawn given the others with its
report as evidence; and what it returns are averages of conditional probabilities over sweeps
(Gelfand and Smith 1990), never a single draw.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from lupom.science.bayes.completion import fit_tables
from lupom.science.bayes.counting import Codes, Floats, Ints
from lupom.science.bayes.parameters import ConditionalTable
from lupom.science.bayes.parts import pick
from lupom.science.bayes.posterior import BLOCK_ROWS, Posterior
from lupom.science.bayes.scores import Score

# The error rate before any evidence, and how many reports that is worth: it keeps the rate of a
# dimension that nothing depends on, for which every rate is equally likely, from drifting.
_RATE, _WEIGHT = 0.1, 10.0
# Draws of the last sweeps that the tables are estimated from together.
_LAST = 5
# Sweeps before the averages begin.
_BURN = 10


def estimate(
    posterior: Posterior,
    codes: Codes,
    score: Score,
    noisy: NDArray[np.bool_],
    *,
    sweeps: int = 40,
    seed: int = 0,
) -> tuple[list[ConditionalTable], Floats]:
    """Estimate the tables of the true values and each dimension's share of wrong reports.

    Parameters
    ----------
    posterior : of the network of the reported values; its structure stays.
    codes : (n, d) reported codes, -1 where nothing was.
    score : whose prior the tables have.
    noisy : (d,) which dimensions' reports may be wrong; the others have rate 0.
    sweeps : of stochastic EM.
    seed : of the draws.

    Returns
    -------
    tables, and (d,) error rates.
    """
    d = codes.shape[1]
    rates = np.where(noisy, _RATE, 0.0)
    if not len(codes):
        return posterior.tables, rates
    edges = [(p, t.child) for t in posterior.tables for p in t.parents]
    cards = posterior.cardinalities
    rng = np.random.default_rng([seed, 2])
    state = _start(codes, cards, rng)
    kept: list[Codes] = []
    known = codes >= 0
    sums, counted = np.zeros(d), 0
    tables = posterior.tables
    for sweep in range(sweeps):
        wrong = np.zeros(d)
        for target, rows, p in _sweep(posterior, codes, state, rates, rng):
            own = np.take_along_axis(p, np.maximum(codes[rows, target], 0)[:, None], 1)[:, 0]
            wrong[target] += (1.0 - own)[known[rows, target]].sum()
        rates = (wrong + _RATE * _WEIGHT) / (known.sum(axis=0) + _WEIGHT)
        rates = np.where(noisy, rates, 0.0)
        if sweep >= sweeps // 2:
            sums, counted = sums + rates, counted + 1
        kept = [*kept, state.copy()][-_LAST:]
        tables, order = fit_tables(state, cards, edges, score)
        posterior = Posterior(tables, order)
    tables, _ = fit_tables(np.concatenate(kept), cards, edges, score, copies=len(kept))
    return tables, sums / max(counted, 1)


def believe(
    posterior: Posterior,
    codes: Codes,
    rates: Floats,
    *,
    sweeps: int = 40,
    seed: int = 0,
    first: int = 0,
) -> Iterator[tuple[int, Ints, Floats]]:
    """Yield the distribution of each true value given all reports of its row.

    Parameters
    ----------
    posterior : of the network of the true values.
    codes : (n, d) reported codes, -1 where nothing was.
    rates : (d,) share of wrong reports.
    sweeps : averaged, after 10 that are not. The error of a probability falls with their root.
    seed : of the draws.
    first : the number of the first block of rows, whose draws are its own.

    Yields
    ------
    target, rows and their (m, r) probabilities, as `Posterior.each`; all targets of a block first.
    """
    for block, start in enumerate(range(0, len(codes), BLOCK_ROWS), first):
        part = codes[start : start + BLOCK_ROWS]
        rng = np.random.default_rng([seed, 3, block])
        state = _start(part, posterior.cardinalities, rng)
        sums = [np.zeros((len(part), r)) for r in posterior.cardinalities]
        for sweep in range(_BURN + sweeps):
            for target, _, p in _sweep(posterior, part, state, rates, rng):
                if sweep >= _BURN:
                    sums[target] += p
        rows = np.arange(start, start + len(part))
        for target, total in enumerate(sums):
            yield target, rows, total / sweeps


def _start(codes: Codes, cardinalities: list[int], rng: np.random.Generator) -> Codes:
    """Return the reports, with what is missing drawn from the reports of others."""
    state = codes.copy()
    for j, r in enumerate(cardinalities):
        missing = np.flatnonzero(codes[:, j] < 0)
        given = codes[codes[:, j] >= 0, j]
        if len(missing):
            state[missing, j] = rng.choice(given if len(given) else np.arange(r), len(missing))
    return state


def _sweep(
    posterior: Posterior, codes: Codes, state: Codes, rates: Floats, rng: np.random.Generator
) -> Iterator[tuple[int, Ints, Floats]]:
    """Redraw every cell of `state` in place, and yield the probabilities it was drawn from."""
    n = len(codes)
    rows = np.arange(n)
    for target, r in enumerate(posterior.cardinalities):
        p = np.concatenate(
            [
                posterior.closed(state[i : i + BLOCK_ROWS], target, None)
                for i in range(0, n, BLOCK_ROWS)
            ]
        )
        rate = rates[target] if r > 1 else 0.0
        likelihood = np.full((n, r), rate / max(r - 1, 1))
        reported = np.flatnonzero(codes[:, target] >= 0)
        likelihood[reported, codes[reported, target]] = 1.0 - rate
        likelihood[codes[:, target] < 0] = 1.0
        p *= likelihood
        p /= p.sum(axis=1, keepdims=True)
        state[:, target] = pick(p, rng.random(n))
        yield target, rows, p
