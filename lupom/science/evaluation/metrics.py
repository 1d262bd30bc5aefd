"""Metrics of each predictor with bootstrap intervals clustered on respondents."""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from lupom.science.inputs import arrow, require

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

METRICS = pa.schema(
    [
        ("survey", pa.string()),
        ("predictor", pa.string()),
        ("llm", pa.string()),
        ("pairs", pa.string()),
        ("metric", pa.string()),
        ("value", pa.float64()),
        ("low", pa.float64()),
        ("high", pa.float64()),
        ("n", pa.int64()),
    ]
)
_NEEDED = (
    *("survey", "respondent_id", "question_id", "predictor", "llm", "truth_code", "answer_code"),
    *("correct", "ordinal_error", "nll", "brier", "in_llm_sample"),
)


def metrics(scores: Any, *, seed: int = 0, resamples: int = 1000, level: float = 0.95) -> pa.Table:
    """Return every metric of every predictor, with an interval.

    Parameters
    ----------
    scores : a table as `scores.score` returns it.
    seed, resamples, level : of the percentile bootstrap. Respondents are drawn, each with all of
        their pairs, since the answers of one person hang together; all predictors of a survey are
        judged on the same draws.

    Returns
    -------
    Rows survey, predictor, llm, pairs, metric, value, low, high, n (predictions that entered).
    `pairs` is 'all' for predictors without an LLM on all test pairs, and 'llm' for every predictor
    on the pairs the LLM was asked. The metrics, left out where no prediction has what they need:
        accuracy : share of correct answers; an invalid prediction is a wrong one.
        macro_f1 : mean F1 over classes, an option of one question being a class; classes that are
            neither truth nor prediction are left out. An invalid prediction is of no class.
        macro_f1_pooled : the same, but the first options of all questions are one class, the second
            ones another, and so on, as when F1 is taken over option codes.
        ordinal_error : mean absolute distance in ordinal positions, of valid predictions.
        share_invalid : share of invalid predictions.
        nll : mean log loss in nats, floored as in `scores`; of predictions with a distribution.
        brier : mean Brier score, 0 to 2; of predictions with a distribution.

    Raises
    ------
    ValueError : for a missing column, resamples below 1 or a level outside 0 to 1.
    """
    if resamples < 1 or not 0 < level < 1:
        raise ValueError(f"resamples must be at least 1 and level in (0, 1): {resamples}, {level}")
    table = arrow(scores)
    require(table, _NEEDED, "scores")
    # Sums of floats depend on their order; the order of a table's rows should decide nothing.
    order = ("survey", "predictor", "llm", "respondent_id", "question_id")
    table = table.select(_NEEDED).sort_by([(name, "ascending") for name in order])
    rows: list[dict[str, Any]] = []
    for survey in sorted(pc.unique(table["survey"]).to_pylist()):
        of_survey = table.filter(pc.equal(table["survey"], survey))
        parts = {
            "all": of_survey.filter(pc.is_null(of_survey["llm"])),
            "llm": of_survey.filter(of_survey["in_llm_sample"]),
        }
        for pairs, part in parts.items():
            if part.num_rows:
                rng = np.random.default_rng(
                    [seed, *(zlib.crc32(w.encode()) for w in (survey, pairs))]
                )
                for row in _rows(part, rng, resamples, level):
                    rows.append({"survey": survey, "pairs": pairs, **row})
    return pa.Table.from_pylist(rows, schema=METRICS)


def _rows(
    part: pa.Table, rng: np.random.Generator, resamples: int, level: float
) -> list[dict[str, Any]]:
    """Return the metrics of all predictors of one survey on one set of pairs."""
    people = pc.unique(part["respondent_id"]).sort()
    draws = _draws(len(people), resamples, rng)
    groups = part.select(["predictor", "llm"]).group_by(["predictor", "llm"]).aggregate([])
    out = []
    for group in groups.sort_by([("predictor", "ascending"), ("llm", "ascending")]).to_pylist():
        own = pc.equal(part["predictor"], group["predictor"])
        llm = group["llm"]
        same = pc.is_null(part["llm"]) if llm is None else pc.equal(part["llm"], llm)
        one = part.filter(pc.and_(own, pc.fill_null(same, False)))
        person = np.asarray(pc.index_in(one["respondent_id"], value_set=people).combine_chunks())
        for name, (values, n) in _values(one, person.astype(np.int64), draws).items():
            tail = (1.0 - level) / 2.0
            found = values[1:][np.isfinite(values[1:])]
            low, high = np.quantile(found, [tail, 1.0 - tail]) if found.size else (None, None)
            out.append(
                {**group, "metric": name, "value": values[0], "low": low, "high": high, "n": n}
            )
    # Predictors are compared on a metric, so those of one metric stand together.
    places = {name: i for i, name in enumerate(dict.fromkeys(row["metric"] for row in out))}
    return sorted(out, key=lambda row: places[row["metric"]])


def _draws(people: int, resamples: int, rng: np.random.Generator) -> Floats:
    """Return how often each respondent is drawn, (1 + resamples, people); row 0 is all ones."""
    out = np.ones((resamples + 1, people))
    for row in out[1:]:
        row[:] = np.bincount(rng.integers(people, size=people), minlength=people)
    return out


def _values(table: pa.Table, person: Ints, draws: Floats) -> dict[str, tuple[Floats, int]]:
    """Return by metric its value in every draw, and the number of predictions in it."""
    truth = _numbers(table["truth_code"]).astype(np.int64)
    guess = np.nan_to_num(_numbers(table["answer_code"])).astype(np.int64)
    encoded = table["question_id"].combine_chunks().dictionary_encode()
    # Codes begin at 1 and 0 is an invalid prediction, so a question's classes need one place more.
    width = int(max(truth.max(), guess.max())) + 1
    base = np.asarray(encoded.indices, dtype=np.int64) * width
    numbers = {
        "accuracy": _numbers(table["correct"].cast(pa.int8())),
        "ordinal_error": _numbers(table["ordinal_error"]),
        "share_invalid": (guess == 0).astype(float),
        "nll": _numbers(table["nll"]),
        "brier": _numbers(table["brier"]),
    }
    out = {}
    for name, values in numbers.items():
        there = ~np.isnan(values)
        if there.any():
            out[name] = (_mean(values, there, person, draws), int(there.sum()))
        if name == "accuracy":
            invalid = guess == 0
            single = np.where(invalid, -1, base + guess)
            pooled = np.where(invalid, -1, guess)
            out["macro_f1"] = (_macro_f1(base + truth, single, person, draws), len(truth))
            out["macro_f1_pooled"] = (_macro_f1(truth, pooled, person, draws), len(truth))
    return out


def _numbers(column: pa.ChunkedArray) -> Floats:
    return np.asarray(column.cast(pa.float64()).to_numpy())


def _mean(values: Floats, there: npt.NDArray[np.bool_], person: Ints, draws: Floats) -> Floats:
    """Return the mean over predictions in every draw, NaN where a draw has none."""
    people = draws.shape[1]
    total = np.bincount(person, weights=np.where(there, values, 0.0), minlength=people)
    count = np.bincount(person, weights=there.astype(float), minlength=people)
    return _ratio(draws @ total, draws @ count)


def _macro_f1(truth: Ints, guess: Ints, person: Ints, draws: Floats) -> Floats:
    """Return macro-F1 in every draw: 2 TP / (2 TP + FP + FN), averaged over classes that occur.

    A guess of -1 is of no class: it is a false negative of its truth and nothing else.
    """
    classes, place = np.unique(np.concatenate([truth, guess[guess >= 0]]), return_inverse=True)
    shape = (draws.shape[1], len(classes))
    hits, sizes = np.zeros(shape), np.zeros(shape)
    given, guessed = place[: len(truth)], place[len(truth) :]
    np.add.at(hits, (person[truth == guess], given[truth == guess]), 2.0)
    # TP + FN is how often a class is the truth, TP + FP how often it is the guess.
    np.add.at(sizes, (person, given), 1.0)
    np.add.at(sizes, (person[guess >= 0], guessed), 1.0)
    sizes_drawn = draws @ sizes
    scores = np.divide(
        draws @ hits, sizes_drawn, out=np.zeros_like(sizes_drawn), where=sizes_drawn > 0
    )
    return _ratio(scores.sum(axis=1), (sizes_drawn > 0).sum(axis=1).astype(float))


def _ratio(above: Floats, below: Floats) -> Floats:
    return np.divide(above, below, out=np.full_like(above, np.nan), where=below > 0)
