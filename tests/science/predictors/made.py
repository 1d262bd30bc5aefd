"""Held-out pairs whose answers are drawn from known probabilities, and parts that know of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa

from lupom.science.predictors.distributions import PREDICTIONS, Pairs
from lupom.science.predictors.task import Floats

OPTIONS = ("a", "b", "c")


@dataclass
class Made:
    """Pairs (P), the probabilities their answers were drawn from (P, 3), and the answers."""

    pairs: Pairs
    true: Floats
    answers: np.ndarray

    def table(self, **parts: Floats) -> pa.Table:
        """Return baselines' predictions by name."""
        return pa.concat_tables([self.pairs.table(name, p) for name, p in parts.items()])

    def llm(
        self, where: np.ndarray | None = None, llm: str = "one", **settings: Floats
    ) -> pa.Table:
        """Return an LLM's predictions of some of the pairs, by setting."""
        tables = [self.pairs.table(name, p, llm, where) for name, p in settings.items()]
        return pa.concat_tables(tables)

    @property
    def tuning(self) -> pd.DataFrame:
        """Return the answers of all pairs, those of test pairs among them."""
        return pd.DataFrame(
            {
                "survey": self.pairs.survey,
                "respondent_id": self.pairs.respondents,
                "question_id": [self.pairs.questions[c] for c in self.pairs.columns],
                "answer": [OPTIONS[a] for a in self.answers],
            }
        )

    @property
    def questions(self) -> pd.DataFrame:
        names = list(self.pairs.questions)
        return pd.DataFrame(
            {"survey": "s", "question_id": names, "options": [OPTIONS] * len(names)}
        )

    def loss(self, p: Floats, role: str = "test") -> float:
        """Return the mean log loss over the pairs of a role."""
        rows = np.flatnonzero(self.pairs.roles == role)
        return float(-np.log(p[rows, self.answers[rows]]).mean())

    def read(
        self, table: pa.Table, predictor: str, llm: str | None = None
    ) -> tuple[Floats, Floats]:
        """Return a predictor's probabilities, and which pairs have them."""
        frame = table.to_pandas()
        own = (frame["predictor"] == predictor) & (True if llm is None else frame["llm"] == llm)
        return self.pairs.read(table.filter(pa.array(own)))


NO_LLM = PREDICTIONS.empty_table()


def made(people: int = 200, questions: int = 4, seed: int = 0, sharp: float = 0.6) -> Made:
    """Make pairs of all questions, half of the people having tuning pairs and half test pairs."""
    rng = np.random.default_rng(seed)
    ids = np.array([f"p{i:04}" for i in range(people)], dtype=object)
    respondents = np.tile(ids, questions)
    columns = np.repeat(np.arange(questions), people)
    roles = np.where(np.arange(people) % 2, "test", "tuning").astype(object)[
        np.tile(np.arange(people), questions)
    ]
    true = rng.dirichlet(np.full(3, sharp), size=len(columns)) * 0.97 + 0.01
    answers = (true.cumsum(axis=1) < rng.random((len(columns), 1))).sum(axis=1)
    pairs = Pairs(
        "s",
        tuple(f"q{i}" for i in range(questions)),
        (OPTIONS,) * questions,
        respondents,
        columns,
        roles,
        np.full(len(columns), "known", dtype=object),
        np.where(roles == "tuning", answers, -1),
    )
    return Made(pairs, true, answers)


def noise(m: Made, seed: int = 1) -> Floats:
    """Return distributions that know nothing."""
    return np.random.default_rng(seed).dirichlet(np.ones(3), size=len(m.true)) * 0.97 + 0.01


def powered(p: Floats, power: float) -> Floats:
    """Return probabilities sharpened (power above 1) or flattened."""
    out = p**power
    return out / out.sum(axis=1, keepdims=True)
