"""Differences between predictors on the same pairs, with paired tests."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Any

import numpy as np
import pyarrow as pa

from lupom.science.blas import one_thread
from lupom.science.evaluation.bootstrap import Draws, interval, p_value, rounded
from lupom.science.evaluation.measures import Measured, measures
from lupom.science.evaluation.sample import Judged, Sample, samples
from lupom.science.significance import benjamini_hochberg, holm, mcnemar

COMPARISONS = pa.schema(
    [
        ("survey", pa.string()),
        ("scenario", pa.string()),
        ("pairs", pa.string()),
        ("metric", pa.string()),
        ("predictor", pa.string()),
        ("llm", pa.string()),
        ("against", pa.string()),
        ("against_llm", pa.string()),
        ("best_baseline", pa.bool_()),
        ("difference", pa.float64()),
        ("low", pa.float64()),
        ("high", pa.float64()),
        ("p_bootstrap", pa.float64()),
        ("p_mcnemar", pa.float64()),
        ("p_holm", pa.float64()),
        ("p_bh", pa.float64()),
        ("only_predictor", pa.int64()),
        ("only_against", pa.int64()),
        ("n", pa.int64()),
        ("favours", pa.string()),
    ]
)
# Metric -> whether more is better.
COMPARED = {"accuracy": True, "nll": False, "brier": False}
# Predictors that combine others are not baselines.
COMBINED = ("stack_plain", "stack", "routed")


@one_thread()
def comparisons(
    scores: Any, *, seed: int = 0, resamples: int = 1000, level: float = 0.95
) -> pa.Table:
    """Return the difference of every two predictors on the same pairs.

    Parameters
    ----------
    scores : a table as `scores.score` returns it.
    seed, resamples, level : of the bootstrap over respondents, on the draws of `metrics`.

    Returns
    -------
    A row for each metric (accuracy, nll, brier) and each two predictors that predict the same
    pairs, the better one by the metric as `predictor`:
        difference, low, high : of predictor minus against, with the paired bootstrap's interval.
        p_bootstrap : two-sided, by `bootstrap.p_value`.
        p_mcnemar : McNemar's exact test with the mid-p correction (Fagerland, Lydersen and Laake
            2013) of accuracy; it takes pairs as independent, which those of one person are not.
        only_predictor, only_against : pairs that one got right and the other not; of accuracy.
        p_holm, p_bh : p_bootstrap corrected by Holm (1979) and by Benjamini and Hochberg (1995),
            for the comparisons with the best baseline on these pairs as one family and for all
            others as another.
        best_baseline : whether one of the two is the best predictor without an LLM by this metric.
            It is chosen on the pairs it is judged on, which is in its favour.
        favours : the better predictor where p_holm is below 1 - level, else null.
    """
    rows: list[dict[str, Any]] = []
    for sample in samples(scores):
        words = (sample.survey, sample.scenario, sample.pairs)
        draws = Draws(len(sample.people), resamples, seed, words)
        found = [measures(judged, draws, f1=False) for judged in sample.judged]
        for metric, more in COMPARED.items():
            rows += _of_metric(sample, found, metric, more, level)
    return pa.Table.from_pylist(rows, schema=COMPARISONS)


def _of_metric(
    sample: Sample, found: Sequence[Measured], metric: str, more: bool, level: float
) -> list[dict[str, Any]]:
    having = [i for i, one in enumerate(found) if metric in one]
    sign = 1.0 if more else -1.0
    baselines = [
        i
        for i in having
        if sample.judged[i].llm is None and sample.judged[i].predictor not in COMBINED
    ]
    best = max(baselines, key=lambda i: sign * found[i][metric][0][0], default=None)
    rows = []
    for i, j in combinations(having, 2):
        if not _same_pairs(sample.judged[i], sample.judged[j], metric):
            continue
        if sign * found[j][metric][0][0] > sign * found[i][metric][0][0]:
            i, j = j, i
        one, other = sample.judged[i], sample.judged[j]
        difference = found[i][metric][0] - found[j][metric][0]
        low, high = interval(difference, level)
        row: dict[str, Any] = {
            **sample.named(one),
            "metric": metric,
            "against": other.predictor,
            "against_llm": other.llm,
            "best_baseline": best in (i, j),
            "difference": rounded(difference[0]),
            "low": low,
            "high": high,
            "p_bootstrap": rounded(p_value(difference, len(sample.people))),
            "n": found[i][metric][1],
        }
        if metric == "accuracy":
            right, wrong = one.numbers["correct"] > 0, other.numbers["correct"] > 0
            row["only_predictor"] = int((right & ~wrong).sum())
            row["only_against"] = int((wrong & ~right).sum())
            row["p_mcnemar"] = rounded(mcnemar(row["only_predictor"], row["only_against"]))
        rows.append(row)
    # What one asks first, whether anything beats the best baseline, is a family of its own: among
    # all pairs of fifteen predictors a difference of 27 points on 45 pairs would go under.
    for first in (True, False):
        family = [row for row in rows if row["best_baseline"] is first]
        values = np.array([row["p_bootstrap"] for row in family])
        corrected = zip(family, holm(values), benjamini_hochberg(values), strict=True)
        for row, by_holm, by_bh in corrected:
            row["p_holm"], row["p_bh"] = float(by_holm), float(by_bh)
            row["favours"] = row["predictor"] if by_holm < 1.0 - level else None
    return rows


def _same_pairs(one: Judged, other: Judged, metric: str) -> bool:
    if len(one.person) != len(other.person):
        return False
    if (one.person != other.person).any() or (one.question != other.question).any():
        return False
    name = {"accuracy": "correct"}.get(metric, metric)
    there = ~np.isnan(one.numbers[name])
    return bool((there == ~np.isnan(other.numbers[name])).all())
