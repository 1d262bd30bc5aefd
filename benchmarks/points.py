"""What a point answer is worth as a distribution: a real LLM's, beside the people it imitates.

    python benchmarks/points.py human.csv llm.csv

Two files with a row a respondent and a column a question, the first column the respondent's id:
what people answered, and what an LLM answered in their place (post_metric_calculation/
post_processing_caliberation/combined_dv_*.csv of TianyiPeng/Twin-2K-500-Mega-Study, for instance).
Of each question with 2 to 7 different answers, 100 respondents are known and the others are scored:
mean log loss in nats (probabilities from 1e-4 on) of

- uniform, and answers: the known people's answers, without the LLM
- point: the LLM's answer for certain; point_90: with a probability of .9
- accuracy: with the probability that it is right by the known people, the rest shared equally
- confusion: what the known people answered where the LLM said so, shrunk to all of their answers

and the shares of right answers. Prints JSON; takes a second.
"""

from __future__ import annotations

import argparse
import csv
import json
from collections import defaultdict
from pathlib import Path

import numpy as np

KNOWN, SHRINK = 100, 2.0


def read(path: Path) -> dict[str, dict[str, str]]:
    """Return a file's rows by the value of its first column."""
    with path.open(newline="", encoding="utf-8") as file:
        rows = csv.DictReader(file)
        first = (rows.fieldnames or [""])[0]
        return {row.pop(first): row for row in rows}


def measure(
    human: dict[str, dict[str, str]], llm: dict[str, dict[str, str]], seed: int
) -> dict[str, float]:
    """Return the figures over all questions, a pair counting once."""
    draw = np.random.default_rng(seed)
    sums: defaultdict[str, float] = defaultdict(float)
    questions = pairs = 0
    for question in next(iter(human.values())):
        texts = [(row[question], llm.get(name, {}).get(question)) for name, row in human.items()]
        both = [(float(said), float(guessed)) for said, guessed in texts if said and guessed]
        options = sorted({said for said, _ in both})
        if not 2 <= len(options) <= 7 or len(both) < 2 * KNOWN:
            continue
        place = {option: i for i, option in enumerate(options)}
        width = len(options)
        truth = np.array([place[said] for said, _ in both])
        guess = np.array([place.get(said, width) for _, said in both])  # the last: no option
        order = draw.permutation(len(both))
        known, rest = order[:KNOWN], order[KNOWN:]
        shares = (np.bincount(truth[known], minlength=width) + 1.0) / (KNOWN + width)
        right = float((truth[known] == guess[known]).sum() + 1) / (KNOWN + 2)
        confusion = np.tile(SHRINK * shares, (width + 1, 1))
        np.add.at(confusion, (guess[known], truth[known]), 1.0)
        confusion /= confusion.sum(axis=1, keepdims=True)
        hit = guess[rest] == truth[rest]
        for name, found in {
            "uniform": np.full(len(rest), 1.0 / width),
            "answers": shares[truth[rest]],
            "point": np.where(hit, 1.0, 0.0),
            "point_90": np.where(hit, 0.9, 0.1 / (width - 1)),
            "accuracy": np.where(hit, right, (1.0 - right) / (width - 1)),
            "confusion": confusion[guess[rest], truth[rest]],
        }.items():
            sums[name] += float(-np.log(np.maximum(found, 1e-4)).sum())
        sums["llm_right"] += int(hit.sum())
        sums["majority_right"] += int((truth[rest] == shares.argmax()).sum())
        questions, pairs = questions + 1, pairs + len(rest)
    means = {name: round(total / pairs, 3) for name, total in sums.items()}
    return {"questions": questions, "pairs": pairs, **means}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("human", type=Path)
    parser.add_argument("llm", type=Path)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    print(json.dumps(measure(read(given.human), read(given.llm), given.seed)))


if __name__ == "__main__":
    main()
