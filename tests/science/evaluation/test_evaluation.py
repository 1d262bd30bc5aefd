"""Scores and metrics against their formulas written out."""

from __future__ import annotations

import math
import random
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import wasserstein_distance

from lupom.science.evaluation.metrics import metrics
from lupom.science.evaluation.scores import FLOOR, score
from lupom.science.predictors.baselines import PREDICTIONS

QUESTIONS = pa.table(
    {
        "survey": ["s", "s"],
        "question_id": ["scale", "color"],
        "options": [["low", "mid", "high"], ["red", "green"]],
        "ordinal": pa.array([[1.0, 1.5, 2.0], [None, None]], pa.list_(pa.float64())),
    }
)
OPTIONS = {"scale": ["low", "mid", "high"], "color": ["red", "green"]}


def holdout(rows: list[tuple[str, str, str]], role: str = "test") -> pa.Table:
    people, questions, given = zip(*rows, strict=True)
    return pa.table(
        {
            "survey": ["s"] * len(rows),
            "respondent_id": people,
            "question_id": questions,
            "role": [role] * len(rows),
            "answer": given,
        }
    )


def prediction(person: str, question: str, answer: str | None, **more: Any) -> dict[str, Any]:
    return {
        "survey": "s",
        "respondent_id": person,
        "question_id": question,
        "predictor": "guess",
        "answer": answer,
        "status": "valid",
        **more,
    }


def scored(rows: list[dict[str, Any]], truth: pa.Table, **more: Any) -> list[dict[str, Any]]:
    table = pa.Table.from_pylist(rows, schema=PREDICTIONS)
    return score(table, truth, QUESTIONS, **more).to_pylist()


class TestScores:
    TRUTH = holdout([("p1", "scale", "high"), ("p2", "color", "red")])

    def test_a_distribution_is_scored_by_log_loss_and_brier(self) -> None:
        p = {"low": 0.2, "mid": 0.3, "high": 0.5}
        [row] = scored(
            [prediction("p1", "scale", "high", probabilities=list(p.items()))], self.TRUTH
        )
        assert row["correct"] is True
        assert row["truth"] == "high"
        assert (row["truth_code"], row["answer_code"]) == (3, 3)
        assert row["nll"] == pytest.approx(-math.log(0.5))
        assert row["brier"] == pytest.approx(0.2**2 + 0.3**2 + 0.5**2)

    def test_the_floor_of_the_log_loss(self) -> None:
        [row] = scored([prediction("p1", "scale", "low", probabilities=[("low", 1.0)])], self.TRUTH)
        assert row["nll"] == pytest.approx(-math.log(FLOOR))
        assert row["brier"] == pytest.approx(2.0)

    def test_probabilities_are_divided_by_their_sum(self) -> None:
        [row] = scored(
            [prediction("p1", "scale", "high", probabilities=[("low", 0.1), ("high", 0.3)])],
            self.TRUTH,
        )
        assert row["nll"] == pytest.approx(-math.log(0.75))

    def test_the_ordinal_error_is_in_positions_and_null_without_them(self) -> None:
        rows = [prediction("p1", "scale", "mid"), prediction("p2", "color", "green")]
        assert [r["ordinal_error"] for r in scored(rows, self.TRUTH)] == [0.5, None]

    def test_a_distribution_on_a_scale_is_scored_by_its_order(self) -> None:
        p = {"low": 0.2, "mid": 0.3, "high": 0.5}
        rows = [
            prediction("p1", "scale", "high", probabilities=list(p.items())),
            prediction("p2", "color", "red", probabilities=[("red", 1.0)]),
        ]
        first, second = scored(rows, self.TRUTH)
        places = [1.0, 1.5, 2.0]
        assert first["expected_rank_error"] == pytest.approx(
            wasserstein_distance(places, [2.0], list(p.values()))
        )
        assert first["rps"] == pytest.approx((0.2**2 + 0.5**2) / 2)
        assert [second["expected_rank_error"], second["rps"]] == [None, None]

    @pytest.mark.parametrize("order", [1, -1])
    def test_a_scale_from_0_to_10(self, order: int) -> None:
        options = [str(n) for n in range(11)][::order]
        asked = pa.table(
            {
                "survey": ["s"],
                "question_id": ["stars"],
                "options": [options],
                "ordinal": [[float(n) for n in options]],
            }
        )
        even = [prediction("p1", "stars", "5", probabilities=[(n, 1 / 11) for n in options])]
        table = pa.Table.from_pylist(even, schema=PREDICTIONS)
        [row] = score(table, holdout([("p1", "stars", "5")]), asked).to_pylist()
        assert row["expected_rank_error"] == pytest.approx(2 * sum(range(6)) / 11)
        below = [n / 11 for n in range(1, 11)]
        expected = [(b - (n >= 5)) ** 2 for n, b in enumerate(below)]
        assert row["rps"] == pytest.approx(sum(expected) / 10)

    def test_an_option_without_a_position_makes_no_scale(self) -> None:
        asked = QUESTIONS.set_column(
            3, "ordinal", pa.array([[1.0, 2.0, None], [None, None]], pa.list_(pa.float64()))
        )
        row = prediction("p1", "scale", "mid", probabilities=[("low", 0.5), ("mid", 0.5)])
        table = pa.Table.from_pylist([row], schema=PREDICTIONS)
        [out] = score(table, holdout([("p1", "scale", "low")]), asked).to_pylist()
        assert out["ordinal_error"] == 1.0
        assert out["expected_rank_error"] is None

    @pytest.mark.parametrize(
        "change", [{"status": "invalid"}, {"answer": None}, {"answer": "purple"}, {"status": None}]
    )
    def test_an_invalid_prediction_is_wrong_and_nothing_else(self, change: dict[str, Any]) -> None:
        row = prediction("p1", "scale", "high", probabilities=[("high", 1.0)])
        [out] = scored([{**row, **change}], self.TRUTH)
        assert out["correct"] is False
        assert [out[k] for k in ("answer_code", "ordinal_error", "nll", "brier", "rps")] == [
            None
        ] * 5

    def test_other_pairs_and_tuning_pairs_are_left_out(self) -> None:
        rows = [prediction("p9", "scale", "low"), prediction("p1", "scale", "low")]
        assert len(scored(rows, self.TRUTH)) == 1
        assert scored(rows, holdout([("p1", "scale", "high")], role="tuning")) == []

    def test_pairs_of_the_llm_are_marked(self) -> None:
        rows = [prediction("p1", "scale", "mid"), prediction("p2", "color", "green")]
        out = scored(rows, self.TRUTH, llm_pairs=self.TRUTH.slice(1))
        assert [row["in_llm_sample"] for row in out] == [False, True]

    @pytest.mark.parametrize("value", [-0.1, math.nan, math.inf])
    def test_what_is_no_probability(self, value: float) -> None:
        row = prediction("p1", "scale", "low", probabilities=[("low", value)])
        with pytest.raises(ValueError, match="guess for respondent p1 and scale gives 'low'"):
            scored([row], self.TRUTH)

    def test_a_probability_on_no_option(self) -> None:
        row = prediction("p1", "scale", "low", probabilities=[("purple", 1.0)])
        with pytest.raises(ValueError, match="'purple'"):
            scored([row], self.TRUTH)

    def test_a_prediction_made_twice(self) -> None:
        with pytest.raises(ValueError, match="more than once"):
            scored([prediction("p1", "scale", "low")] * 2, self.TRUTH)

    def test_a_truth_that_is_no_option(self) -> None:
        with pytest.raises(ValueError, match="'purple'"):
            scored([prediction("p1", "scale", "low")], holdout([("p1", "scale", "purple")]))


@st.composite
def cases(draw: st.DrawFn) -> tuple[list[dict[str, Any]], pa.Table]:
    people = draw(st.integers(1, 8))
    rng = random.Random(draw(st.integers(0, 10**6)))
    truth, rows = [], []
    for person in range(people):
        for question, options in OPTIONS.items():
            truth.append((f"p{person}", question, rng.choice(options)))
            answer = rng.choice([*options, None])
            weights = [rng.random() + 0.01 for _ in options]
            p = [(o, w / sum(weights)) for o, w in zip(options, weights, strict=True)]
            rows.append(
                prediction(f"p{person}", question, answer, probabilities=rng.choice([p, None]))
            )
    return rows, holdout(truth)


@settings(max_examples=40, deadline=None)
@given(cases())
def test_metrics_are_what_their_formulas_say(case: tuple[list[dict[str, Any]], pa.Table]) -> None:
    rows, truth = case
    table = score(pa.Table.from_pylist(rows, schema=PREDICTIONS), truth, QUESTIONS)
    found = {r["metric"]: r for r in metrics(table, resamples=20).to_pylist()}
    out = table.to_pylist()

    def mean(values: list[float]) -> float:
        return sum(values) / len(values)

    def macro_f1(pairs: list[tuple[Any, Any]]) -> float:
        classes = {t for t, _ in pairs} | {g for _, g in pairs if g is not None}
        f1 = []
        for c in classes:
            tp = sum(t == c and g == c for t, g in pairs)
            fp = sum(t != c and g == c for t, g in pairs)
            fn = sum(t == c and g != c for t, g in pairs)
            f1.append(2 * tp / (2 * tp + fp + fn))
        return mean(f1)

    assert found["accuracy"]["value"] == pytest.approx(
        mean([r["answer"] == r["truth"] for r in out])
    )
    assert found["share_invalid"]["value"] == pytest.approx(
        mean([r["answer"] is None for r in out])
    )
    assert found["macro_f1"]["value"] == pytest.approx(
        macro_f1(
            [
                ((r["question_id"], r["truth"]), r["answer"] and (r["question_id"], r["answer"]))
                for r in out
            ]
        )
    )
    place = {q: {o: i for i, o in enumerate(options)} for q, options in OPTIONS.items()}
    assert found["macro_f1_pooled"]["value"] == pytest.approx(
        macro_f1(
            [
                (place[r["question_id"]][r["truth"]], place[r["question_id"]].get(r["answer"]))
                for r in out
            ]
        )
    )
    for name in ("ordinal_error", "nll", "brier"):
        values = [r[name] for r in out if r[name] is not None]
        assert (name in found) == bool(values)
        if values:
            assert found[name]["value"] == pytest.approx(mean(values))
            assert found[name]["n"] == len(values)


def many(people: int, each: int, seed: int = 0) -> pa.Table:
    """Score predictions right for 60 % of people in all of their pairs, for others in none."""
    questions = pa.table(
        {
            "survey": ["s"] * each,
            "question_id": [f"q{i}" for i in range(each)],
            "options": [["yes", "no"]] * each,
            "ordinal": pa.array([[None, None]] * each, pa.list_(pa.float64())),
        }
    )
    right = np.random.default_rng(seed).random(people) < 0.6
    rows = [
        prediction(f"p{p}", f"q{q}", "yes" if right[p] else "no")
        for p in range(people)
        for q in range(each)
    ]
    truth = holdout([(row["respondent_id"], row["question_id"], "yes") for row in rows])
    return score(pa.Table.from_pylist(rows, schema=PREDICTIONS), truth, questions)


def interval(table: pa.Table, **more: Any) -> tuple[float, float, float]:
    rows = {r["metric"]: r for r in metrics(table, **more).to_pylist()}
    return tuple(rows["accuracy"][k] for k in ("value", "low", "high"))  # type: ignore[return-value]


def test_the_interval_is_that_of_respondents_and_not_of_pairs() -> None:
    # Ten pairs of one person that are all right or all wrong are one observation.
    value, low, high = interval(many(people=200, each=10))
    error = math.sqrt(value * (1 - value) / 200)
    assert high - low == pytest.approx(2 * 1.96 * error, rel=0.15)


def test_the_interval_holds_the_truth_about_as_often_as_it_says() -> None:
    inside = 0
    for seed in range(60):
        _, low, high = interval(many(people=80, each=2, seed=seed), resamples=200, seed=seed)
        inside += low <= 0.6 <= high
    assert inside >= 50


def test_the_same_seed_gives_the_same_interval() -> None:
    table = many(people=50, each=2)
    order = np.random.default_rng(1).permutation(table.num_rows)
    assert interval(table.take(order), seed=3) == interval(table, seed=3)
    few = [interval(table, seed=seed, resamples=9) for seed in (3, 3, 4)]
    assert few[0] == few[1] != few[2]


def test_an_llm_is_judged_on_its_pairs_beside_the_others() -> None:
    truth = holdout([("p1", "scale", "high"), ("p2", "scale", "low"), ("p3", "color", "red")])
    rows = [prediction(p, q, a) for p, q, a in (("p1", "scale", "high"), ("p2", "scale", "high"))]
    rows += [prediction("p1", "scale", "low", predictor="history", llm="default")]
    table = score(
        pa.Table.from_pylist(rows, schema=PREDICTIONS), truth, QUESTIONS, truth.slice(0, 1)
    )
    found = {
        (r["predictor"], r["llm"], r["pairs"]): (r["value"], r["n"])
        for r in metrics(table).to_pylist()
        if r["metric"] == "accuracy"
    }
    assert found == {
        ("guess", None, "all"): (0.5, 2),
        ("guess", None, "llm"): (1.0, 1),
        ("history", "default", "llm"): (0.0, 1),
    }


def test_nothing_predicted_nothing_measured() -> None:
    table = score(PREDICTIONS.empty_table(), TestScores.TRUTH, QUESTIONS, TestScores.TRUTH)
    assert table.num_rows == 0
    assert metrics(table).num_rows == 0


@pytest.mark.parametrize("wrong", [{"resamples": 0}, {"level": 1.0}])
def test_settings_that_make_no_interval(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="resamples must be at least 1"):
        metrics(many(people=3, each=1), **wrong)
