"""The prediction task of one survey as arrays: what is known, and the pairs to predict."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from lupom.science.inputs import arrow, require

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

HIDDEN = -1

# An attribute's value that fewer respondents have says more about these few than about others.
RAREST_VALUE = 5


@dataclass(frozen=True)
class Task:
    """One survey's known answers and the pairs to predict, in an order that depends on ids alone.

    Attributes
    ----------
    survey : its name.
    respondents, questions : ids, (R) and (Q).
    options : labels by question.
    answers : (R, Q), the option's index, -1 where it is not known.
    reference : (R), whether a respondent is one to learn from.
    attributes : (R, A), 0 or 1 for each value of each attribute, blank being a value.
    rows, columns : (P), respondent and question of each pair to predict.
    """

    survey: str
    respondents: tuple[str, ...]
    questions: tuple[str, ...]
    options: tuple[tuple[str, ...], ...]
    answers: Ints
    reference: Bools
    attributes: Floats
    rows: Ints
    columns: Ints

    @property
    def width(self) -> int:
        """Return the number of options of the question that has most."""
        return max(map(len, self.options), default=0)

    @cached_property
    def known(self) -> Floats:
        """Return the known answers as 0 and 1, (R, sum of options); all 0 where not known."""
        out = np.zeros((len(self.respondents), int(self.offsets[-1])))
        row, column = np.nonzero(self.answers != HIDDEN)
        out[row, self.offsets[column] + self.answers[row, column]] = 1.0
        return out

    @cached_property
    def offsets(self) -> Ints:
        """Return where each question's options begin in `known`, (Q + 1)."""
        return np.concatenate([[0], np.cumsum([len(o) for o in self.options])]).astype(np.int64)

    def by_question(self) -> Iterator[tuple[int, Ints]]:
        """Yield each question that has pairs, with the positions of its pairs."""
        for question in np.unique(self.columns):
            yield int(question), np.flatnonzero(self.columns == question)

    def learners(self, question: int) -> Ints:
        """Return the reference respondents whose answer to a question is known."""
        return np.flatnonzero(self.reference & (self.answers[:, question] != HIDDEN))

    def prior(self, question: int) -> Floats:
        """Return each option's share among the learners, one answer added to each (Laplace)."""
        given = self.answers[self.learners(question), question]
        counts = np.bincount(given, minlength=len(self.options[question])) + 1.0
        return np.asarray(counts / counts.sum())


def tasks(known: Any, pairs: Any, respondents: Any, questions: Any) -> list[Task]:
    """Return the task of every survey that has pairs, by name.

    Parameters
    ----------
    known : survey, respondent_id, question_id, role ('known', 'test' or 'tuning'), answer (null
        where hidden or missing). A respondent with a 'test' role anywhere is not learned from.
    pairs : survey, respondent_id, question_id to predict.
    respondents : survey, respondent_id, attributes (map of text).
    questions : survey, question_id, options (list of text).

    Raises
    ------
    ValueError : for a missing column, a pair that is not among `known`, an answer that is none of
        the options, and a pair whose answer is known: predicting that would be reading it.
    """
    known, pairs = arrow(known), arrow(pairs)
    respondents, questions = arrow(respondents), arrow(questions)
    cell = ("survey", "respondent_id", "question_id")
    require(known, (*cell, "role", "answer"), "known responses")
    require(pairs, cell, "pairs")
    require(respondents, ("survey", "respondent_id", "attributes"), "respondents")
    require(questions, ("survey", "question_id", "options"), "questions")
    return [
        _task(
            survey,
            *(
                t.filter(pc.equal(t["survey"], survey))
                for t in (known, pairs, respondents, questions)
            ),
        )
        for survey in sorted(pc.unique(pairs["survey"]).to_pylist())
    ]


def _task(
    survey: str, known: pa.Table, pairs: pa.Table, respondents: pa.Table, questions: pa.Table
) -> Task:
    people = respondents.select(["respondent_id", "attributes"]).sort_by("respondent_id")
    ids = people["respondent_id"].combine_chunks()
    asked = questions.select(["question_id", "options"]).sort_by("question_id")
    keys = asked["question_id"].combine_chunks()
    options = tuple(tuple(o) for o in asked["options"].to_pylist())
    rows = _index(known["respondent_id"], ids, survey, "respondent")
    columns = _index(known["question_id"], keys, survey, "question")
    answers = np.full((len(ids), len(keys)), HIDDEN, dtype=np.int64)
    answers[rows, columns] = _codes(known["answer"], columns, options, survey)
    reference = np.ones(len(ids), dtype=bool)
    reference[rows[np.asarray(pc.equal(known["role"], "test"))]] = False
    pairs = pairs.sort_by([("question_id", "ascending"), ("respondent_id", "ascending")])
    pair_rows = _index(pairs["respondent_id"], ids, survey, "respondent")
    pair_columns = _index(pairs["question_id"], keys, survey, "question")
    read = np.flatnonzero(answers[pair_rows, pair_columns] != HIDDEN)
    if read.size:
        row, column = ids[int(pair_rows[read[0]])], keys[int(pair_columns[read[0]])]
        raise ValueError(
            f"{survey}: the answer of respondent {row} to {column} is to be predicted and is among "
            f"the known ones ({read.size} such pairs); hide it first"
        )
    return Task(
        survey,
        tuple(ids.to_pylist()),
        tuple(keys.to_pylist()),
        options,
        answers,
        reference,
        _one_hot(people["attributes"].to_pylist()),
        pair_rows,
        pair_columns,
    )


def _index(values: pa.ChunkedArray, among: pa.Array, survey: str, what: str) -> Ints:
    found = pc.index_in(values, value_set=among)
    if found.null_count:
        stranger = values.filter(pc.is_null(found))[0]
        raise ValueError(f"{survey}: {what} {stranger} has no row of its own among the {what}s")
    return np.asarray(found.combine_chunks(), dtype=np.int64)


def _codes(
    answers: pa.ChunkedArray, columns: Ints, options: tuple[tuple[str, ...], ...], survey: str
) -> Ints:
    """Return each answer as the index of its option in its own question."""
    encoded = answers.combine_chunks().dictionary_encode()
    labels = encoded.dictionary.to_pylist()
    # One row more than there are labels: -1, the index of a null, finds it.
    table = np.full((len(labels) + 1, len(options)), HIDDEN, dtype=np.int64)
    place = {label: i for i, label in enumerate(labels)}
    for column, given in enumerate(options):
        for code, label in enumerate(given):
            if label in place:
                table[place[label], column] = code
    label_of = np.asarray(pc.fill_null(encoded.indices, -1), dtype=np.int64)
    codes = table[label_of, columns]
    strange = np.flatnonzero((codes == HIDDEN) & (label_of >= 0))
    if strange.size:
        first = int(strange[0])
        raise ValueError(
            f"{survey}: the answer {labels[label_of[first]]!r} is none of its question's options "
            f"{list(options[int(columns[first])])}"
        )
    return np.asarray(codes)


def _one_hot(attributes: list[Any]) -> Floats:
    """Return 0 and 1 for each value of each attribute; blank is one, rare ones are left out."""
    maps = [dict(a or {}) for a in attributes]
    names = sorted({name for m in maps for name in m})
    out = []
    for name in names:
        values = np.array([m.get(name, "") for m in maps], dtype=object).astype(str)
        for value in np.unique(values):
            column = values == value
            if column.sum() >= RAREST_VALUE:
                out.append(column)
    return np.array(out, dtype=np.float64).T if out else np.zeros((len(maps), 0))
