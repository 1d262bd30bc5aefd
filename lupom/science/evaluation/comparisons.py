"""Differences between predictors on the same pairs, by paired tests."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from lupom.science.evaluation.bootstrap import Floats, Ints, check, interval, ratio
from lupom.science.evaluation.parts import Judged, judged
from lupom.science.evaluation.statistics import numbers

COMPARISONS = pa.schema(
    [
        ("survey", pa.string()),
        ("scenario", pa.string()),
        ("pairs", pa.string()),
        ("family", pa.string()),
        ("metric", pa.string()),
        ("predictor", pa.string()),
        ("llm", pa.string()),
        ("other", pa.string()),
        ("other_llm", pa.string()),
        ("value", pa.float64()),
        ("other_value", pa.float64()),
        ("difference", pa.float64()),
        ("low", pa.float64()),
        ("high", pa.float64()),
        ("p_value", pa.float64()),
        ("p_holm", pa.float64()),
        ("p_bh", pa.float64()),
        ("only_this", pa.int64()),
        ("only_other", pa.int64()),
        ("p_mcnemar", pa.float64()),
        ("p_mcnemar_exact", pa.float64()),
        ("n", pa.int64()),
        ("respondents", pa.int64()),
    ]
)
# Metric, the column of scores, and whether more is better.
_COMPARED = (("accuracy", "correct", True), ("nll", "nll", False), ("brier", "brier", False))
BEST, ALL = "best_baseline", "all"


@dataclass(frozen=True)
class _Aligned:
    """Every predictor on every pair: values (pairs, predictors), NaN where it has none."""

    names: list[dict[str, Any]]
    values: dict[str, Floats]
    person: Ints


def comparisons(
    scores: Any,
    *,
    baselines: Any = (),
    seed: int = 0,
    resamples: int = 1000,
    level: float = 0.95,
) -> pa.Table:
    """Return the differences between predictors in accuracy, log loss and Brier score.

    Parameters
    ----------
    scores : a table as `scores.score` returns it.
    baselines : names of the predictors that count as baselines. With none given, all without an
        LLM but for those whose name begins with 'stack'.
    seed, resamples, level : as in `metrics`; the draws are the same.

    Returns
    -------
    Rows of a `family` of comparisons, 'best_baseline' (each predictor and the baseline that is best
    by the metric on these pairs, as which it looks a little better than it is) or 'all' (each two
    predictors once), with
        difference : value - other_value, on the n pairs where both have one.
        low, high : percentile interval, respondents drawn.
        p_value : of no difference, by the difference over its bootstrap standard error, against
            Student's t with respondents - 1 degrees of freedom. Null where nothing varies.
        p_holm, p_bh : corrected for all comparisons of the family on these pairs by this metric
            (Holm 1979; Benjamini & Hochberg 1995).
        only_this, only_other : pairs that only one of them has right; accuracy only.
        p_mcnemar, p_mcnemar_exact : McNemar's test, mid-p and exact (Fagerland et al. 2013), which
            takes pairs of a respondent to be independent.

    Raises
    ------
    ValueError : for a missing column, or settings that make no interval.
    """
    check(resamples, level)
    rows: list[dict[str, Any]] = []
    for part in judged(scores, seed=seed, resamples=resamples):
        aligned = _align(part)
        plain = [_is_baseline(name, baselines) for name in aligned.names]
        for metric, _, more in _COMPARED:
            rows += _of_metric(part, aligned, plain, metric, more, level)
    return pa.Table.from_pylist(rows, schema=COMPARISONS)


def _is_baseline(name: dict[str, Any], baselines: Any) -> bool:
    if baselines:
        return name["predictor"] in baselines
    return name["llm"] is None and not name["predictor"].startswith("stack")


def _align(part: Judged) -> _Aligned:
    table = part.table
    key = pc.binary_join_element_wise(table["respondent_id"], table["question_id"], "\x1f")
    pairs = pc.unique(key).sort()
    respondent = pc.list_element(pc.split_pattern(pairs, "\x1f"), 0)
    person = np.asarray(pc.index_in(respondent, value_set=part.people), dtype=np.int64)
    names, values = [], {metric: [] for metric, *_ in _COMPARED}  # type: ignore[var-annotated]
    for name, one, _ in part.predictors():
        names.append(name)
        own = pc.binary_join_element_wise(one["respondent_id"], one["question_id"], "\x1f")
        place = np.asarray(pc.index_in(own, value_set=pairs).combine_chunks(), dtype=np.int64)
        for metric, column, _ in _COMPARED:
            out = np.full(len(pairs), np.nan)
            out[place] = numbers(one, column)
            values[metric].append(out)
    return _Aligned(names, {m: np.stack(v, axis=1) for m, v in values.items()}, person)


def _of_metric(
    part: Judged, aligned: _Aligned, plain: list[bool], metric: str, more: bool, level: float
) -> list[dict[str, Any]]:
    values = aligned.values[metric]
    there = np.isfinite(values)
    some = [i for i in range(len(aligned.names)) if there[:, i].any()]
    couples = [(a, b, ALL) for i, a in enumerate(some) for b in some[i + 1 :]]
    candidates = [i for i in some if plain[i]]
    if candidates:
        # Those that predict fewer pairs cannot be the best: it is who is best on all.
        full = max(there[:, i].sum() for i in candidates)
        candidates = [i for i in candidates if there[:, i].sum() == full]
        mean = [float(np.nanmean(values[:, i])) for i in candidates]
        best = candidates[int(np.argmax(mean) if more else np.argmin(mean))]
        couples += [(a, best, BEST) for a in some if a != best]
    rows = []
    for at, (a, b, family) in enumerate(couples):
        both = there[:, a] & there[:, b]
        if not both.any():
            continue
        x, y, who = values[both, a], values[both, b], aligned.person[both]
        people = len(part.people)
        sums = np.stack(
            [
                np.bincount(who, weights=x - y, minlength=people),
                np.bincount(who, minlength=people).astype(float),
            ],
            axis=1,
        )
        rows.append((at, a, b, family, x, y, who, sums))
    if not rows:
        return []
    totals = part.bootstrap.totals(np.concatenate([row[-1] for row in rows], axis=1))
    out: list[dict[str, Any]] = []
    for i, (_, a, b, family, x, y, who, _) in enumerate(rows):
        draws = ratio(totals[:, 2 * i], totals[:, 2 * i + 1])
        low, high = interval(draws[1:], level)
        respondents = len(np.unique(who))
        row = {
            **part.key,
            **{"family": family, "metric": metric},
            **aligned.names[a],
            **{"other": aligned.names[b]["predictor"], "other_llm": aligned.names[b]["llm"]},
            **{"value": float(x.mean()), "other_value": float(y.mean())},
            **{"difference": float(draws[0]), "low": low, "high": high},
            "p_value": _p_value(draws, respondents),
            **{"n": len(x), "respondents": respondents},
        }
        if metric == "accuracy":
            only_this, only_other = int((x > y).sum()), int((y > x).sum())
            mid, exact = mcnemar(only_this, only_other)
            row |= {"only_this": only_this, "only_other": only_other}
            row |= {"p_mcnemar": mid, "p_mcnemar_exact": exact}
        out.append(row)
    for family in (BEST, ALL):
        own = [row for row in out if row["family"] == family and row["p_value"] is not None]
        p = np.array([row["p_value"] for row in own])
        for row, h, f in zip(own, holm(p), benjamini_hochberg(p), strict=True):
            row["p_holm"], row["p_bh"] = float(h), float(f)
    return out


def _p_value(draws: Floats, respondents: int) -> float | None:
    from scipy import stats

    found = draws[1:][np.isfinite(draws[1:])]
    if respondents < 2 or len(found) < 2:
        return None
    error = float(found.std(ddof=1))
    if error < 1e-12:
        return None
    return float(2.0 * stats.t.sf(abs(float(draws[0])) / error, respondents - 1))


def mcnemar(only_this: int, only_other: int) -> tuple[float, float]:
    """Return the p-values of McNemar's test: mid-p and exact, two-sided.

    Parameters
    ----------
    only_this, only_other : how many pairs only the one, or only the other, has right.
    """
    from scipy import stats

    n, k = only_this + only_other, min(only_this, only_other)
    if n == 0:
        return 1.0, 1.0
    below = float(stats.binom.cdf(k, n, 0.5))
    exact = min(1.0, 2.0 * below)
    mid = min(1.0, 2.0 * below - float(stats.binom.pmf(k, n, 0.5)))
    return mid, exact


def holm(p: npt.NDArray[np.float64]) -> Floats:
    """Return p-values by Holm's step-down method: the share of any false finding is held."""
    order = np.argsort(p, kind="stable")
    out = np.empty(len(p))
    out[order] = np.minimum(np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1)), 1.0)
    return out


def benjamini_hochberg(p: npt.NDArray[np.float64]) -> Floats:
    """Return p-values by Benjamini and Hochberg: the share of false among findings is held."""
    order = np.argsort(p, kind="stable")[::-1]
    out = np.empty(len(p))
    ranks = np.arange(len(p), 0, -1)
    out[order] = np.minimum(np.minimum.accumulate(p[order] * len(p) / ranks), 1.0)
    return out
