"""Scored predictions as arrays: the predictions of all predictors on one set of pairs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from lupom.science.inputs import arrow, require

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

NUMBERS = (
    *("correct", "collapsed_correct", "ordinal_error", "absolute_error", "nll", "brier"),
    *("expected_rank_error", "rps", "confidence", "truth_code", "answer_code"),
)
# What a question is answered by: one of its options, a number, or words of one's own.
OPTIONS, NUMERIC, TEXT = KINDS = ("options", "numeric", "text")
_NEEDED = (
    *("survey", "respondent_id", "question_id", "predictor", "llm", "scenario", "weight", "status"),
    "kind",
    *NUMBERS,
    "in_llm_sample",
)


@dataclass(frozen=True)
class Judged:
    """One predictor's scored predictions on a set of pairs, ordered by respondent and question.

    Attributes
    ----------
    person, question : (n) places among the sample's people and questions.
    valid : (n) whether the prediction is one.
    numbers : by name (n), NaN where a prediction has none.
    rows : (n) their rows in the table of scores.
    """

    predictor: str
    llm: str | None
    person: Ints
    question: Ints
    valid: Bools
    numbers: dict[str, Floats]
    rows: Ints

    @property
    def name(self) -> tuple[str, str | None]:
        return self.predictor, self.llm

    def of(self, members: Bools) -> Judged:
        """Return the predictions for some of the people, with places among these."""
        kept = members[self.person]
        place = np.cumsum(members) - 1
        return Judged(
            self.predictor,
            self.llm,
            place[self.person[kept]],
            self.question[kept],
            self.valid[kept],
            {name: values[kept] for name, values in self.numbers.items()},
            self.rows[kept],
        )


@dataclass(frozen=True)
class Sample:
    """All predictors of one survey on one set of pairs.

    Attributes
    ----------
    scenario : 'known', 'new_respondent' or 'new_question'.
    kind : what its questions are answered by, 'options', 'numeric' or 'text'.
    pairs : 'all' are all test pairs, for predictors that predict each of them; 'llm' are the pairs
        an LLM was asked; and the name of one who predicted some pairs elsewhere are those pairs.
    people, questions : their ids in alphabetic order.
    weights : (people) survey weights.
    judged : by predictor and LLM in alphabetic order.
    """

    survey: str
    scenario: str
    kind: str
    pairs: str
    people: tuple[str, ...]
    questions: tuple[str, ...]
    weights: Floats
    judged: tuple[Judged, ...]

    def named(self, judged: Judged) -> dict[str, str | None]:
        """Return what every row about one of its predictors begins with."""
        return {
            "survey": self.survey,
            "scenario": self.scenario,
            "pairs": self.pairs,
            "predictor": judged.predictor,
            "llm": judged.llm,
        }

    @property
    def weighted(self) -> bool:
        """Whether the weights say anything."""
        return bool(self.weights.size and np.ptp(self.weights) > 0)


def samples(scores: Any, kinds: Sequence[str] = (OPTIONS,)) -> Iterator[Sample]:
    """Yield the samples of a table of scores, by survey, scenario, kind and set of pairs.

    Raises ValueError for a missing column, and for a respondent with two weights.
    """
    table = arrow(scores)
    require(table, _NEEDED, "scores")
    codes, words = {}, {}
    for name in ("survey", "scenario", "predictor", "llm", "respondent_id", "question_id"):
        codes[name], words[name] = encoded(table[name])
    asked = np.asarray(table["in_llm_sample"])
    kind = pc.index_in(pc.fill_null(table["kind"], ""), value_set=pa.array([NUMERIC, TEXT]))
    answered_by = np.asarray(pc.fill_null(kind, -1).combine_chunks(), dtype=np.int64) + 1
    for survey, survey_name in enumerate(words["survey"]):
        for scenario, scenario_name in enumerate(words["scenario"]):
            here = np.flatnonzero((codes["survey"] == survey) & (codes["scenario"] == scenario))
            for kind in kinds:
                of_kind = here[answered_by[here] == KINDS.index(kind)]
                for pairs, rows in _sets(codes, words, of_kind, asked):
                    where = (survey_name, scenario_name, kind, pairs)
                    made = _sample(table, codes, words, rows, where)
                    if made is not None:
                        yield made


def _sets(
    codes: dict[str, Ints], words: dict[str, list[str]], rows: Ints, asked: Bools
) -> Iterator[tuple[str, Ints]]:
    """Yield name and rows of each set of pairs to judge predictors on, among the rows of a survey.

    Who predicted other pairs than those the LLM was asked, and not all, predicted elsewhere.
    """
    yield "all", rows
    yield "llm", rows[asked[rows]]
    cell = codes["respondent_id"][rows] * max(len(words["question_id"]), 1)
    cell += codes["question_id"][rows]
    count = len(np.unique(cell))
    for alias, name in enumerate(words["llm"]):
        own = codes["llm"][rows] == alias
        covered = np.unique(cell[own])
        if (own & ~asked[rows]).any() and len(covered) < count:
            yield name, rows[np.isin(cell, covered)]


def encoded(column: pa.ChunkedArray) -> tuple[Ints, list[str]]:
    """Return a text column as places in its values' alphabetic order, -1 for null, and these."""
    column = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    if not pa.types.is_dictionary(column.type):
        column = column.cast(pa.string()).dictionary_encode()
    values = column.dictionary.cast(pa.string()).to_pylist()
    order = sorted(range(len(values)), key=lambda i: values[i])
    place = np.empty(len(values) + 1, dtype=np.int64)
    place[order] = np.arange(len(values))
    place[-1] = -1
    return place[np.asarray(pc.fill_null(column.indices, -1), dtype=np.int64)], sorted(values)


def _sample(
    table: pa.Table,
    codes: dict[str, Ints],
    words: dict[str, list[str]],
    rows: Ints,
    where: tuple[str, str, str, str],
) -> Sample | None:
    if not rows.size:
        return None
    people, person = np.unique(codes["respondent_id"][rows], return_inverse=True)
    questions, question = np.unique(codes["question_id"][rows], return_inverse=True)
    cell = person * len(questions) + question
    pairs = where[-1]
    predictor, llm = codes["predictor"][rows], codes["llm"][rows]
    whole = len(np.unique(cell))
    judged = []
    for p, name in enumerate(words["predictor"]):
        for m, alias in enumerate([None, *words["llm"]]):
            own = np.flatnonzero((predictor == p) & (llm == m - 1))
            if not own.size or (pairs == "all" and len(own) < whole):
                continue
            own = own[np.argsort(cell[own], kind="stable")]
            at = rows[own]
            judged.append(
                Judged(
                    name,
                    alias,
                    person[own],
                    question[own],
                    _taken(table["answer_code"], at) > 0,
                    {number: _taken(table[number], at) for number in NUMBERS},
                    at,
                )
            )
    # Numbers and texts have no code: there, what says "valid" is valid.
    judged = [_with_valid(one, table) for one in judged]
    if not judged:
        return None
    weights = np.full(len(people), np.nan)
    weights[person] = _taken(table["weight"], rows)
    return Sample(
        *where,
        tuple(words["respondent_id"][i] for i in people),
        tuple(words["question_id"][i] for i in questions),
        np.nan_to_num(weights, nan=1.0),
        tuple(judged),
    )


def _with_valid(one: Judged, table: pa.Table) -> Judged:
    uncoded = np.isnan(one.numbers["truth_code"])
    if not uncoded.any():
        return one
    status = np.asarray(pc.fill_null(pc.equal(table["status"].take(one.rows), "valid"), False))
    return Judged(
        one.predictor,
        one.llm,
        one.person,
        one.question,
        np.where(uncoded, status, one.valid),
        one.numbers,
        one.rows,
    )


def _taken(column: pa.ChunkedArray, rows: Ints) -> Floats:
    whole = column.cast(pa.int8()) if pa.types.is_boolean(column.type) else column
    return np.asarray(whole.take(pa.array(rows)).cast(pa.float64()).to_numpy())
