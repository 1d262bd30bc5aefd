"""Made-up answers and predictions of them, scored."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from lupom.science.evaluation.scores import score
from lupom.science.predictors.baselines import PREDICTIONS

OPTIONS = ["never", "rarely", "often", "always"]
Predict = Callable[[np.random.Generator, str, str], str | None]


def questions(count: int, *, ordered: bool = True) -> pa.Table:
    positions = [1.0, 2.0, 3.0, 4.0] if ordered else [None] * 4
    return pa.table(
        {
            "survey": ["s"] * count,
            "question_id": [f"q{i}" for i in range(count)],
            "options": [OPTIONS] * count,
            "ordinal": pa.array([positions] * count, pa.list_(pa.float64())),
        }
    )


def respondents(people: int, weights: Mapping[int, float] | None = None) -> pa.Table:
    """Every other one is a woman, of town or country by turns of three."""
    return pa.table(
        {
            "survey": ["s"] * people,
            "respondent_id": [f"p{i:04}" for i in range(people)],
            "weight": [(weights or {}).get(i, 1.0) for i in range(people)],
            "attributes": pa.array(
                [
                    [("SEX", "woman" if i % 2 else "man"), ("PLACE", f"place {i % 3}")]
                    for i in range(people)
                ],
                pa.map_(pa.string(), pa.string()),
            ),
        }
    )


def truths(people: int, count: int, seed: int = 0) -> dict[tuple[str, str], str]:
    rng = np.random.default_rng(seed)
    return {
        (f"p{i:04}", f"q{q}"): OPTIONS[int(rng.integers(4))]
        for i in range(people)
        for q in range(count)
    }


def holdout(given: Mapping[tuple[str, str], str]) -> pa.Table:
    people, asked = zip(*given, strict=True)
    return pa.table(
        {
            "survey": ["s"] * len(given),
            "respondent_id": people,
            "question_id": asked,
            "role": ["test"] * len(given),
            "answer": list(given.values()),
        }
    )


def scored(
    given: Mapping[tuple[str, str], str],
    predictors: Mapping[tuple[str, str | None], Predict],
    *,
    count: int,
    people: pa.Table | None = None,
    probabilities: Callable[[str | None], Any] | None = None,
    ordered: bool = True,
    seed: int = 0,
) -> pa.Table:
    """Score the predictions that functions of (rng, respondent, truth) make; None is invalid."""
    rng = np.random.default_rng(seed)
    rows = []
    for (name, llm), predict in predictors.items():
        for (person, question), truth in given.items():
            answer = predict(rng, person, truth)
            rows.append(
                {
                    "survey": "s",
                    "respondent_id": person,
                    "question_id": question,
                    "predictor": name,
                    "llm": llm,
                    "answer": answer,
                    "probabilities": probabilities(answer) if probabilities and answer else None,
                    "status": "valid" if answer else "invalid",
                }
            )
    truth = holdout(given)
    return score(
        pa.Table.from_pylist(rows, schema=PREDICTIONS),
        truth,
        questions(count, ordered=ordered),
        truth,
        people,
    )


def right(share: float) -> Predict:
    """Return a predictor that is right that often, and else gives any other option."""

    def predict(rng: np.random.Generator, person: str, truth: str) -> str:
        if rng.random() < share:
            return truth
        return str(rng.choice([option for option in OPTIONS if option != truth]))

    return predict


def sure(probability: float) -> Callable[[str | None], Any]:
    """Return distributions that give the answer a probability and the others the rest."""
    rest = (1.0 - probability) / 3.0
    return lambda answer: [(o, probability if o == answer else rest) for o in OPTIONS]
