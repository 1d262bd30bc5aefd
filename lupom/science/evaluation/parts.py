"""Scores split into what is judged together: survey, scenario, set of pairs; and by predictor."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lupom.science.evaluation.bootstrap import Bootstrap, Ints, seeded
from lupom.science.inputs import arrow, require

NEEDED = (
    *("survey", "respondent_id", "question_id", "predictor", "llm", "truth_code", "answer_code"),
    *("correct", "ordinal_error", "nll", "brier", "in_llm_sample"),
)


@dataclass(frozen=True)
class Judged:
    """Pairs that all predictors are judged on, with the draws of their respondents.

    Attributes
    ----------
    survey, scenario, pairs : which they are.
    table : their scores, sorted by predictor, llm, respondent and question.
    people : the respondents, sorted.
    bootstrap : draws of `people`.
    """

    survey: str
    scenario: str
    pairs: str
    table: pa.Table
    people: pa.Array
    bootstrap: Bootstrap

    @property
    def key(self) -> dict[str, str]:
        """What names these pairs in a row."""
        return {"survey": self.survey, "scenario": self.scenario, "pairs": self.pairs}

    def predictors(self) -> Iterator[tuple[dict[str, Any], pa.Table, Ints]]:
        """Yield predictor and llm, their scores, and each score's place among `people`."""
        groups = self.table.select(["predictor", "llm"]).group_by(["predictor", "llm"])
        order = [("predictor", "ascending"), ("llm", "ascending")]
        for group in groups.aggregate([]).sort_by(order).to_pylist():
            llm = group["llm"]
            same = (
                pc.is_null(self.table["llm"]) if llm is None else pc.equal(self.table["llm"], llm)
            )
            own = pc.equal(self.table["predictor"], group["predictor"])
            one = self.table.filter(pc.and_(own, pc.fill_null(same, False)))
            person = pc.index_in(one["respondent_id"], value_set=self.people)
            yield (
                {"predictor": group["predictor"], "llm": llm},
                one,
                np.asarray(person.combine_chunks(), dtype=np.int64),
            )


def judged(scores: Any, *, seed: int = 0, resamples: int = 1000) -> Iterator[Judged]:
    """Yield what is judged together, in order of survey, scenario and set of pairs.

    Parameters
    ----------
    scores : a table as `scores.score` returns it; without a scenario all are 'known'.
    seed, resamples : of the bootstrap.

    Raises
    ------
    ValueError : for a missing column.
    """
    table = arrow(scores)
    require(table, NEEDED, "scores")
    if "scenario" not in table.column_names:
        table = table.append_column("scenario", pa.array(["known"] * table.num_rows, pa.string()))
    # Sums of floats depend on their order; the order of a table's rows should decide nothing.
    order = ("survey", "scenario", "predictor", "llm", "respondent_id", "question_id")
    table = table.sort_by([(name, "ascending") for name in order])
    names = table.select(["survey", "scenario"]).group_by(["survey", "scenario"]).aggregate([])
    for row in names.sort_by([("survey", "ascending"), ("scenario", "ascending")]).to_pylist():
        survey, scenario = row["survey"], row["scenario"]
        own = table.filter(
            pc.and_(pc.equal(table["survey"], survey), pc.equal(table["scenario"], scenario))
        )
        parts = {
            "all": own.filter(pc.is_null(own["llm"])),
            "llm": own.filter(own["in_llm_sample"]),
        }
        for pairs, part in parts.items():
            if part.num_rows:
                people = pc.unique(part["respondent_id"]).sort()
                draws = seeded(len(people), resamples, seed, survey, scenario, pairs)
                yield Judged(survey, scenario, pairs, part, people, draws)
