"""Answers in numbers as columns that other answers are predicted from."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lupom.science.inputs import columns_of
from lupom.science.planning.options import Singles
from lupom.science.predictors.task import Floats

# An answer that is a number as a file may have it.
NUMBER = r"^-?\d+(\.\d+)?([eE][-+]?\d+)?$"
# People with an answer; fewer do not say how much is much.
FEWEST = 20
# Standard deviation of a column: that of an option which half of the people give.
SPREAD = 0.5


def columns(responses: Any, survey: str, respondents: tuple[str, ...]) -> Singles:
    """Return columns of the questions that people answered in numbers, (n, D).

    Of each question the normal scores of its ranks, their squares, for what is more or less likely
    in the middle than at both ends, and whether there is an answer, where some have none (whose
    score is the mean). A question that fewer than 20 people answered, or all alike, has none.

    Parameters
    ----------
    responses : survey, respondent_id, question_id and answer, of questions answered in numbers.
    """
    names = ("survey", "respondent_id", "question_id", "answer")
    table = columns_of(responses, names, "numbers")
    table = table.filter(pc.equal(table["survey"], survey))
    said = pc.fill_null(pc.match_substring_regex(table["answer"], NUMBER), False)
    table = table.filter(said)
    row = pc.index_in(table["respondent_id"], value_set=pa.array(respondents, pa.string()))
    table, row = table.filter(pc.is_valid(row)), np.asarray(row.drop_null(), dtype=np.int64)
    number = np.asarray(pc.cast(table["answer"], pa.float64()))
    names_of = table["question_id"].combine_chunks().dictionary_encode()
    question = np.asarray(names_of.indices, dtype=np.int64)
    found: dict[str, list[Floats]] = {}
    for code, name in enumerate(names_of.dictionary.to_pylist()):
        here = question == code
        values = np.full(len(respondents), np.nan)
        values[row[here]] = number[here]
        found[name] = _columns(values)
    parts = [column for name in sorted(found) for column in found[name]]
    return np.array(parts, dtype=np.float32).reshape(-1, len(respondents)).T


def _columns(values: Floats) -> list[Floats]:
    """Return the columns of a question, of each person's number, nan where there is none."""
    # As scipy.stats has them, which takes a second to import.
    from scipy.special import ndtri

    there = np.isfinite(values)
    known = values[there]
    if len(known) < FEWEST or (known == known[0]).all():
        return []
    _, place, count = np.unique(known, return_inverse=True, return_counts=True)
    # Of equal numbers the mean of their ranks.
    middle = (count.cumsum() - (count - 1) / 2 - 0.5) / len(known)
    score = ndtri(middle)[place]
    out = []
    for one in (score, score**2):
        column = np.zeros(len(values))
        spread = one.std()
        if spread > 0:
            column[there] = (one - one.mean()) / spread * SPREAD
            out.append(column)
    if not there.all():
        out.append(there.astype(np.float64))
    return out
