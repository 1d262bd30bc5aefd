"""What predictions explain of answers, where it is known how much that is."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from lupom.science.estimates import worth
from lupom.science.estimates.estimates import estimates


def drawn(rng, n, r2, share=0.4):
    """Return answers, (n, 2), and what an LLM says of each that explains so much of them."""
    p = share + np.where(rng.random(n) < 0.5, 1, -1) * np.sqrt(r2 * share * (1 - share))
    yes = (rng.random(n) < p).astype(float)
    return np.column_stack([yes, 1 - yes]), np.column_stack([p, 1 - p])


def test_what_is_explained_is_known_with_an_interval_that_holds():
    rng = np.random.default_rng(1)
    r2, held, found = 0.3, 0, []
    for _ in range(300):
        values, said = drawn(rng, 150, r2)
        one = worth.explained(values, said, rng.uniform(0.8, 1.2, 150), np.arange(150) % 5)
        held += one.low <= r2 <= one.high
        found.append(one.r2)
    assert np.mean(found) == pytest.approx(r2, abs=0.015)
    assert 0.92 <= held / 300 <= 0.98


def test_predictions_that_know_nothing_explain_nothing():
    rng = np.random.default_rng(2)
    found = []
    for _ in range(200):
        values, said = drawn(rng, 60, 0.0)
        found.append(worth.explained(values, rng.permutation(said + rng.random(said.shape)),
                                     np.ones(60), np.arange(60) % 5).r2)  # fmt: skip
    assert np.mean(found) < 0.02
    same = worth.explained(values, np.full((60, 2), 0.5), np.ones(60), np.arange(60) % 5)
    assert same.r2 == same.low == 0


def survey(n=1500, r2=0.35, asked=1.0):
    """Return responses, questions, respondents and an LLM's predictions of everybody."""
    rng = np.random.default_rng(3)
    values, said = drawn(rng, n, r2)
    ids = [f"p{i}" for i in range(n)]
    there = rng.random(n) < asked
    answers = np.where(there, np.where(values[:, 0] == 1, "Yes", "No"), None)
    head = {"survey": "s", "respondent_id": ids, "question_id": "q"}
    responses = pd.DataFrame({**head, "status": np.where(there, "answered", "not_asked")})
    responses["answer"] = answers
    questions = pd.DataFrame(
        {"survey": "s", "question_id": ["q"], "options": [["Yes", "No"]], "kind": "single"}
    )
    respondents = pd.DataFrame({"survey": "s", "respondent_id": ids, "attributes": [[]] * n})
    spread = [[("Yes", p), ("No", 1 - p)] for p in said[:, 0]]
    predictions = pa.table(
        {
            "survey": ["s"] * n,
            "respondent_id": ids,
            "question_id": ["q"] * n,
            "predictor": ["history"] * n,
            "llm": ["big"] * n,
            "answer": pa.nulls(n, pa.string()),
            "probabilities": pa.array(spread, pa.map_(pa.string(), pa.float64())),
            "status": ["valid"] * n,
        }
    )
    return responses, questions, respondents, predictions


def test_a_pilot_whom_everything_was_asked_says_what_predictions_explain():
    [row] = worth.prediction_worth(*survey()).to_pylist()
    assert (row["question_id"], row["predictor"], row["llm"], row["n"]) == (
        *("q", "history", "big"),
        1500,
    )
    assert row["low"] < row["r2"] < row["high"]
    assert row["r2"] == pytest.approx(0.35, abs=0.06)
    assert row["high"] - row["low"] < 0.12
    assert row["mean_r2"] is None, "options without positions have no mean"
    responses, questions, *others = survey()
    ranked = questions.assign(ordinal=[[1.0, 2.0]])
    [scale] = worth.prediction_worth(responses, ranked, *others).to_pylist()
    # Of two options the mean is one of their shares.
    assert scale["mean_r2"] == pytest.approx(row["r2"], abs=1e-6)
    assert worth.prediction_worth(*survey(n=19)).num_rows == 0, "of few people it is not known"
    *tables, none = survey()
    assert worth.prediction_worth(*tables, none.slice(0, 0)).num_rows == 0


def test_it_is_what_the_effective_sample_size_says_where_others_are_predicted_too():
    given = survey(n=4000, asked=0.5)
    [row] = worth.prediction_worth(*given).to_pylist()
    powered = next(r for r in estimates(*given[:3], given[3]).to_pylist() if r["llm"] == "big")
    n, m = powered["n_humans"], powered["n_predicted"]
    said = (1 - n / powered["n_effective"]) / (1 - n / m)
    assert row["r2"] == pytest.approx(said, abs=0.02)
