"""Planned gaps filled by multiple imputation: do intervals hold, and how wide are they?

    python benchmarks/imputation.py [--draws 12] [--people 800] [--sets 10] [--forest 2]
                                    [--alone 600] [--first 0] [--keep FOLDER]

As it comes it takes a minute of CPU, and three more where miceforest is installed. With --keep each
draw's intervals are kept in a folder, so that a longer one (--draws 60 --sets 20) goes on where it
was ended.

People with all 25 answers of the General Social Survey are the population. So many of them are
drawn with replacement, again and again, each is asked two of four blocks (`design_blocks`), and
what was not asked is imputed. Prints JSON, of 95 % intervals of all shares and all associations of
two questions (Fisher's z of the correlation of their first options):

    held         share of intervals that hold. Those of one draw hold or fail together, most of all
                 those of strong associations (16 of 20 are of six questions of one scale): from 12
                 draws the share is known to .04, from 60 to .018. Intervals of answers asked alone
                 cost next to nothing and are of 600 draws.
    expected     what would hold in the long run: the share here, and by how much those asked alone
                 hold less often in these draws than in all
    width        mean width against that of answers asked alone (of both questions)
    width_full   against that with everybody asked everything
    score        mean interval score (Gneiting and Raftery 2007: the width, and 40 times by how much
                 an interval misses) against that of answers asked alone
    factor       by what intervals must be multiplied for 95 % to hold; below 1 they hold more often
                 than they promise
    width_95     the width once both are multiplied so
    predicted    what `design_blocks` and `design_associations` say of the width
    miceforest   the same of as many draws as --forest says, where it is installed (pip install
                 miceforest 'lightgbm<4.6'), and under it what ours of the same draws are of theirs

Each is of shares, of associations, and of those by how strong they are; brackets are 95 % intervals
by a paired bootstrap of the draws. `well told` are shares of the questions that others tell most
of, a quarter of them.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from planning import gss  # type: ignore[import-not-found]

from lupom.science.blas import one_thread
from lupom.science.planning import designs, imputation, rubin
from lupom.science.planning.moments import Cells, cells, fit
from lupom.science.planning.questionnaire import answered
from lupom.science.predictors.task import Bools, Floats, Ints, everyone

Filler = Callable[[Cells, int, int], list[Ints]]


def statistics(codes: Ints, offsets: Ints) -> tuple[Floats, Floats, Floats, Floats]:
    """Return shares and their variances, and z of associations and their variances."""
    told = np.zeros((len(codes), int(offsets[-1])))
    told[np.arange(len(codes))[:, None], offsets[:-1] + codes] = 1.0
    share = told.mean(axis=0)
    first = told[:, offsets[:-1]]
    spread = np.maximum(first.std(axis=0), 1e-6)
    z = (first - first.mean(axis=0)) / spread
    i, j = np.triu_indices(codes.shape[1], 1)
    r = np.clip((z[:, i] * z[:, j]).mean(axis=0), -0.99, 0.99)
    parts = z[:, i] * z[:, j] - r * (z[:, i] ** 2 + z[:, j] ** 2) / 2
    n = len(codes) - 1
    return share, share * (1 - share) / n, np.arctanh(r), parts.var(axis=0) / n / (1 - r**2) ** 2


def asked_alone(codes: Ints, offsets: Ints) -> tuple[Floats, Floats, Floats, Floats]:
    """Return what `statistics` does, of those who were asked (both questions); -1 is not asked."""
    there = codes >= 0
    count, owner = there.sum(axis=0), np.repeat(np.arange(codes.shape[1]), np.diff(offsets))
    told = np.zeros((len(codes), int(offsets[-1])))
    row, column = np.nonzero(there)
    told[row, offsets[column] + codes[row, column]] = 1.0
    share = told.sum(axis=0) / count[owner]
    i, j = np.triu_indices(codes.shape[1], 1)
    both = (there[:, i] & there[:, j]).astype(float)
    n = both.sum(axis=0)
    x, y = told[:, offsets[:-1][i]], told[:, offsets[:-1][j]]
    parts = []
    for one in (x, y):
        mean = (one * both).sum(axis=0) / n
        spread = np.sqrt(np.maximum(mean * (1 - mean), 1e-12))
        parts.append((one - mean) / spread * both)
    r = np.clip((parts[0] * parts[1]).sum(axis=0) / n, -0.99, 0.99)
    pull = parts[0] * parts[1] - r * (parts[0] ** 2 + parts[1] ** 2) / 2
    variance = (pull**2).sum(axis=0) / n / (n - 1) / (1 - r**2) ** 2
    return share, share * (1 - share) / (count[owner] - 1), np.arctanh(r), variance


@dataclass
class Tally:
    """Values and half-widths of intervals, a row for each draw."""

    value: dict[str, list[Floats]] = field(default_factory=dict)
    half: dict[str, list[Floats]] = field(default_factory=dict)

    def add(self, what: str, value: Floats, half: Floats) -> None:
        self.value.setdefault(what, []).append(value)
        self.half.setdefault(what, []).append(half)

    def errors(self, what: str, truth: Floats, draws: int) -> tuple[Floats, Floats]:
        """Return by how much values are wrong, and half-widths, (draws, estimates)."""
        return np.abs(np.array(self.value[what][:draws]) - truth), np.array(self.half[what][:draws])


Errors = tuple[Floats, Floats]


def held(errors: Errors) -> float:
    return float((errors[0] <= errors[1]).mean())


def held_between(errors: Errors, rng: np.random.Generator) -> list[float]:
    """Return the share that holds, and its 95 % interval by a bootstrap of the draws."""
    share = (errors[0] <= errors[1]).mean(axis=1)
    again = share[rng.integers(0, len(share), (1000, len(share)))].mean(axis=1)
    return [round(float(x), 3) for x in (share.mean(), *np.quantile(again, [0.025, 0.975]))]


def score(errors: Errors) -> float:
    # Of an interval of 95 % (Gneiting and Raftery 2007, 6.2).
    return float((2 * errors[1] + 40 * np.maximum(errors[0] - errors[1], 0)).mean())


def factor(errors: Errors) -> float:
    return float(np.quantile(errors[0] / np.maximum(errors[1], 1e-12), 0.95))


def width(errors: Errors, other: Errors) -> float:
    return float((errors[1].mean(axis=0) / other[1].mean(axis=0)).mean())


def against(ours: Errors, other: Errors, rng: np.random.Generator) -> dict[str, list[float]]:
    """Return what ours is of another's, with intervals: the draws are drawn again, 1,000 times."""
    measures: dict[str, Callable[[Errors, Errors], float]] = {
        "width": width,
        "score": lambda a, b: score(a) / score(b),
        "factor": lambda a, _: factor(a),
        "width_95": lambda a, b: width(a, b) * factor(a) / factor(b),
    }
    draws = len(ours[0])
    lots = [rng.integers(0, draws, draws) for _ in range(1000 if draws > 1 else 0)]
    out = {}
    for name, measure in measures.items():
        again = [measure((ours[0][k], ours[1][k]), (other[0][k], other[1][k])) for k in lots]
        ends = list(np.quantile(again, [0.025, 0.975])) if lots else []
        out[name] = [round(float(x), 3) for x in (measure(ours, other), *ends)]
    return out


def imputed(people: Cells, sets: int, seed: int) -> list[Ints]:
    return list(imputation.draws(people, sets, seed=seed))


def forests(people: Cells, sets: int, seed: int) -> list[Ints]:
    """Return the sets that miceforest makes of the same answers and attributes."""
    import warnings

    import miceforest
    import pandas as pd

    count = people.codes.shape[1]
    frame = pd.DataFrame(
        {
            f"q{q}": pd.Categorical(np.where(people.codes[:, q] < 0, np.nan, people.codes[:, q]))
            for q in range(count)
        }
    )
    attributes = people.values[:, int(people.offsets[-1]) :]
    for column in range(attributes.shape[1]):
        frame[f"a{column}"] = attributes[:, column]
    # Of its own way to add columns to a frame, hundreds of times.
    warnings.simplefilter("ignore", pd.errors.PerformanceWarning)
    kernel = miceforest.ImputationKernel(frame, num_datasets=sets, random_state=seed)
    kernel.mice(5, num_threads=1)
    return [
        kernel.complete_data(k)[[f"q{q}" for q in range(count)]].astype(int).to_numpy()
        for k in range(sets)
    ]


def pooled(sets: list[Ints], offsets: Ints) -> dict[str, Floats]:
    """Return shares and associations of imputed sets together, and half-widths."""
    found = [statistics(codes, offsets) for codes in sets]
    v = [np.array(part) for part in zip(*found, strict=True)]
    out: dict[str, Floats] = {}
    for what, at in (("shares", 0), ("associations", 2)):
        one = rubin.pool(v[at], v[at + 1], len(sets[0]) - 1)
        out |= {what: one.value, f"{what}_half": one.high - one.value}
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=12)
    parser.add_argument("--people", type=int, default=800)
    parser.add_argument("--sets", type=int, default=10)
    parser.add_argument("--forest", type=int, default=2)
    parser.add_argument("--alone", type=int, default=600)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--keep", type=Path)
    given = parser.parse_args()
    task = answered(everyone(*gss())[0])
    everybody = cells(task)
    complete = np.flatnonzero((everybody.codes >= 0).all(axis=1))
    population = everybody.only(complete)
    offsets, n = population.offsets, given.people
    owner = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))
    contrasts = designs.scores(fit(population, seed=1))
    design = designs.assign_blocks(contrasts, 4, 2, seed=1)
    true = statistics(population.codes, offsets)
    fillers: dict[str, tuple[Filler, int]] = {"ours": (imputed, given.draws)}
    if given.forest and importlib.util.find_spec("miceforest"):
        fillers["miceforest"] = (forests, given.forest)
    tallies = {name: Tally() for name in (*fillers, "alone", "full")}
    seconds = dict.fromkeys(fillers, 0.0)
    i, j = np.triu_indices(population.codes.shape[1], 1)
    for draw in range(max(given.alone, given.draws, given.forest)):
        # Each draw has a number of its own, so that more of them can be made elsewhere.
        number = given.first + draw
        rng = np.random.default_rng([7, number])
        rows = rng.integers(0, len(complete), n)
        whole = population.only(rows)
        asked = design.forms[rng.permutation(n) % len(design.forms)]
        values = whole.values.copy()
        values[:, : int(offsets[-1])] *= asked[:, owner]
        people = Cells(np.where(asked, whole.codes, -1), values, whole.weights, offsets)
        for kind, made in (
            ("full", statistics(whole.codes, offsets)),
            ("alone", asked_alone(people.codes, offsets)),
        ):
            for what, at in (("shares", 0), ("associations", 2)):
                tallies[kind].add(what, made[at], 1.96 * np.sqrt(made[at + 1]))
        for name, (fill, most) in fillers.items():
            if draw >= most:
                continue
            file = given.keep and given.keep / f"{name}-{n}-{given.sets}-{number}.npz"
            if file and file.exists():
                kept = dict(np.load(file))
            else:
                began = time.process_time()
                with one_thread():
                    kept = pooled(fill(people, given.sets, number), offsets)
                kept["seconds"] = np.array(time.process_time() - began)
                if file:
                    file.parent.mkdir(parents=True, exist_ok=True)
                    np.savez(file, allow_pickle=False, **kept)
            seconds[name] += float(kept["seconds"])
            for what in ("shares", "associations"):
                tallies[name].add(what, kept[what], kept[f"{what}_half"])
            print(f"{name}: draw {draw + 1} of {most}", file=sys.stderr)
    rng = np.random.default_rng(1)
    # Widths against those asked alone, as they are predicted.
    shares = (designs.efficiency(contrasts, design.forms) / design.forms.mean(axis=0)) ** -0.5
    together = design.together[i, j]
    pairs = (designs.association_efficiency(contrasts, design.forms)[i, j] / together) ** -0.5
    strength = np.abs(np.tanh(true[2]))
    kinds: dict[str, tuple[str, Floats, Floats, Bools]] = {
        "shares": ("shares", true[0], shares[owner], owner >= 0),
        "well told": ("shares", true[0], shares[owner], shares[owner] < np.quantile(shares, 0.25)),
        "associations": ("associations", true[2], pairs, strength >= 0),
        "weaker than .1": ("associations", true[2], pairs, strength < 0.1),
        ".1 to .3": ("associations", true[2], pairs, (strength >= 0.1) & (strength < 0.3)),
        "stronger": ("associations", true[2], pairs, strength >= 0.3),
    }
    out: dict[str, Any] = {"people": n, "sets": given.sets}
    for name, (_, most) in fillers.items():
        out[name] = {
            "draws": most,
            "cpu_seconds_a_set": round(seconds[name] / most / given.sets, 2),
        }
    for kind, (what, truth, predicted, here) in kinds.items():

        def errors(name: str, most: int) -> Errors:
            wrong, half = tallies[name].errors(what, truth, most)  # noqa: B023
            return wrong[:, here], half[:, here]  # noqa: B023

        asked_only, full = errors("alone", given.alone), errors("full", given.alone)
        row: dict[str, Any] = {
            "estimates": int(here.sum()),
            "predicted": round(float(predicted[here].mean()), 3),
            "alone": {
                "held": held_between(asked_only, rng),
                "factor": round(factor(asked_only), 3),
            },
            "full": {"held": held_between(full, rng)},
        }
        for name, (_, most) in fillers.items():
            mine, other = errors(name, most), errors("alone", most)
            row[name] = {
                "held": held_between(mine, rng),
                "expected": round(held(mine) + held(asked_only) - held(other), 3),
                "width_full": round(width(mine, errors("full", most)), 3),
                **against(mine, other, rng),
            }
            if name == "miceforest":
                ours = errors("ours", most)
                row[name]["ours"] = {"held": round(held(ours), 3), **against(ours, mine, rng)}
        out[kind] = row
    print(json.dumps(out, indent=2))


if __name__ == "__main__":
    main()
