"""Metrics beyond accuracy: weights, scales, calibration, ceilings, scenarios."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from sklearn.metrics import f1_score

from lupom.science.evaluation.metrics import metrics
from lupom.science.evaluation.scores import score
from lupom.science.predictors.baselines import PREDICTIONS
from tests.support.scored_people import (
    OPTIONS,
    holdout,
    questions,
    respondents,
    right,
    scored,
    sure,
    truths,
)


def found(table: pa.Table, **options: object) -> dict[str, float]:
    rows = metrics(table, resamples=20, **options).to_pylist()  # type: ignore[arg-type]
    return {
        (r["metric"] if r["weighting"] == "none" else f"weighted {r['metric']}"): r["value"]
        for r in rows
        if r["pairs"] == "all"
    }


def test_f1_is_scikit_learns() -> None:
    given = truths(60, 3)
    table = scored(given, {("guess", None): right(0.5)}, count=3)
    rows = table.to_pylist()
    truth = [r["truth_code"] for r in rows]
    guess = [r["answer_code"] for r in rows]
    assert found(table)["macro_f1_pooled"] == pytest.approx(
        f1_score(truth, guess, average="macro"), abs=1e-8
    )
    assert found(table)["accuracy"] == pytest.approx(f1_score(truth, guess, average="micro"))


def test_survey_weights_count_people_by_their_weight() -> None:
    people = respondents(2, {0: 3.0, 1: 1.0})
    given = {("p0000", "q0"): "never", ("p0001", "q0"): "never"}
    table = scored(
        given,
        {("guess", None): lambda _rng, p, t: t if p == "p0000" else "often"},
        count=1,
        people=people,
    )
    assert found(table)["accuracy"] == pytest.approx(0.5)
    assert found(table)["weighted accuracy"] == pytest.approx(0.75)


def test_a_metric_says_how_many_people_carry_it() -> None:
    """Forty people, one question each, and one of them weighs as much as a hundred others."""
    given = {(f"p{i:04}", "q0"): "never" for i in range(40)}
    people = respondents(40, {0: 100.0})
    table = scored(given, {("guess", None): right(1.0)}, count=1, people=people)
    rows = metrics(table, resamples=20).to_pylist()
    found = {r["weighting"]: r["n_eff"] for r in rows if r["metric"] == "accuracy"}
    assert found["none"] == 40
    # (39 + 100)^2 / (39 + 100^2)
    assert found["survey"] == pytest.approx(139**2 / 10039)


def test_an_effective_number_is_of_those_whose_predictions_enter() -> None:
    """Two people answer two questions each, and a third of six; only the first have a distance."""
    given = {(f"p{i:04}", f"q{q}"): "never" for i in range(2) for q in range(2)}
    given |= {("p0002", f"q{q}"): "never" for q in range(6)}
    table = scored(
        given,
        {("guess", None): lambda _rng, person, _t: None if person == "p0002" else "often"},
        count=6,
    )
    rows = metrics(table, resamples=20).to_pylist()
    found = {r["metric"]: r["n_eff"] for r in rows if r["pairs"] == "all"}
    assert found["accuracy"] == pytest.approx(10**2 / (2**2 + 2**2 + 6**2))
    assert found["ordinal_error"] == 2


def test_the_distance_of_two_answers_is_their_wasserstein_distance() -> None:
    """What is published as q_1wd: never to often, rarely to often, always to always."""
    from scipy.stats import wasserstein_distance

    answers = {"never": "often", "rarely": "often", "always": "always"}
    given = {(f"p{i:04}", "q0"): truth for i, truth in enumerate(answers)}
    table = scored(given, {("guess", None): lambda _rng, _p, truth: answers[truth]}, count=1)
    places = [(OPTIONS.index(a), OPTIONS.index(b)) for a, b in answers.items()]
    published = [wasserstein_distance([a], [b]) for a, b in places]
    assert found(table)["ordinal_error"] == pytest.approx((2 + 1 + 0) / 3)
    assert found(table)["ordinal_error"] == pytest.approx(np.mean(published))


def test_without_weights_that_differ_there_is_one_weighting() -> None:
    table = scored(truths(5, 1), {("guess", None): right(0.5)}, count=1, people=respondents(5))
    assert not [name for name in found(table) if name.startswith("weighted")]


@pytest.mark.parametrize(
    ("truth", "guess", "collapsed", "error"),
    [("never", "rarely", 1.0, 1.0), ("rarely", "often", 0.0, 1.0), ("always", "often", 1.0, 1.0)],
)
def test_a_collapsed_scale_has_two_sides(
    truth: str, guess: str, collapsed: float, error: float
) -> None:
    table = scored({("p0", "q0"): truth}, {("guess", None): lambda *_: guess}, count=1)
    assert found(table)["collapsed_accuracy"] == collapsed
    assert found(table)["ordinal_error"] == error
    assert found(table)["ordinal_coverage"] == 1.0


def test_without_a_scale_collapsed_accuracy_is_accuracy() -> None:
    table = scored(truths(40, 2), {("guess", None): right(0.5)}, count=2, ordered=False)
    assert found(table)["collapsed_accuracy"] == found(table)["accuracy"]
    assert "ordinal_error" not in found(table)
    assert "ordinal_coverage" not in found(table)


def test_the_calibration_error_of_a_predictor_that_is_too_sure() -> None:
    given = truths(400, 2)
    table = scored(given, {("guess", None): right(0.6)}, count=2, probabilities=sure(0.85))
    accuracy = found(table)["accuracy"]
    assert found(table)["calibration_error"] == pytest.approx(abs(0.85 - accuracy))
    honest = scored(given, {("guess", None): right(0.6)}, count=2, probabilities=sure(accuracy))
    assert found(honest)["calibration_error"] == pytest.approx(0.0, abs=1e-8)


def test_a_retest_ceiling_is_what_accuracy_is_a_share_of() -> None:
    table = scored(truths(50, 1), {("guess", None): right(0.5)}, count=1)
    assert found(table, ceiling=0.8)["ceiling_share"] == pytest.approx(
        found(table)["accuracy"] / 0.8
    )
    assert found(table, ceiling={"s": 0.8}) == found(table, ceiling=0.8)
    assert "ceiling_share" not in found(table, ceiling={"other": 0.8})
    with pytest.raises(ValueError, match="a retest ceiling is a share, not 80"):
        found(table, ceiling=80)


def test_scenarios_are_apart() -> None:
    given = truths(30, 1)
    truth = holdout(given)
    scenario = ["new_respondent" if i < 10 else "known" for i in range(30)]
    rows = [
        {
            "survey": "s",
            "respondent_id": person,
            "question_id": question,
            "predictor": "guess",
            "answer": answer if int(person[1:]) < 10 else "never",
            "status": "valid",
        }
        for (person, question), answer in given.items()
    ]
    table = score(
        pa.Table.from_pylist(rows, schema=PREDICTIONS),
        truth.append_column("scenario", pa.array(scenario)),
        questions(1),
    )
    by = {
        r["scenario"]: (r["value"], r["n"])
        for r in metrics(table, resamples=5).to_pylist()
        if r["metric"] == "accuracy"
    }
    assert by["new_respondent"] == (1.0, 10)
    assert by["known"][1] == 20


def test_numbers_are_scored_by_their_distance_and_texts_by_their_words() -> None:
    asked = pa.table(
        {
            "survey": ["s", "s"],
            "question_id": ["age", "why"],
            "options": pa.array([[], []], pa.list_(pa.string())),
            "ordinal": pa.array([[], []], pa.list_(pa.float64())),
            "kind": ["numeric", "text"],
        }
    )
    truth = holdout({("p0", "age"): "40", ("p1", "age"): "30", ("p0", "why"): "Cost of living"})
    rows = [("p0", "age", "44"), ("p1", "age", "30.0"), ("p0", "why", "cost  of living")]
    table = score(
        pa.Table.from_pylist(
            [
                {
                    "survey": "s",
                    "respondent_id": person,
                    "question_id": question,
                    "predictor": "guess",
                    "answer": answer,
                    "status": "valid",
                }
                for person, question, answer in rows
            ],
            schema=PREDICTIONS,
        ),
        truth,
        asked,
    )
    values = found(table)
    assert values == {
        "absolute_error": 2.0,
        "numeric_share_invalid": 0.0,
        "text_match": 1.0,
        "text_share_invalid": 0.0,
    }


def test_a_predictor_without_every_pair_is_not_among_those_of_all_pairs() -> None:
    table = scored(truths(20, 2), {("a", None): right(0.5), ("b", "m"): right(0.5)}, count=2)
    fewer = table.filter(
        pa.array([r["predictor"] == "a" or r["question_id"] == "q0" for r in table.to_pylist()])
    )
    rows = metrics(fewer, resamples=5).to_pylist()
    assert {r["predictor"] for r in rows if r["pairs"] == "all"} == {"a"}
    assert {r["predictor"] for r in rows if r["pairs"] == "llm"} == {"a", "b"}


def test_many_classes_are_counted_as_few_are() -> None:
    given = {(f"p{i:04}", f"q{i % 200}"): OPTIONS[i % 4] for i in range(800)}
    table = scored(given, {("guess", None): right(0.5)}, count=200)
    few = {(f"p{i:04}", f"q{i % 3}"): OPTIONS[i % 4] for i in range(300)}
    one = scored(few, {("guess", None): right(0.5)}, count=3)
    for scores in (table, one):
        rows = scores.to_pylist()
        truth = [f"{r['question_id']}{r['truth_code']}" for r in rows]
        guess = [f"{r['question_id']}{r['answer_code']}" for r in rows]
        expected = f1_score(truth, guess, average="macro", zero_division=0)
        assert found(scores)["macro_f1"] == pytest.approx(expected, abs=1e-8)
    assert np.isfinite(found(table)["macro_f1"])
