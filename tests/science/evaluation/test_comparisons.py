"""Paired differences: the direction, the tests, and the corrections."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from lupom.science.evaluation.comparisons import (
    comparisons,
    holm,
)
from tests.support.scored_people import right, scored, sure, truths


def rows(table: pa.Table, metric: str = "accuracy", pairs: str = "all") -> list[dict]:
    found = comparisons(table, resamples=200).to_pylist()
    return [row for row in found if row["metric"] == metric and row["pairs"] == pairs]


def test_the_better_predictor_stands_first_and_is_favoured() -> None:
    table = scored(truths(150, 3), {("a", None): right(0.4), ("b", None): right(0.7)}, count=3)
    [row] = rows(table)
    assert (row["predictor"], row["against"], row["favours"]) == ("b", "a", "b")
    assert row["difference"] == pytest.approx(0.3, abs=0.1)
    assert 0 < row["low"] < row["difference"] < row["high"]
    assert row["p_bootstrap"] < 0.02
    assert row["p_mcnemar"] < 1e-6
    assert (row["only_predictor"] - row["only_against"]) / row["n"] == pytest.approx(
        row["difference"]
    )
    assert row["best_baseline"]


def test_of_a_loss_less_is_better() -> None:
    table = scored(
        truths(150, 3),
        {("a", None): right(0.4), ("b", None): right(0.7)},
        count=3,
        probabilities=sure(0.6),
    )
    [row] = rows(table, "nll")
    assert row["predictor"] == "b"
    assert row["difference"] < 0 < -row["high"]
    assert row["p_mcnemar"] is None


def test_two_alike_are_not_told_apart() -> None:
    table = scored(truths(60, 2), {("a", None): right(0.5), ("b", None): right(0.5)}, count=2)
    [row] = rows(table)
    assert row["low"] < 0 < row["high"] or row["difference"] == 0
    assert row["favours"] is None


def test_the_same_twice_has_no_difference() -> None:
    table = scored(
        truths(30, 2), {("a", None): lambda *_: "often", ("b", None): lambda *_: "often"}, count=2
    )
    [row] = rows(table)
    assert (row["difference"], row["low"], row["high"]) == (0.0, 0.0, 0.0)
    assert (row["p_bootstrap"], row["p_mcnemar"], row["favours"]) == (1.0, 1.0, None)


def test_the_best_baseline_needs_no_llm_and_is_no_stack() -> None:
    table = scored(
        truths(80, 2),
        {
            ("history", "m"): right(0.9),
            ("stack_plain", None): right(0.8),
            ("majority", None): right(0.5),
            ("logistic", None): right(0.6),
        },
        count=2,
    )
    found = rows(table)
    assert len(found) == 6
    assert all("logistic" in (r["predictor"], r["against"]) for r in found if r["best_baseline"])
    first = [r for r in found if r["best_baseline"]]
    assert len(first) == 3
    # Each of the two families is corrected for its own size.
    for family in (first, [r for r in found if not r["best_baseline"]]):
        least = min(family, key=lambda r: r["p_bootstrap"])
        assert least["p_holm"] == pytest.approx(min(1.0, 3 * least["p_bootstrap"]))


def test_p_values_are_corrected_within_their_family() -> None:
    shares = {"a": 0.3, "b": 0.4, "c": 0.5, "d": 0.8}
    predictors = {(name, None): right(share) for name, share in shares.items()}
    compared = rows(scored(truths(60, 2), predictors, count=2))
    for first in (True, False):
        family = [row for row in compared if row["best_baseline"] is first]
        assert len(family) == 3
        p = np.array([row["p_bootstrap"] for row in family])
        # Benjamini and Hochberg: the k-th smallest of n times n / k, and none above a larger one's.
        by_rank = sorted(range(3), key=lambda i: p[i])
        raised = [p[i] * 3 / (rank + 1) for rank, i in enumerate(by_rank)]
        wanted = {i: min(raised[rank:]) for rank, i in enumerate(by_rank)}
        assert [row["p_bh"] for row in family] == pytest.approx([wanted[i] for i in range(3)])
        assert [row["p_holm"] for row in family] == pytest.approx(list(holm(p)))


def test_predictors_of_other_pairs_are_not_compared() -> None:
    table = scored(truths(20, 2), {("a", None): right(0.5), ("b", "m"): right(0.5)}, count=2)
    part = table.filter(
        pa.array([r["predictor"] == "a" or r["question_id"] == "q0" for r in table.to_pylist()])
    )
    assert rows(part, pairs="llm") == []
