"""Time the bootstrap of metrics: pairs x predictors x draws, beside a plain loop on fewer pairs.

python benchmarks/evaluation.py [--pairs 1000000] [--predictors 20] [--draws 1000]

Every predictor predicts each pair: 20,000,000 scored predictions by default. Timed is what follows
the table of scores: sums by respondent, draws, intervals of every metric. Prints JSON.
"""

from __future__ import annotations

import argparse
import json
import resource
import time
from typing import Any

import numpy as np

from lupom.science.evaluation.bootstrap import Draws, interval
from lupom.science.evaluation.measures import measures
from lupom.science.evaluation.sample import Judged


def part(rng: np.random.Generator, person: Any, truth: Any, question: Any, options: int) -> Judged:
    """Return a predictor that is right in about six of ten pairs."""
    n = len(truth)
    guess = np.where(rng.random(n) < 0.5, truth, rng.integers(1, options + 1, n))
    confidence = rng.uniform(0.25, 1.0, n)
    right = (guess == truth).astype(float)
    nothing = np.full(n, np.nan)
    numbers = {
        "correct": right,
        "collapsed_correct": ((guess > options // 2) == (truth > options // 2)).astype(float),
        "ordinal_error": np.abs(guess - truth).astype(float),
        "absolute_error": nothing,
        "nll": -np.log(np.where(right > 0, confidence, (1.0001 - confidence) / (options - 1))),
        "brier": (1 - confidence) ** 2,
        "expected_rank_error": np.abs(guess - truth) * confidence,
        "rps": np.abs(guess - truth) * confidence / (options - 1),
        "confidence": confidence,
        "truth_code": truth.astype(float),
        "answer_code": guess.astype(float),
    }
    return Judged("made", None, person, question, np.ones(n, dtype=bool), numbers, np.arange(n))


def fast(parts: Any, people: int, resamples: int) -> dict[str, Any]:
    """Return intervals of every metric of every predictor."""
    draws = Draws(people, resamples, 0, ("benchmark",))
    out = {}
    for i, one in enumerate(parts):
        for name, (values, _) in measures(one, draws).items():
            out[f"{i}/{name}"] = interval(values)
    return out


def naive(one: Judged, draws: int) -> tuple[float, float]:
    """Return the interval of accuracy, drawing rows and asking scikit-learn for F1 as well."""
    from sklearn.metrics import accuracy_score, f1_score

    rng = np.random.default_rng(0)
    truth, guess = (one.numbers[k].astype(int) for k in ("truth_code", "answer_code"))
    rows = np.split(np.arange(len(truth)), np.flatnonzero(np.diff(one.person)) + 1)
    values = []
    for _ in range(draws):
        at = np.concatenate([rows[i] for i in rng.integers(len(rows), size=len(rows))])
        values.append(accuracy_score(truth[at], guess[at]))
        f1_score(
            one.question[at] * 10 + truth[at],
            one.question[at] * 10 + guess[at],
            average="macro",
        )
    low, high = np.quantile(values, [0.025, 0.975])
    return float(low), float(high)


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--pairs", type=int, default=1_000_000)
    parser.add_argument("--predictors", type=int, default=20)
    parser.add_argument("--draws", type=int, default=1000)
    parser.add_argument("--questions", type=int, default=25)
    options = parser.parse_args()
    rng = np.random.default_rng(1)
    people, n = max(options.pairs // 20, 1), options.pairs
    person = np.sort(rng.integers(people, size=n))
    question, truth = rng.integers(options.questions, size=n), rng.integers(1, 5, n)
    made = (part(rng, person, truth, question, 4) for _ in range(options.predictors))
    start = time.perf_counter()
    cpu = time.process_time()
    found = fast(made, people, options.draws)
    wall, cpu = time.perf_counter() - start, time.process_time() - cpu
    few = min(n, 20_000)
    one = part(rng, person[:few], truth[:few], question[:few], 4)
    start = time.perf_counter()
    slow = naive(one, 20)
    naive_seconds = time.perf_counter() - start
    start = time.perf_counter()
    own = fast([one], int(person[few - 1]) + 1, options.draws)
    same = time.perf_counter() - start
    print(
        json.dumps(
            {
                "pairs": n,
                "predictors": options.predictors,
                "draws": options.draws,
                "respondents": people,
                "seconds": round(wall, 2),
                "cpu_seconds": round(cpu, 2),
                "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
                "intervals": len(found),
                "subset": {
                    "pairs": few,
                    "ours_seconds_all_metrics": round(same, 3),
                    "naive_seconds_two_metrics_extrapolated": round(
                        naive_seconds / 20 * options.draws, 1
                    ),
                    "naive_draws_timed": 20,
                    "accuracy_ours": own["0/accuracy"],
                    "accuracy_naive_20_draws": slow,
                },
            },
            indent=1,
        )
    )


if __name__ == "__main__":
    main()
