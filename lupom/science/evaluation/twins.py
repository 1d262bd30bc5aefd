"""Questions that give each other away: a held-out answer can be read off another question."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from lupom.science.evaluation.bootstrap import rounded
from lupom.science.inputs import arrow, require

TWINS = pa.schema(
    [
        ("survey", pa.string()),
        ("question_id", pa.string()),
        ("twin_id", pa.string()),
        ("same_wording", pa.bool_()),
        ("association", pa.float64()),
        ("determined", pa.float64()),
        ("n", pa.int64()),
    ]
)
# Items of one battery reach .6; the same question asked again in one interview exceeds .9.
LEAST = 0.9
# Fewer respondents who answered both, and an association is luck.
FEWEST = 30


def question_twins(
    responses: Any, questions: Any, *, least: float = LEAST, fewest: int = FEWEST
) -> pa.Table:
    """Return pairs of questions of which one tells the answer to the other.

    Hiding an answer hides nothing when the same was asked twice: whoever sees the other answer
    reads the hidden one off it, and every metric is too good.

    Parameters
    ----------
    responses : survey, respondent_id, question_id, answer (null for none).
    questions : survey, question_id, question, options.
    least : Cramer's V from which two questions are twins.
    fewest : respondents who must have answered both.

    Returns
    -------
    survey, question_id, twin_id (the two in alphabetic order), same_wording (case, spaces and
    punctuation aside), association (Cramer's V; null with too few respondents), determined (the
    share of answers to question_id that are the most common one among those with the same answer
    to twin_id), n (respondents who answered both).

    Raises ValueError for a missing column.
    """
    responses, questions = arrow(responses), arrow(questions)
    require(responses, ("survey", "respondent_id", "question_id", "answer"), "responses")
    require(questions, ("survey", "question_id", "question", "options"), "questions")
    responses = responses.filter(pc.is_valid(responses["answer"]))
    rows: list[dict[str, Any]] = []
    for survey in sorted(pc.unique(questions["survey"]).to_pylist()):
        asked = questions.filter(pc.equal(questions["survey"], survey)).sort_by("question_id")
        given = responses.filter(pc.equal(responses["survey"], survey))
        rows += _of_survey(survey, asked, given, least, fewest)
    return pa.Table.from_pylist(rows, schema=TWINS)


def _of_survey(
    survey: str, asked: pa.Table, given: pa.Table, least: float, fewest: int
) -> list[dict[str, Any]]:
    ids = asked["question_id"].to_pylist()
    texts = asked["question"].to_pylist()
    wordings = [re.sub(r"\W+", " ", str(text)).casefold().strip() for text in texts]
    options = [list(o or ()) for o in asked["options"].to_pylist()]
    answers, starts = _indicators(ids, options, given)
    counts = answers.T @ answers
    rows = []
    for i in range(len(ids)):
        for j in range(i + 1, len(ids)):
            table = counts[starts[i] : starts[i + 1], starts[j] : starts[j + 1]]
            n = int(table.sum())
            same = bool(wordings[i]) and wordings[i] == wordings[j]
            enough = n >= fewest
            association = _cramers_v(table) if enough else None
            if not same and (association is None or association < least):
                continue
            rows.append(
                {
                    "survey": survey,
                    "question_id": ids[i],
                    "twin_id": ids[j],
                    "same_wording": same,
                    "association": None if association is None else rounded(association),
                    "determined": rounded(table.max(axis=0).sum() / n) if enough else None,
                    "n": n,
                }
            )
    return rows


def _indicators(
    ids: list[str], options: list[list[str]], given: pa.Table
) -> tuple[npt.NDArray[np.float32], list[int]]:
    """Return answers as 0 and 1, (respondents, options of all questions), and where each begins."""
    starts = [0, *np.cumsum([len(o) for o in options]).tolist()]
    place = {
        (question, option): starts[q] + k
        for q, question in enumerate(ids)
        for k, option in enumerate(options[q])
    }
    people = {p: i for i, p in enumerate(sorted(set(given["respondent_id"].to_pylist())))}
    out = np.zeros((len(people), starts[-1]), dtype=np.float32)
    for person, question, answer in zip(
        given["respondent_id"].to_pylist(),
        given["question_id"].to_pylist(),
        given["answer"].to_pylist(),
        strict=True,
    ):
        column = place.get((question, answer))
        if column is not None:
            out[people[person], column] = 1.0
    return out, starts


def _cramers_v(table: npt.NDArray[np.float32]) -> float:
    """Return Cramer's V of a contingency table; 0 where one of the two has a single answer."""
    kept = table[table.sum(axis=1) > 0][:, table.sum(axis=0) > 0].astype(float)
    if min(kept.shape) < 2:
        return 0.0
    n = kept.sum()
    expected = kept.sum(axis=1, keepdims=True) @ kept.sum(axis=0, keepdims=True) / n
    chi = (np.square(kept - expected) / expected).sum()
    return float(np.sqrt(chi / (n * (min(kept.shape) - 1))))
