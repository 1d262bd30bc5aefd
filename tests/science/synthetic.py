"""A survey of made-up people, of whom one hidden trait decides most answers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

OPTIONS = {"a": ["No", "Maybe", "Yes"], "b": ["Low", "High"], "c": ["Red", "Green", "Blue"]}


@dataclass
class Survey:
    """known, holdout, respondents and questions, as the models of a project have them."""

    known: pd.DataFrame
    holdout: pd.DataFrame
    respondents: pd.DataFrame
    questions: pd.DataFrame

    @property
    def pairs(self) -> pd.DataFrame:
        return self.holdout[["survey", "respondent_id", "question_id"]]


def survey(people: int = 120, items: int = 6, held: int = 30, seed: int = 0) -> Survey:
    """Make a survey named 's' with `held` test pairs, of the last third of its people."""
    rng = np.random.default_rng(seed)
    trait = rng.random(people)
    kinds = [list(OPTIONS.values())[i % 3] for i in range(items)]
    questions = pd.DataFrame(
        {
            "survey": "s",
            "question_id": [f"q{i}" for i in range(items)],
            "options": kinds,
            "ordinal": [[float(j) for j in range(len(options))] for options in kinds],
        }
    )
    rows = []
    for person in range(people):
        for item, options in enumerate(kinds):
            place = int(np.clip(trait[person] + rng.normal(0, 0.12), 0, 0.999) * len(options))
            rows.append(("s", f"p{person:03}", f"q{item}", "known", options[place]))
    known = pd.DataFrame(rows, columns=["survey", "respondent_id", "question_id", "role", "answer"])
    known.loc[rng.random(len(known)) < 0.1, "answer"] = None
    late = known[(known["respondent_id"] >= f"p{people * 2 // 3:03}") & known["answer"].notna()]
    cells = late.sample(held, random_state=seed).index
    holdout = known.loc[cells].assign(role="test")
    known.loc[cells, ["role", "answer"]] = ["test", None]
    respondents = pd.DataFrame(
        {
            "survey": "s",
            "respondent_id": [f"p{person:03}" for person in range(people)],
            "attributes": [
                [("AGE", "old" if value > 0.5 else "young"), ("SEX", "f" if i % 2 else "m")]
                for i, value in enumerate(trait + rng.normal(0, 0.3, people))
            ],
        }
    )
    return Survey(known, holdout.reset_index(drop=True), respondents, questions)
