"""The reliability curve: how often answers of a stated probability are right."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from lupom.science.blas import one_thread
from lupom.science.evaluation.bootstrap import Draws, interval, rounded
from lupom.science.evaluation.measures import BINS, calibration_sums, ratio
from lupom.science.evaluation.sample import samples

CALIBRATION = pa.schema(
    [
        ("survey", pa.string()),
        ("scenario", pa.string()),
        ("pairs", pa.string()),
        ("predictor", pa.string()),
        ("llm", pa.string()),
        ("bin", pa.int64()),
        ("from", pa.float64()),
        ("to", pa.float64()),
        ("n", pa.int64()),
        ("confidence", pa.float64()),
        ("accuracy", pa.float64()),
        ("low", pa.float64()),
        ("high", pa.float64()),
    ]
)


@one_thread()
def calibration(
    scores: Any, *, seed: int = 0, resamples: int = 1000, level: float = 0.95
) -> pa.Table:
    """Return the reliability curve of each predictor that gives probabilities.

    Parameters
    ----------
    scores : a table as `scores.score` returns it.
    seed, resamples, level : of the bootstrap over respondents.

    Returns
    -------
    A row for each of ten bins (from, to) of the probability given to the answer that has
    predictions: how many, their mean probability (`confidence`), the share that is right
    (`accuracy`) and its interval. (DeGroot and Fienberg 1983.)
    """
    rows: list[dict[str, Any]] = []
    for sample in samples(scores):
        words = (sample.survey, sample.scenario, sample.pairs)
        draws = Draws(len(sample.people), resamples, seed, words)
        for judged in sample.judged:
            sums = calibration_sums(judged, draws)
            number, sure, right = sums[:, 0], sums[:, 1], sums[:, 2]
            accuracy, confidence = ratio(right, number), ratio(sure, number)
            for place in range(BINS):
                if number[0, place] == 0:
                    continue
                low, high = interval(accuracy[:, place], level)
                rows.append(
                    {
                        **sample.named(judged),
                        "bin": place + 1,
                        "from": place / BINS,
                        "to": (place + 1) / BINS,
                        "n": int(number[0, place]),
                        "confidence": rounded(confidence[0, place]),
                        "accuracy": rounded(accuracy[0, place]),
                        "low": low,
                        "high": high,
                    }
                )
    return pa.Table.from_pylist(rows, schema=CALIBRATION)
