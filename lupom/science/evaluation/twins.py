"""Questions that give each other away: a held-out answer can be read off another question."""

from __future__ import annotations

import re
from dataclasses import dataclass
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
        ("attribute", pa.bool_()),
    ]
)
# Items of one battery reach .6; the same question asked again in one interview exceeds .9.
LEAST = 0.9
# Fewer respondents who answered both, and an association is luck.
FEWEST = 30
# So is one with an attribute of so many values that there are fewer respondents for each cell.
A_CELL = 5
# Pairs that a note names.
SHOWN = 3


def question_twins(
    responses: Any,
    questions: Any,
    respondents: Any = None,
    *,
    least: float = LEAST,
    fewest: int = FEWEST,
) -> pa.Table:
    """Return pairs of questions of which one tells the answer to the other.

    Hiding an answer hides nothing when the same was asked twice, or is an attribute, too: whoever
    sees the other answer reads the hidden one off it, and every metric is too good.

    Parameters
    ----------
    responses : survey, respondent_id, question_id, answer (null for none).
    questions : survey, question_id, question, options.
    respondents : survey, respondent_id, attributes; without them only questions are compared.
    least : Cramer's V from which two questions are twins.
    fewest : respondents who must have answered both.

    Returns
    -------
    survey, question_id, twin_id (the two in alphabetic order), same_wording (case, spaces and
    punctuation aside), association (Cramer's V; null with too few respondents), determined (the
    share of answers to question_id that are the most common one among those with the same answer
    to twin_id), n (respondents who answered both), attribute (whether twin_id is one).

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
        people = None
        if respondents is not None:
            people = arrow(respondents)
            people = people.filter(pc.equal(people["survey"], survey))
        rows += _of_survey(survey, asked, given, people, least, fewest)
    return pa.Table.from_pylist(rows, schema=TWINS)


def notes(found: pa.Table) -> list[str]:
    """Return a line for each survey with twins, as `question_twins` returns them."""
    by_survey: dict[str, list[str]] = {}
    for row in found.to_pylist():
        kind = "the attribute " if row["attribute"] else ""
        pair = f"{row['question_id']} off {kind}{row['twin_id']}"
        by_survey.setdefault(row["survey"], []).append(pair)
    out = []
    for survey, pairs in by_survey.items():
        more = f" and {len(pairs) - SHOWN} more" if len(pairs) > SHOWN else ""
        out.append(
            f"{survey}: held-out answers can be read off others ({', '.join(pairs[:SHOWN])}{more}),"
            " so that every metric is too good: leave one of the two out (table question_twins)"
        )
    return out


def _of_survey(
    survey: str,
    asked: pa.Table,
    given: pa.Table,
    people: pa.Table | None,
    least: float,
    fewest: int,
) -> list[dict[str, Any]]:
    ids = asked["question_id"].to_pylist()
    texts = asked["question"].to_pylist()
    wordings = [re.sub(r"\W+", " ", str(text)).casefold().strip() for text in texts]
    columns = ("respondent_id", "question_id", "answer")
    cells = list(zip(*(given[name].to_pylist() for name in columns), strict=True))
    answers = _indicators([list(o or ()) for o in asked["options"].to_pylist()], ids, cells)
    count = len(ids)
    if people is not None:
        answers = _with_attributes(answers, ids, people)
    ends = np.concatenate([[0], np.cumsum(answers.sizes)])
    counts = answers.values.T @ answers.values
    rows = []
    for i in range(count):
        for j in range(i + 1, len(ids)):
            table = counts[ends[i] : ends[i + 1], ends[j] : ends[j + 1]]
            n, of_attribute = int(table.sum()), j >= count
            same = not of_attribute and bool(wordings[i]) and wordings[i] == wordings[j]
            enough = n >= max(fewest, A_CELL * table.size if of_attribute else 0)
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
                    "attribute": of_attribute,
                }
            )
    return rows


@dataclass(frozen=True)
class _Indicators:
    """Answers as 0 and 1, (people, options of all questions), and how many options each has."""

    people: dict[str, int]
    sizes: list[int]
    values: npt.NDArray[np.float32]


def _indicators(
    options: list[list[str]], ids: list[str], cells: list[tuple[str, str, str]]
) -> _Indicators:
    sizes = [len(o) for o in options]
    starts = np.concatenate([[0], np.cumsum(sizes)]).astype(int).tolist()
    place = {
        (question, option): starts[q] + k
        for q, question in enumerate(ids)
        for k, option in enumerate(options[q])
    }
    people = {p: i for i, p in enumerate(sorted({person for person, *_ in cells}))}
    out = np.zeros((len(people), starts[-1]), dtype=np.float32)
    for person, question, answer in cells:
        column = place.get((question, answer))
        if column is not None:
            out[people[person], column] = 1.0
    return _Indicators(people, sizes, out)


def _with_attributes(answers: _Indicators, ids: list[str], people: pa.Table) -> _Indicators:
    """Return answers and attributes beside them; the names of these are added to `ids`."""
    told: dict[str, list[tuple[str, str, str]]] = {}
    columns = (people[name].to_pylist() for name in ("respondent_id", "attributes"))
    for person, attributes in zip(*columns, strict=True):
        for name, value in dict(attributes or {}).items():
            if value and person in answers.people:
                told.setdefault(name, []).append((person, name, value))
    sizes, parts = list(answers.sizes), [answers.values]
    for name in sorted(told):
        values = sorted({value for *_, value in told[name]})
        # No table with more cells than that has enough people in it.
        if 2 * A_CELL * len(values) > len(answers.people):
            continue
        part = np.zeros((len(answers.people), len(values)), dtype=np.float32)
        at = {value: k for k, value in enumerate(values)}
        for person, _, value in told[name]:
            part[answers.people[person], at[value]] = 1.0
        ids.append(name)
        sizes.append(len(values))
        parts.append(part)
    return _Indicators(answers.people, sizes, np.hstack(parts))


def _cramers_v(table: npt.NDArray[np.float32]) -> float:
    """Return Cramer's V of a contingency table; 0 where one of the two has a single answer."""
    kept = table[table.sum(axis=1) > 0][:, table.sum(axis=0) > 0].astype(float)
    if min(kept.shape) < 2:
        return 0.0
    n = kept.sum()
    expected = kept.sum(axis=1, keepdims=True) @ kept.sum(axis=0, keepdims=True) / n
    chi = (np.square(kept - expected) / expected).sum()
    return float(np.sqrt(chi / (n * (min(kept.shape) - 1))))
