"""Estimates from answers and predictions: do their intervals hold, and what are they worth?

    python benchmarks/estimates.py [--draws 400] [--humans 200] [--data FOLDER]

From a survey whose answers are known, as many people as it has are drawn with replacement, 200 of
them to answer and the others to be predicted only, again and again; each draw's 95 % intervals are
compared with what all answered. Prints JSON: by survey and method

    held              share of intervals that hold, of everybody
    groups_held       the same in groups of 100 people and a tenth of all: least, mean, most
    width, widest     mean width against the classical one; of the question where it is widest
    effective_sample  mean over questions of how many classical answers an answer is worth, by
                      variances and by squared errors

Predictions of gss_2018 and masculinity_2018 are a cross-fitted ridge regression on other answers,
those of twin_mega_study an LLM's. FOLDER holds the three; without it gss_2018 alone is read.
"""

from __future__ import annotations

import argparse
import csv
import json
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from lupom.science.estimates import crossfit, intervals, ppi
from lupom.science.estimates.design import Bools, Design, Floats
from lupom.science.estimates.ppi import Mean

ROOT = Path(__file__).resolve().parent.parent
FOLDS = 10
RAREST_VALUE = 5
LARGE_GROUP = 100
# Of which 20 are among the 200 who answer; estimates leave smaller groups out.
LEAST_SHARE = 0.1
EVERYBODY = "everybody"
# Question, answers (N, K), predictions (N, K), groups.
Known = tuple[str, Floats, Floats, dict[str, Bools]]
Rows = list[dict[str, str]]


def read(path: Path) -> Rows:
    with path.open(newline="", encoding="utf-8-sig") as file:
        return list(csv.DictReader(file))


def of_options(
    rows: Rows, questions: list[str], attributes: list[str], rng: np.random.Generator
) -> Iterator[Known]:
    groups: dict[str, Bools] = {}
    columns: list[Floats] = []
    owner: list[str] = []
    for name in attributes:
        values = np.array([row[name] or "" for row in rows])
        for value, count in zip(*np.unique(values, return_counts=True), strict=True):
            if count >= RAREST_VALUE:
                columns.append((values == value).astype(np.float64))
                owner.append("")
            if value and count >= max(LARGE_GROUP, LEAST_SHARE * len(rows)):
                groups[f"{name}: {value}"] = values == value
    coded = {}
    for name in questions:
        given = [row[name] or "" for row in rows]
        labels = sorted(set(given) - {""})
        told = np.array([[v == label for label in labels] for v in given], dtype=np.float64)
        answered = np.array([v != "" for v in given])
        coded[name] = told, answered
        columns += list(np.where(answered[:, None], told - told[answered].mean(axis=0), 0.0).T)
        owner += [name] * len(labels)
    table, of = np.array(columns).T, np.array(owner)
    fold = rng.integers(0, FOLDS, len(rows))
    for name in questions:
        told, answered = coded[name]
        spread = crossfit.crossed(table[:, of != name], told, answered, fold)
        spread = crossfit.as_shares(crossfit.bent(spread, told, answered, fold))
        kept = np.flatnonzero(answered)
        yield name, told[kept], spread[kept], {g: m[kept] for g, m in groups.items()}


def gss(folder: Path | None, rng: np.random.Generator) -> Iterator[Known]:
    here = folder / "gss_2018" if folder else ROOT / "seeds" / "gss_2018"
    name = "{}.csv" if (here / "info.csv").exists() else "gss_2018_{}.csv"
    rows = read(here / name.format("responses"))
    questions = [row["key"] for row in read(here / name.format("info"))]
    attributes = [row["key"] for row in read(here / name.format("metadata"))]
    yield from of_options(rows, questions, [a for a in attributes if a in rows[0]], rng)


def masculinity(folder: Path, rng: np.random.Generator) -> Iterator[Known]:
    # "NA" is of people who were not asked, and no option to be told from the others'.
    rows = [
        {name: "" if told in ("NA", "No answer") else told for name, told in row.items()}
        for row in read(folder / "masculinity_2018" / "raw-responses.csv")
    ]
    attributes = ["q0024", "q0026", "q0028", "q0029", "age3", "racethn4", "educ4", "kids"]
    attributes = [name for name in attributes if name in rows[0]]
    questions = [
        name
        for name in rows[0]
        if name.startswith("q")
        and name not in attributes
        and 2 <= len({row[name] for row in rows} - {""}) <= 8
        and sum(row[name] != "" for row in rows) >= 1000
    ]
    yield from of_options(rows, questions, attributes, rng)


def twins(folder: Path) -> Iterator[Known]:
    human = read(folder / "twin_mega_study" / "human.csv")
    llm = {row["TWIN_ID"]: row for row in read(folder / "twin_mega_study" / "llm.csv")}
    for name in human[0]:
        pairs = [
            (float(row[name]), float(llm[row["TWIN_ID"]][name]))
            for row in human
            if name != "TWIN_ID" and row[name] and llm.get(row["TWIN_ID"], {}).get(name)
        ]
        table = np.array(pairs)
        if len(table) >= 300 and table[:, 0].std() > 0:
            yield name, table[:, :1], table[:, 1:], {}


class Tally:
    """What was seen in all draws of one survey."""

    def __init__(self) -> None:
        self.held: defaultdict[tuple[str, str], list[float]] = defaultdict(list)
        self.widths: defaultdict[str, list[float]] = defaultdict(list)
        self.variances: defaultdict[tuple[str, str], list[float]] = defaultdict(list)
        self.squares: defaultdict[tuple[str, str], list[float]] = defaultdict(list)

    def add(
        self, question: str, where: str, method: str, mean: Mean, ends: Any, truth: Any
    ) -> None:
        low, high = ends
        self.held[where, method].append(float(((low <= truth) & (truth <= high)).mean()))
        if where == EVERYBODY:
            self.widths[method].append(float((high - low).mean()))
            self.variances[question, method].append(float(mean.variance.sum()))
            self.squares[question, method].append(float(np.square(mean.value - truth).sum()))

    def summary(self) -> dict[str, Any]:
        return {method: self._of(method) for method in self.widths}

    def _of(self, method: str) -> dict[str, Any]:
        questions = list(dict.fromkeys(q for q, _ in self.variances))
        groups = [
            float(np.mean(held))
            for (where, m), held in self.held.items()
            if m == method and where != EVERYBODY
        ]
        out: dict[str, Any] = {"held": round(float(np.mean(self.held[EVERYBODY, method])), 3)}
        if groups:
            out["groups_held"] = [round(float(f(groups)), 3) for f in (min, np.mean, max)]
            out["groups"] = len(groups)
        classical = float(np.mean(self.widths["classical"]))
        out["width"] = round(float(np.mean(self.widths[method])) / classical, 3)
        if method != "naive":
            worth = {
                name: [np.mean(of[q, "classical"]) / np.mean(of[q, method]) for q in questions]
                for name, of in (("variances", self.variances), ("squares", self.squares))
            }
            out["widest"] = round(float(min(worth["variances"])) ** -0.5, 3)
            out["effective_sample"] = round(float(np.mean(worth["variances"])), 2)
            out["by_squared_error"] = round(float(np.mean(worth["squares"])), 2)
        return out


def measure(
    questions: Iterator[Known],
    kind: str,
    people: int,
    humans: int,
    draws: int,
    rng: np.random.Generator,
) -> dict[str, Any]:
    tally = Tally()
    for name, values, predictions, groups in questions:
        known, n = len(values), max(people, len(values))
        answered = np.arange(n) < min(humans, known // 3)
        everybody, design = np.ones(n, dtype=bool), Design(np.ones(n))
        for _ in range(draws):
            at = rng.integers(0, known, n)
            y, f = values[at], predictions[at]
            whole = ppi.powered(y, answered, f, design, everybody)
            for where, members in {EVERYBODY: np.ones(known, dtype=bool), **groups}.items():
                here, truth = members[at], values[members].mean(axis=0)
                count, predicted = int((here & answered).sum()), int(here.sum())
                if count < 20:
                    continue
                above = None if where == EVERYBODY else whole
                plain = ppi.classical(y, answered, design, here)
                tuned = ppi.powered(y, answered, f, design, here, everybody=above)
                fixed = ppi.powered(y, answered, f, design, here, power=1.0)
                alone = ppi.naive(f, design, here)
                for method, mean, degrees, size in (
                    ("classical", plain, count - 1, count),
                    ("powered", tuned, count - 2, count),
                    ("power 1", fixed, count - 1, count),
                    ("naive", alone, predicted - 1, predicted),
                ):
                    value, variance = mean.value, mean.variance
                    ends = (
                        intervals.of_shares(value, variance, degrees, size)
                        if kind == "share"
                        else intervals.of_means(value, variance, degrees)
                    )
                    tally.add(name, where, method, mean, ends, truth)
    return tally.summary()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=400)
    parser.add_argument("--humans", type=int, default=200)
    parser.add_argument("--data", type=Path)
    given = parser.parse_args()
    rng = np.random.default_rng(1)
    surveys: dict[str, tuple[str, int, Iterator[Known]]] = {
        "gss_2018": ("share", 2348, gss(given.data, rng))
    }
    if given.data:
        surveys["masculinity_2018"] = ("share", 1615, masculinity(given.data, rng))
        surveys["twin_mega_study"] = ("mean", 1784, twins(given.data))
    out: dict[str, Any] = {"draws": given.draws, "humans": given.humans}
    for name, (kind, people, questions) in surveys.items():
        began = time.process_time()
        out[name] = measure(questions, kind, people, given.humans, given.draws, rng)
        out[name]["cpu_seconds"] = round(time.process_time() - began, 1)
    print(json.dumps(out, indent=2))


if __name__ == "__main__":
    main()
