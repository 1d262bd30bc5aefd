"""Planned gaps in scales of 5 and of 11 steps: do associations hold, read as scales or as options?

    python benchmarks/imputation_scales.py [--draws 2] [--people 1500] [--sets 5] [--options]
    python benchmarks/imputation_scales.py --people 3000 --wide

A made-up population of 200,000 people with six traits, 25 questions from 0 to 10 and 45 of five
steps that each depend on one or two. People are drawn, each is asked two of four blocks, and the
rest is imputed. Prints a line for each kind of pair and strength of correlation: the share of 95 %
intervals that hold (Fisher's z, by Rubin's rules), by what the estimates are to be divided for the
truth (slope), their error and half-width. --options reads scales as unordered options,
--wide makes it 40 questions from 0 to 10 and 66 of five steps.
"""

from __future__ import annotations

import argparse
import sys
import time
from typing import Any

import numpy as np

from lupom.science.planning import imputation, rubin
from lupom.science.planning.moments import Cells
from lupom.science.predictors.task import Bools, Floats, Ints

STEPS = np.array([11] * 40 + [5] * 66) if "--wide" in sys.argv else np.array([11] * 25 + [5] * 45)


def population(many: int = 200_000, seed: int = 7) -> Ints:
    rng = np.random.default_rng(seed)
    traits = rng.normal(size=(many, 6))
    out = []
    for steps in STEPS:
        load = np.zeros(6)
        load[rng.integers(6)] = rng.choice([-1, 1]) * rng.uniform(0.4, 0.85)
        load[rng.integers(6)] += rng.uniform(-0.3, 0.3)
        score = traits @ load + rng.normal(size=many) * np.sqrt(max(0.2, 1 - float(load @ load)))
        if steps == 11:
            out.append(np.clip(np.round(5 + rng.uniform(-1.5, 1.5) + 2.4 * score), 0, 10))
        else:
            out.append(np.digitize(score, np.sort(rng.uniform(-1.6, 1.6, 4))))
    return np.array(out, dtype=np.int64).T


def correlations(codes: Ints) -> tuple[Floats, Floats]:
    """Return correlations and their variances, by the influence function."""
    x = codes - codes.mean(axis=0)
    x = x / x.std(axis=0)
    r = x.T @ x / len(x)
    squares = x**2
    spread = [
        (x[:, [i]] * x - r[i] * (squares[:, [i]] + squares) / 2).var(axis=0)
        for i in range(x.shape[1])
    ]
    return r, np.array(spread) / (len(x) - 1)


def asked(rng: np.random.Generator, people: int) -> Bools:
    block = rng.permutation(np.arange(len(STEPS)) % 4)
    forms = np.array([(a, b) for a in range(4) for b in range(a)])[np.arange(people) % 6]
    return np.asarray((block == forms[:, [0]]) | (block == forms[:, [1]]))


def drawn(everybody: Ints, given: Any, seed: int) -> tuple[Any, float]:
    """Return pooled correlations of one draw of people, and seconds of CPU a set."""
    rng = np.random.default_rng(seed)
    people = everybody[rng.choice(len(everybody), given.people, replace=False)]
    codes = np.where(asked(rng, given.people), people, -1)
    ends = np.concatenate([[0], np.cumsum(STEPS)])
    values = np.zeros((given.people, int(ends[-1])), dtype=np.float32)
    row, column = np.nonzero(codes >= 0)
    values[row, ends[column] + codes[row, column]] = 1
    cells = Cells(codes, values, np.ones(given.people), ends)
    scales = None if given.options else [np.arange(steps, dtype=float) for steps in STEPS]
    began = time.process_time()
    found = list(imputation.draws(cells, given.sets, seed=seed, scales=scales))
    took = (time.process_time() - began) / given.sets
    pairs = np.triu_indices(len(STEPS), 1)
    each = [tuple(part[pairs] for part in correlations(one)) for one in found]
    z = np.array([np.arctanh(r) for r, _ in each])
    variances = np.array([v / (1 - r**2) ** 2 for r, v in each])
    return rubin.pool(z, variances, given.people - 1), took


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--draws", type=int, default=2)
    parser.add_argument("--people", type=int, default=1500)
    parser.add_argument("--sets", type=int, default=5)
    parser.add_argument("--options", action="store_true")
    parser.add_argument("--wide", action="store_true")
    given = parser.parse_args()
    everybody = population()
    pairs = np.triu_indices(len(STEPS), 1)
    truth = np.asarray(np.corrcoef(everybody.T))[pairs]
    draws = [drawn(everybody, given, 1 + seed) for seed in range(given.draws)]
    print(f"{np.mean([took for _, took in draws]):.1f} s of CPU a set")
    fine = (STEPS == 5).astype(int)
    kind = fine[pairs[0]] + fine[pairs[1]]
    for number, name in enumerate(("11 and 11 steps", "11 and 5 steps", "5 and 5 steps")):
        for least, most in ((0, 0.1), (0.1, 0.3), (0.3, 1)):
            own = (kind == number) & (np.abs(truth) >= least) & (np.abs(truth) < most)
            z, true = np.arctanh(truth[own]), truth[own]
            held = [((one.low[own] <= z) & (z <= one.high[own])).mean() for one, _ in draws]
            found = np.array([np.tanh(one.value[own]) for one, _ in draws])
            slope = (found.mean(axis=0) @ true) / (true @ true)
            error = np.sqrt(np.square(found - true).mean())
            half = np.mean([(one.high - one.value)[own].mean() for one, _ in draws])
            print(
                f"{name}, {least} to {most}: {np.mean(held):.3f} hold, slope {slope:.2f},"
                f" error {error:.3f}, half-width {half:.3f}"
            )


if __name__ == "__main__":
    main()
