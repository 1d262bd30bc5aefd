"""Prediction sets: beside MAPIE, on people whose answers follow known probabilities."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from lupom.science.evaluation.coverage import set_metrics
from lupom.science.predictors.conformal import prediction_sets, scores_of, threshold

OPTIONS = ["Never", "Seldom", "Often", "Always"]
QUESTIONS = 4


def drawn(seed, n):
    """Return probabilities (n, 4) and answers that follow them."""
    rng = np.random.default_rng(seed)
    p = rng.dirichlet(np.ones(len(OPTIONS)) * 0.7, n)
    return p, np.array([rng.choice(len(OPTIONS), p=row) for row in p])


def tables(seed=1, people=600, roles=("tuning", "test"), sharpen=1.0, hard=()):
    """Return predictions, tuning answers, questions and holdout: each person has a pair or two.

    `sharpen` makes predictions surer than they may be, those of `hard` questions the most.
    """
    rng = np.random.default_rng(seed)
    predictions, answers = [], []
    for i in range(people * QUESTIONS):
        question = i % QUESTIONS
        p = rng.dirichlet(np.ones(len(OPTIONS)) * 0.7)
        answer = OPTIONS[rng.choice(len(OPTIONS), p=p)]
        told = p ** (3.0 if question in hard else sharpen)
        pair = {
            "survey": "s",
            "respondent_id": f"r{i // QUESTIONS:05d}",
            "question_id": f"q{question}",
        }
        role = roles[(i // QUESTIONS) % len(roles)]
        predictions.append(
            {
                **pair,
                "predictor": "stack_plain",
                "llm": None,
                "answer": OPTIONS[int(told.argmax())],
                "probabilities": list(zip(OPTIONS, (told / told.sum()).tolist(), strict=True)),
                "status": "valid",
                "role": role,
                "scenario": "known",
            }
        )
        answers.append({**pair, "role": role, "answer": answer})
    words = [
        *("survey", "respondent_id", "question_id", "predictor", "llm", "answer"),
        *("status", "role", "scenario"),
    ]
    schema = pa.schema(
        [(name, pa.string()) for name in words]
        + [("probabilities", pa.map_(pa.string(), pa.float64()))]
    )
    holdout = pa.Table.from_pylist(answers)
    tuning = pa.Table.from_pylist([a for a in answers if a["role"] == "tuning"] or answers[:0])
    if not tuning.num_rows:
        tuning = holdout.slice(0, 0)
    questions = pa.table(
        {
            "survey": ["s"] * QUESTIONS,
            "question_id": [f"q{i}" for i in range(QUESTIONS)],
            "options": [OPTIONS] * QUESTIONS,
        }
    )
    return pa.Table.from_pylist(predictions, schema), tuning, questions, holdout


def test_scores_threshold_and_sets_are_those_of_mapie():
    from mapie.classification import SplitConformalClassifier
    from mapie.conformity_scores import APSConformityScore
    from sklearn.base import BaseEstimator, ClassifierMixin

    class Told(ClassifierMixin, BaseEstimator):
        """Its features are its probabilities."""

        classes_ = np.arange(len(OPTIONS))

        def __sklearn_is_fitted__(self):
            return True

        def predict_proba(self, rows):
            return np.asarray(rows)

        def predict(self, rows):
            return np.asarray(rows).argmax(axis=1)

    p, answers = drawn(1, 300)
    new, _ = drawn(2, 200)
    theirs = SplitConformalClassifier(
        Told(),
        confidence_level=0.9,
        conformity_score=APSConformityScore(),
        prefit=True,
        random_state=7,
    )
    theirs.conformalize(p, answers)
    _, expected = theirs.predict_set(
        new, conformity_score_params={"include_last_label": "randomized"}
    )

    def luck(n):
        return np.random.RandomState(7).uniform(size=n)

    reached = scores_of(p, luck(300))[np.arange(300), answers]
    found = scores_of(new, luck(200)) <= threshold(reached, np.ones(300, dtype=bool), 0.9)
    assert (found == expected[:, :, 0]).mean() > 0.995


@pytest.mark.parametrize("sharpen", [0.3, 1.0, 3.0])
@pytest.mark.parametrize("level", [0.8, 0.9])
def test_sets_hold_as_often_as_they_are_to_however_sure_the_predictor_is(sharpen, level):
    predictions, tuning, questions, holdout = tables(people=1500, sharpen=sharpen)
    sets = prediction_sets(predictions, tuning, questions, level=level)
    (over_all,) = [r for r in set_metrics(sets, holdout).to_pylist() if r["question_id"] is None]
    assert over_all["n"] == 750 * QUESTIONS
    assert over_all["coverage"] == pytest.approx(level, abs=0.02)


def test_a_question_whose_predictions_are_too_sure_gets_larger_sets():
    predictions, tuning, questions, holdout = tables(people=1500, hard=(2,))
    sets = prediction_sets(predictions, tuning, questions)
    rows = {r["question_id"]: r for r in set_metrics(sets, holdout).to_pylist()}
    for question in ("q0", "q1", "q2", "q3"):
        assert rows[question]["coverage"] == pytest.approx(0.9, abs=0.035)
    # All questions alike: the sure ones would be held in less than nine of ten.
    thresholds = dict(
        zip(sets["question_id"].to_pylist(), sets["threshold"].to_pylist(), strict=True)
    )
    assert thresholds["q2"] > thresholds["q0"] + 0.03


def test_a_set_has_the_likeliest_options_and_at_least_one():
    predictions, tuning, questions, _ = tables(people=200)
    sets = prediction_sets(predictions, tuning, questions)
    told = {
        (r["respondent_id"], r["question_id"]): dict(r["probabilities"])
        for r in predictions.to_pylist()
    }
    for row in sets.to_pylist():
        p = told[row["respondent_id"], row["question_id"]]
        assert row["options"] == sorted(p, key=lambda o: -p[o])[: row["size"]]
        assert row["size"] >= 1


def test_the_answers_of_test_pairs_change_no_set():
    predictions, tuning, questions, _ = tables(people=200)
    again = prediction_sets(predictions, tuning, questions)
    assert again.equals(prediction_sets(predictions, tuning, questions))
    with pytest.raises(ValueError, match="none of"):
        prediction_sets(
            predictions,
            tuning.set_column(
                tuning.column_names.index("answer"), "answer", pa.array(["Maybe"] * tuning.num_rows)
            ),
            questions,
        )


def test_without_tuning_pairs_there_are_no_sets():
    predictions, _, questions, holdout = tables(people=200, roles=("test",))
    sets = prediction_sets(predictions, holdout.slice(0, 0), questions)
    assert sets.num_rows == 0
    assert set_metrics(sets, holdout).num_rows == 0


def test_groups_are_told_apart():
    predictions, tuning, questions, holdout = tables(people=400)
    people = pa.table(
        {
            "survey": ["s"] * 400,
            "respondent_id": [f"r{i:05d}" for i in range(400)],
            "attributes": pa.array(
                [[("SEX", "Female" if i % 4 < 2 else "Male")] for i in range(400)],
                pa.map_(pa.string(), pa.string()),
            ),
        }
    )
    sets = prediction_sets(predictions, tuning, questions)
    rows = [r for r in set_metrics(sets, holdout, people).to_pylist() if r["attribute"]]
    assert {r["group"] for r in rows} == {"Female", "Male"}
    assert all(r["low"] < r["coverage"] < r["high"] for r in rows)
    assert sum(r["n"] for r in rows) == sets.num_rows


def test_a_level_that_is_none_is_told():
    predictions, tuning, questions, _ = tables(people=20)
    with pytest.raises(ValueError, match="between 0 and 1"):
        prediction_sets(predictions, tuning, questions, level=90)
