"""Which weights the parts of a stack had on other surveys, where those of a new one are looked for.

A thousand tuning pairs say little of six weights: on the General Social Survey those fitted to
14,000 pairs are .003 nats better than those fitted to 1,000. So weights are pulled to the mean of
what 16 other surveys' pairs say (.0012 nats better in the mean of 18 surveys, each by the mean of
the others, than weights pulled to the best part or to all alike).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from lupom.science.predictors.pool import INFINITE, Shrinkage
from lupom.science.predictors.task import Floats

# Predictors that are no parts: beside the others they add nothing, wherever they were measured
# (docs/predictors.md). The majority costs .0004 nats on the General Social Survey, .002 of 30.
LEFT_OUT = frozenset(
    {
        *("majority", "majority_group", "logistic_demographics", "neighbours_answers"),
        *("factors_answers", "forest_answers"),
    }
)

# Means over the surveys of docs/predictors.md (without the General Social Survey and the survey on
# masculinity), of weights fitted to their 4,000 test and tuning pairs with a ridge of 20: of all
# their people, 471 to 5,914, and of 300 of them.
MANY = dict.fromkeys(LEFT_OUT, 0.0) | {
    "autoencoder_answers": 0.32,
    "boosted_answers": 0.34,
    "gaussian_answers": 0.08,
    "graded_answers": 0.08,
    "logistic_answers": 0.04,
    "network_answers": 0.16,
}
FEW = MANY | {
    "autoencoder_answers": 0.34,
    "boosted_answers": 0.14,
    "gaussian_answers": 0.07,
    "graded_answers": 0.27,
    "logistic_answers": 0.0,
    "network_answers": 0.19,
}

# With so many respondents who have tuning pairs MANY says more than FEW (half of a small survey's
# people have such pairs), and with so few neither does: of 100 people they cost .0007 nats in the
# mean of 14 surveys, of 300 they gain .0015.
MANY_PEOPLE, FEW_PEOPLE = 200, 75
# With fewer tuning pairs the best part is found by luck.
ENOUGH = 100

HELD = Shrinkage(INFINITE)

Candidates = list[tuple[Floats, Shrinkage]]


def alike(parts: int) -> Floats:
    """Return weights of which each part has the same, (M), 1 in all."""
    return np.full(parts, 1.0 / parts)


def centre(parts: Sequence[str], weights: Mapping[str, float]) -> Floats:
    """Return the weights to which those of some parts are pulled, (M).

    A part that was on no other survey has as much as if all were alike; the others share the rest
    as they do there.
    """
    known = np.array([weights.get(part, 0.0) for part in parts])
    new = np.array([part not in weights for part in parts])
    out = alike(len(parts))
    total = sum(weights.values())
    if known.sum() > 0:
        out[~new] = known[~new] * (total * (1.0 - new.mean()) / known.sum())
    return out


def candidates(parts: Sequence[str], pairs: int, people: int, scenario: str) -> Candidates:
    """Return what is tried on tuning pairs: centres (M), and how much weights are held to them.

    Parameters
    ----------
    parts : their names.
    pairs, people : how many tuning pairs there are, of how many respondents.
    scenario : weights elsewhere are those of 'known', where some answers of a person are known.
    """
    free, group = (Shrinkage(10.0), Shrinkage(100.0), HELD), Shrinkage(30.0, 100.0)
    if scenario == "known" and people >= FEW_PEOPLE:
        many, few = centre(parts, MANY), centre(parts, FEW)
        if people < MANY_PEOPLE:
            return [(few, s) for s in (*free, group)]
        return [*((many, s) for s in (*free, group)), (few, Shrinkage(100.0)), (few, HELD)]
    plain = (Shrinkage(10.0), Shrinkage(100.0), Shrinkage(10.0, 100.0))
    best = [replace(s, centre="best") for s in (*plain, HELD)]
    same = alike(len(parts))
    return [(same, s) for s in (*plain, *(best if pairs >= ENOUGH else ()))]


def held(parts: Sequence[str], pairs: int) -> Candidates:
    """Return what is tried where weights are not fitted: all the same, or the best part alone."""
    same = alike(len(parts))
    best = [(same, replace(HELD, centre="best"))] if pairs >= ENOUGH else []
    return [(same, HELD), *best]
