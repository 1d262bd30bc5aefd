"""What the posteriors of all that people did not answer cost, whichever questions that are.

    python benchmarks/posteriors.py [--people 709] [--questions 143] [--missing 0.2 0.6]

A survey is made up as `width.py` does, and the network that ships is fitted to it. Of other people
of the survey a share of the answers between the two of --missing is hidden, one drawn for each, and
the posteriors of all hidden answers are asked for at once, as `lupom predict` does. --check
compares some with elimination for each cell alone. CPU seconds as JSON on stdout.
"""

from __future__ import annotations

import argparse
import ast
import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from width import made_up  # noqa: E402

from lupom.science.bayes.network import PersonaNetwork  # noqa: E402
from lupom.science.bayes.posterior import Posterior  # noqa: E402
from lupom.science.predictors.network import IMAGINARY, SCORE  # noqa: E402


def codes_of(people: int, questions: int, seed: int) -> tuple[Any, list[int]]:
    """Return a made-up survey's answers and attributes as codes, and how many values each has."""
    tables = made_up(people, questions, seed)
    responses = tables["responses"]
    columns, cards = [], []
    for row in tables["info"].to_pylist():
        cards.append(len(ast.literal_eval(row["references"])))
        columns.append([-1 if v is None else int(v) - 1 for v in responses[row["key"]].to_pylist()])
    for row in tables["metadata"].to_pylist():
        values = ast.literal_eval(row["options"])
        cards.append(len(values))
        columns.append([values.index(v) for v in responses[row["key"]].to_pylist()])
    return np.array(columns, dtype=np.int32).T.copy(), cards


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--people", type=int, default=709)
    parser.add_argument("--questions", type=int, default=143)
    parser.add_argument("--learn", type=int, default=2000, help="people to learn from")
    parser.add_argument("--parents", type=int, default=3)
    parser.add_argument("--missing", type=float, nargs=2, default=(0.2, 0.6))
    parser.add_argument("--check", type=int, default=0, metavar="CELLS")
    args = parser.parse_args()
    learned, cards = codes_of(args.learn, args.questions, 0)
    network = PersonaNetwork.fit(
        learned,
        cards,
        [str(i) for i in range(len(cards))],
        score=SCORE,
        iss=IMAGINARY,
        max_parents=args.parents,
        missing="available",
        seed=0,
    )
    codes, _ = codes_of(args.people, args.questions, 1)
    rng = np.random.default_rng(1)
    shares = rng.uniform(args.missing[0], args.missing[1], (args.people, 1))
    codes[:, : args.questions][rng.random((args.people, args.questions)) < shares] = -1
    rows, columns = np.nonzero(codes[:, : args.questions] < 0)
    cpu = time.process_time()
    found = network.cells(codes, rows, columns)
    out = {
        "cells": len(rows),
        "cpu": round(time.process_time() - cpu, 2),
        "refused": int(np.isnan(found).any(axis=1).sum()),
    }
    if args.check:
        engine, apart = Posterior(network.tables, network.engine.order), 0.0
        for i in rng.choice(len(rows), args.check, replace=False):
            ((_, _, p),) = engine.each(codes[rows[i] : rows[i] + 1], [int(columns[i])])
            apart = max(apart, float(np.abs(found[i, : p.shape[1]] - p[0]).max()))
        out["largest_difference"] = apart
    print(json.dumps(out))


if __name__ == "__main__":
    main()
