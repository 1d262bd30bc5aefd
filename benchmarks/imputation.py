"""Planned gaps filled by multiple imputation: do intervals hold, and how wide are they?

    python benchmarks/imputation.py [--draws 200] [--people 800] [--sets 10] [--forest 4]

People with all 25 answers of the General Social Survey are the population. So many of them are
drawn with replacement, again and again, each is asked two of four blocks (`design_blocks`), and
what was not asked is imputed. Prints JSON, of 95 % intervals of all shares and all associations of
two questions (Fisher's z of the correlation of their first options):

    held             share of intervals that hold; of associations by how strong they are
    width            mean width against that of answers asked alone (of both questions)
    width_full       against that with everybody asked everything
    score            mean interval score against that of answers asked alone: an interval that
                     misses costs 40 times by how much
    predicted        what `design_blocks` and `design_associations` say of that
    miceforest       the same of as many draws as --forest says, where it is installed (pip install
                     miceforest 'lightgbm<4.6'), beside ours of the same draws
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from planning import gss  # type: ignore[import-not-found]

from lupom.science.blas import one_thread
from lupom.science.planning import blocks, imputation, rubin
from lupom.science.planning.moments import Cells, cells, fit
from lupom.science.planning.question_plan import answered
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
    held: dict[str, list[Bools]] = field(default_factory=dict)
    width: dict[str, list[Floats]] = field(default_factory=dict)
    score: dict[str, list[Floats]] = field(default_factory=dict)

    def add(self, what: str, low: Floats, high: Floats, truth: Floats) -> None:
        self.held.setdefault(what, []).append((low <= truth) & (truth <= high))
        self.width.setdefault(what, []).append(high - low)
        # Of an interval of 95 % (Gneiting and Raftery 2007, 6.2): its width, and 40 times by how
        # much it misses.
        missed = np.maximum(low - truth, 0) + np.maximum(truth - high, 0)
        self.score.setdefault(what, []).append(high - low + 40 * missed)


def imputed(people: Cells, sets: int, seed: int) -> list[Ints]:
    return list(imputation.draws(people, sets, seed=seed))


def forests(people: Cells, sets: int, seed: int) -> list[Ints]:
    """Return the sets that miceforest makes of the same answers and attributes."""
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
    kernel = miceforest.ImputationKernel(frame, num_datasets=sets, random_state=seed)
    kernel.mice(5, num_threads=1)
    return [
        kernel.complete_data(k)[[f"q{q}" for q in range(count)]].astype(int).to_numpy()
        for k in range(sets)
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=200)
    parser.add_argument("--people", type=int, default=800)
    parser.add_argument("--sets", type=int, default=10)
    parser.add_argument("--forest", type=int, default=4)
    given = parser.parse_args()
    task = answered(everyone(*gss())[0])
    everybody = cells(task)
    complete = np.flatnonzero((everybody.codes >= 0).all(axis=1))
    population = everybody.only(complete)
    offsets, n = population.offsets, given.people
    owner = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))
    score = blocks.scores(fit(population, seed=1))
    design = blocks.assign_blocks(score, 4, 2, seed=1)
    true = statistics(population.codes, offsets)
    fillers: dict[str, tuple[Filler, int]] = {"ours": (imputed, given.draws)}
    if given.forest and importlib.util.find_spec("miceforest"):
        fillers["miceforest"] = (forests, given.forest)
    tallies = {name: Tally() for name in (*fillers, "ours_of_these", "alone", "full")}
    seconds = dict.fromkeys(fillers, 0.0)
    rng = np.random.default_rng(1)
    i, j = np.triu_indices(population.codes.shape[1], 1)
    for draw in range(given.draws):
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
                half = 1.96 * np.sqrt(made[at + 1])
                tallies[kind].add(what, made[at] - half, made[at] + half, true[at])
        for name, (fill, most) in fillers.items():
            if draw >= most:
                continue
            began = time.process_time()
            with one_thread():
                found = [statistics(codes, offsets) for codes in fill(people, given.sets, draw)]
            seconds[name] += time.process_time() - began
            v = [np.array(part) for part in zip(*found, strict=True)]
            for what, value, spread, truth in (
                ("shares", v[0], v[1], true[0]),
                ("associations", v[2], v[3], true[2]),
            ):
                pooled = rubin.pool(value, spread, n - 1)
                tallies[name].add(what, pooled.low, pooled.high, truth)
                if name == "ours" and draw < given.forest:
                    tallies["ours_of_these"].add(what, pooled.low, pooled.high, truth)
    strength = np.abs(np.tanh(true[2]))
    left = blocks.association_efficiency(score, design.forms)[i, j]
    out: dict[str, Any] = {
        "people": n,
        "sets": given.sets,
        "predicted": {
            "shares": round(float((blocks.efficiency(score, design.forms) ** -0.5).mean()), 3),
            "associations": round(float((left**-0.5).mean()), 3),
        },
    }
    for name in (*fillers, "ours_of_these", "alone"):
        if name == "ours_of_these" and "miceforest" not in fillers:
            continue
        most = fillers[name][1] if name in fillers else len(tallies[name].held["shares"])
        out[name] = {"draws": most, **summary(tallies, name, most, strength)}
        if name in seconds:
            out[name]["cpu_seconds_a_set"] = round(seconds[name] / most / given.sets, 2)
    print(json.dumps(out, indent=2))


def summary(tallies: dict[str, Tally], name: str, most: int, strength: Floats) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for what in ("shares", "associations"):
        width = np.mean(tallies[name].width[what], axis=0)
        score, score_alone = (
            np.mean(tallies[k].score[what][:most], axis=0) for k in (name, "alone")
        )
        alone, full = (np.mean(tallies[k].width[what][:most], axis=0) for k in ("alone", "full"))
        held = np.mean(tallies[name].held[what], axis=0)
        out[what] = {
            "held": round(float(held.mean()), 3),
            "width": round(float((width / alone).mean()), 3),
            "width_full": round(float((width / full).mean()), 3),
            "score": round(float(score.mean() / score_alone.mean()), 3),
        }
        if what == "associations":
            for low, high in ((0.0, 0.1), (0.1, 0.3), (0.3, 1.0)):
                here = (strength >= low) & (strength < high)
                out[what][f"held_from_{low}"] = round(float(held[here].mean()), 3)
                ratio = score[here].mean() / score_alone[here].mean()
                out[what][f"score_from_{low}"] = round(float(ratio), 3)
    return out


if __name__ == "__main__":
    main()
