"""The reliability curve: how often predictors are right when they are so sure."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from lupom.science.evaluation.bootstrap import check, interval, ratio
from lupom.science.evaluation.parts import judged
from lupom.science.evaluation.statistics import BINS, bin_sums, numbers

CALIBRATION = pa.schema(
    [
        ("survey", pa.string()),
        ("scenario", pa.string()),
        ("pairs", pa.string()),
        ("predictor", pa.string()),
        ("llm", pa.string()),
        ("bin", pa.int64()),
        ("above", pa.float64()),
        ("up_to", pa.float64()),
        ("confidence", pa.float64()),
        ("accuracy", pa.float64()),
        ("low", pa.float64()),
        ("high", pa.float64()),
        ("n", pa.int64()),
    ]
)


def calibration(
    scores: Any, *, seed: int = 0, resamples: int = 1000, level: float = 0.95
) -> pa.Table:
    """Return the reliability curve of every predictor that gives distributions.

    Parameters
    ----------
    scores : a table as `scores.score` returns it.
    seed, resamples, level : as in `metrics`.

    Returns
    -------
    A row for each of ten bins of confidence (the probability of the answer given) that holds
    something: above < confidence <= up_to, the mean confidence, the share that was right with its
    interval, and n.

    Raises
    ------
    ValueError : for a missing column, or settings that make no interval.
    """
    check(resamples, level)
    rows: list[dict[str, Any]] = []
    for part in judged(scores, seed=seed, resamples=resamples):
        for name, one, person in part.predictors():
            right, sure = numbers(one, "correct"), numbers(one, "confidence")
            there = np.isfinite(right) & np.isfinite(sure)
            if not there.any():
                continue
            sums = bin_sums(right, sure, there, person, len(part.people))
            totals = part.bootstrap.totals(sums)
            hits, mass, n = (totals[:, i * BINS : (i + 1) * BINS] for i in range(3))
            shares = ratio(hits, n)
            for at in np.flatnonzero(n[0] > 0):
                low, high = interval(shares[1:, at], level)
                rows.append(
                    {
                        **part.key,
                        **name,
                        **{"bin": int(at) + 1, "above": at / BINS, "up_to": (at + 1) / BINS},
                        "confidence": float(mass[0, at] / n[0, at]),
                        **{"accuracy": float(shares[0, at]), "low": low, "high": high},
                        "n": int(n[0, at]),
                    }
                )
    return pa.Table.from_pylist(rows, schema=CALIBRATION)
