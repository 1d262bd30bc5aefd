"""Values kept, replaced where the rest of the persona speaks against them, and filled."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from lupom.science.bayes.counting import MISSING, Codes, Floats, Ints
from lupom.science.bayes.reports import believe

if TYPE_CHECKING:
    from lupom.science.bayes.network import PersonaNetwork

LEVELS = ("high", "mid", "low")
REPORTS = ("noisy", "facts")
# What a replacement takes when nothing is asked for; see docs/network.md for the figures.
_MIN_PROBABILITY = {"noisy": 0.5, "facts": 0.9}
_MIN_FILL = 0.5
Threshold = float | Mapping[str, float] | None


@dataclass(frozen=True)
class Settings:
    """How personas are refined.

    A value is replaced by the most probable one when that has at least `min_probability`; an
    unknown value is filled when it has at least `min_fill`. Of equally probable values the raw one
    stays, then the first counts.

    Parameters
    ----------
    levels : the levels whose dimensions may change; the others keep their values, and have their
        probability told.
    reports : 'noisy': a reported value is evidence of the true one, wrong at a rate estimated for
        each dimension (`reports`). 'facts': the probability is that given the rest of the row
        alone, exact; the cell's own value is thrown away, as in the published system.
    min_probability : a number, or one by level; 0.5 for noisy and 0.9 for facts when left out. 0
        replaces wholesale, as the published system does with facts; above 1 never.
    min_fill : a number, or one by level; 0.5 when left out, 0 fills every unknown value, above 1
        none.
    evidence_levels : levels to predict from; all when left out, ('low',) as published. With
        'facts' only.
    iterations : how often parameters are estimated anew from the refined personas, and these
        refined again, as the published system does; 1 is a single pass. With 'facts' only, since
        noisy reports are iterated until the network and the error rates agree.
    sweeps : of the sampler that averages over the other cells' errors; with 'noisy' only.
    seed : of every draw.

    Raises
    ------
    ValueError : for unknown levels or reports, and settings that do not go together.
    """

    levels: Sequence[str] = ("mid", "high")
    reports: str = "noisy"
    min_probability: Threshold = None
    min_fill: Threshold = None
    evidence_levels: Sequence[str] | None = None
    iterations: int = 1
    sweeps: int = 40
    seed: int = 0
    thresholds: dict[str, tuple[float, float]] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if self.reports not in REPORTS:
            raise ValueError(f"unknown reports {self.reports!r}; known are {', '.join(REPORTS)}")
        asked = [*self.levels, *(self.evidence_levels or ())]
        for threshold in (self.min_probability, self.min_fill):
            asked += list(threshold) if isinstance(threshold, Mapping) else []
        for level in asked:
            if level not in LEVELS:
                raise ValueError(f"unknown level {level!r}; known are {', '.join(LEVELS)}")
        if self.iterations < 1 or self.sweeps < 1:
            raise ValueError("iterations and sweeps must be at least 1")
        if self.reports == "noisy":
            for name in ("evidence_levels", "iterations"):
                if getattr(self, name) not in (None, 1):
                    raise ValueError(f"{name} goes with reports='facts', not with 'noisy'")
        default = _MIN_PROBABILITY[self.reports]
        found = {
            level: (
                _threshold(self.min_probability, level, default),
                _threshold(self.min_fill, level, _MIN_FILL),
            )
            for level in LEVELS
        }
        object.__setattr__(self, "thresholds", found)


def _threshold(value: Threshold, level: str, default: float) -> float:
    if isinstance(value, Mapping):
        return float(value.get(level, default))
    return default if value is None else float(value)


@dataclass(frozen=True)
class Refinement:
    """What a network says of every cell; all arrays are (respondents, dimensions).

    Attributes
    ----------
    codes : refined values, -1 where none is known.
    probability : of the refined value; NaN where there is none.
    raw_probability : of the value as it was reported; NaN where there is none.
    entropy : of the distribution of the cell, in nats.
    changed : where the refined value is not the raw one.
    error_rates : (d,) estimated share of wrong reports; NaN where it was not estimated.
    """

    codes: Codes
    probability: Floats
    raw_probability: Floats
    entropy: Floats
    changed: NDArray[np.bool_]
    error_rates: Floats


def one_pass(
    network: PersonaNetwork, codes: Codes, raw: Codes, settings: Settings, *, first: int = 0
) -> Refinement:
    """Refine codes once, by what a network says of them.

    Parameters
    ----------
    codes, raw : (n, d) present and reported codes; equal at first.
    first : the number of the first block, of `posterior.BLOCK_ROWS` rows, where these are not all.
    """
    # Here, since it takes .2 s to import, and what is fitted predicts without it.
    from scipy.special import xlogy

    refined = codes.copy()
    probability = np.full(codes.shape, np.nan)
    raw_probability = np.full(codes.shape, np.nan)
    entropy = np.zeros(codes.shape)
    for target, rows, p in _posteriors(network, codes, settings, first):
        level = network.levels[target]
        value = codes[rows, target]
        if level in settings.levels:
            value = _choose(p, value, *settings.thresholds[level])
        refined[rows, target] = value
        probability[rows, target] = _of(p, value)
        raw_probability[rows, target] = _of(p, raw[rows, target])
        entropy[rows, target] = -xlogy(p, p).sum(axis=1)
    rates = network.error_rates
    if rates is None:
        rates = np.full(codes.shape[1], np.nan)
    return Refinement(refined, probability, raw_probability, np.abs(entropy), refined != raw, rates)


def _posteriors(
    network: PersonaNetwork, codes: Codes, settings: Settings, first: int
) -> Iterator[tuple[int, Ints, Floats]]:
    if settings.reports == "noisy":
        assert network.error_rates is not None
        yield from believe(
            network.engine,
            codes,
            network.error_rates,
            sweeps=settings.sweeps,
            seed=settings.seed,
            first=first,
        )
        return
    evidence = network.evidence(codes)
    if settings.evidence_levels is not None:
        hidden = [level not in settings.evidence_levels for level in network.levels]
        evidence[:, hidden] = MISSING
    for target, rows, p in network.engine.each(evidence, range(len(network.names))):
        if network.unknown[target]:
            p = p[:, : network.cardinalities[target]]
            p = p / p.sum(axis=1, keepdims=True)
        yield target, rows, p


def _of(p: Floats, value: Codes) -> Floats:
    chosen = np.take_along_axis(p, np.maximum(value, 0)[:, None], axis=1)[:, 0]
    return np.where(value >= 0, chosen, np.nan)


def _choose(p: Floats, raw: Codes, min_probability: float, min_fill: float) -> Codes:
    top = p.max(axis=1, keepdims=True)
    # Equal but for rounding counts as equal, so that the choice does not hang on the last bit.
    best = np.argmax(p >= top - 1e-12, axis=1).astype(np.int32)
    own = np.take_along_axis(p, np.maximum(raw, 0)[:, None], axis=1)[:, 0]
    known = raw >= 0
    keep = known & ((own >= top[:, 0] - 1e-12) | (top[:, 0] < min_probability))
    fill = known | (top[:, 0] >= min_fill)
    return np.where(keep, raw, np.where(fill, best, MISSING)).astype(np.int32)
