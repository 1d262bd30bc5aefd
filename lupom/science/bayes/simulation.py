"""Personas sampled from a known network and then spoilt: what refinement makes of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lupom.science.bayes.blocks import refine
from lupom.science.bayes.counting import MISSING, Codes, Floats
from lupom.science.bayes.network import PersonaNetwork

Known = tuple[list[int], list[list[int]], list[Floats]]

# What is compared: how the network sees missing values, and how it refines. All change mid and
# high dimensions only.
OPTIONS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "published, from low dimensions": (
        {"missing": "available"},
        {"reports": "facts", "min_probability": 0, "min_fill": 0, "evidence_levels": ("low",)},
    ),
    "published, from all others": (
        {"missing": "available"},
        {"reports": "facts", "min_probability": 0, "min_fill": 0},
    ),
    "the same, 3 iterations": (
        {"missing": "available"},
        {"reports": "facts", "min_probability": 0, "min_fill": 0, "iterations": 3},
    ),
    "facts": ({}, {"reports": "facts"}),
    "facts, available cases": ({"missing": "available"}, {"reports": "facts"}),
    "facts, unknown as a value": ({"missing": "value"}, {"reports": "facts"}),
    "facts, 3 iterations": ({}, {"reports": "facts", "iterations": 3}),
    "noisy (default)": ({}, {}),
}


def random_network(
    d: int, r: int, max_parents: int, seed: int, concentration: float = 0.4
) -> Known:
    """Return a random network: dimensions parents first, parents of each, and tables.

    Every dimension has r values and up to `max_parents` parents; each row of a table is drawn from
    a symmetric Dirichlet distribution. A table is (r ** parents, r), the last parent fastest.
    """
    rng = np.random.default_rng(seed)
    order = [int(i) for i in rng.permutation(d)]
    parents: list[list[int]] = [[] for _ in range(d)]
    for i, node in enumerate(order):
        k = min(i, int(rng.integers(0, max_parents + 1)))
        parents[node] = sorted(int(p) for p in rng.choice(order[:i], k, replace=False)) if k else []
    tables = [rng.dirichlet(np.full(r, concentration), size=r ** len(p)) for p in parents]
    return order, parents, tables


def sample(network: Known, n: int, seed: int) -> Codes:
    """Return (n, d) codes sampled from a network of `random_network`."""
    order, parents, tables = network
    r = tables[0].shape[1]
    rng = np.random.default_rng(seed)
    codes = np.zeros((n, len(order)), dtype=np.int32)
    for node in order:
        row = np.zeros(n, dtype=np.int64)
        for p in parents[node]:
            row = row * r + codes[:, p]
        below = rng.random(n)[:, None] > tables[node][row].cumsum(axis=1)
        codes[:, node] = np.minimum(below.sum(axis=1), r - 1)
    return codes


def with_gaps(codes: Codes, share: float, seed: int) -> Codes:
    """Return the codes with a share of the cells missing completely at random."""
    out = codes.copy()
    out[np.random.default_rng(seed).random(codes.shape) < share] = MISSING
    return out


def with_errors(codes: Codes, r: int, share: float, seed: int) -> Codes:
    """Return the codes with a share of the cells at another of the r values."""
    rng = np.random.default_rng(seed)
    wrong = rng.random(codes.shape) < share
    other = (codes + rng.integers(1, r, codes.shape)) % r
    return np.where(wrong, other, codes).astype(np.int32)


@dataclass(frozen=True)
class Outcome:
    """What one way of refining did, over the cells that may change.

    Shares; `low` and `high` bound the 95 % interval of `gain`, respondents being the units.

    Attributes
    ----------
    option : which way.
    n : respondents.
    wrong_before, wrong_after : of the reported values.
    gain : wrong_before - wrong_after.
    filled : of the removed values, how many were filled.
    filled_right : of those filled, how many rightly.
    right_before, right_after : of all cells, those with the true value.
    """

    option: str
    n: int
    wrong_before: float
    wrong_after: float
    gain: float
    low: float
    high: float
    filled: float
    filled_right: float
    right_before: float
    right_after: float


def study(
    n: int,
    *,
    d: int = 40,
    r: int = 4,
    wrong: float = 0.1,
    removed: float = 0.1,
    concentration: float = 0.4,
    networks: int = 2,
    seed: int = 0,
    options: Mapping[str, tuple[dict[str, Any], dict[str, Any]]] | None = None,
) -> Iterator[Outcome]:
    """Yield what each option makes of spoilt personas, over several random networks.

    Parameters
    ----------
    n : respondents of each network.
    d, r, concentration : see `random_network`; in-degree is at most 3. A third of the dimensions
        is low, mid and high each; low ones are spoilt as the others are, but not counted.
    wrong, removed : shares of values reported wrongly, and not at all.
    networks : how many.
    options : settings of `PersonaNetwork.fit` and of `refine` by name; `OPTIONS` when left out.
    """
    levels = ["low", "mid", "high"] * d
    mine: NDArray[np.bool_] = np.array([level != "low" for level in levels[:d]])
    runs = []
    for i in range(networks):
        known = random_network(d, r, 3, seed + i, concentration)
        truth = sample(known, n, seed + 100 + i)
        runs.append((truth, with_gaps(with_errors(truth, r, wrong, seed + 200 + i), removed, i)))
    for name, (fit, refining) in (OPTIONS if options is None else options).items():
        parts = []
        for truth, given in runs:
            network = PersonaNetwork.fit(given, [r] * d, None, levels[:d], max_parents=4, **fit)
            after = refine(network, given, **refining).codes
            parts.append((truth[:, mine], given[:, mine], after[:, mine]))
        yield _outcome(name, n, *(np.concatenate(arrays) for arrays in zip(*parts, strict=True)))


def _outcome(option: str, n: int, truth: Codes, before: Codes, after: Codes) -> Outcome:
    reported = before >= 0
    # One number per respondent: errors fixed less errors made, per reported value.
    fixed = ((before != truth).astype(int) - (after != truth).astype(int)) * reported
    gains = fixed.sum(axis=1) / max(float(reported.sum(axis=1).mean()), 1.0)
    gain = float(gains.mean())
    half = 1.96 * float(gains.std(ddof=1)) / np.sqrt(len(gains)) if len(gains) > 1 else np.inf
    filled = ~reported & (after >= 0)
    wrong = float((before != truth)[reported].mean())
    return Outcome(
        option,
        n,
        wrong,
        wrong - gain,
        gain,
        gain - half,
        gain + half,
        float(filled.sum() / max(int((~reported).sum()), 1)),
        float((after == truth)[filled].mean()) if filled.any() else float("nan"),
        float((before == truth).mean()),
        float((after == truth).mean()),
    )


def as_rows(outcomes: Iterator[Outcome]) -> list[dict[str, Any]]:
    """Return outcomes as plain rows, rounded to four digits."""
    return [
        {k: round(v, 4) if isinstance(v, float) else v for k, v in asdict(outcome).items()}
        for outcome in outcomes
    ]
