"""The prediction task of one survey as arrays: what is known, and the pairs to predict."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from lupom.science.inputs import arrow, require
from lupom.science.tables import option_codes

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Words = npt.NDArray[np.object_]

HIDDEN = -1

# An attribute's value that fewer reference respondents have says more about them than about others.
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
    attributes : (R, A), 0 or 1 for each value of each attribute, blank being a value; of those that
        five reference respondents have.
    rows, columns : (P), respondent and question of each pair to predict.
    roles, scenarios : (P), role and scenario of each pair, as text.
    weights : (R), survey weights.
    traits : (R, attributes), the number of each attribute's value in `trait_values`, -1 if blank.
    trait_names, trait_values : names of the attributes, and the values of each.
    common : (trait, value) of each column of `attributes`, -1 being blank.
    follow_ups : by question, those that are asked by what its answer is: their answers, and that
        there is none, give it away, so that nothing of them is looked at where it is predicted
        (`screened`). Empty where no question is a filter.
    targets : (Q), the questions that are predicted; None is all. Others need no fit of their own.
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
    roles: Words
    scenarios: Words
    weights: Floats
    traits: Ints
    trait_names: tuple[str, ...]
    trait_values: tuple[tuple[str, ...], ...]
    common: tuple[tuple[int, int], ...] = ()
    follow_ups: tuple[tuple[int, ...], ...] = ()
    targets: Bools | None = None

    @property
    def width(self) -> int:
        """Return the number of options of the question that has most."""
        return max(map(len, self.options), default=0)

    @property
    def wanted(self) -> list[int]:
        """Return the questions of `targets`, in order."""
        count = len(self.questions)
        return list(range(count)) if self.targets is None else np.flatnonzero(self.targets).tolist()

    @cached_property
    def known(self) -> Floats:
        """Return the known answers as 0 and 1, (R, sum of options); all 0 where not known."""
        return one_hot_answers(self.answers, self.offsets).astype(np.float64)

    @cached_property
    def features(self) -> npt.NDArray[np.uint8]:
        """Return known answers and attributes as 0 and 1, (R, sum of options + A)."""
        return np.hstack([self.known, self.attributes]).astype(np.uint8)

    @cached_property
    def offsets(self) -> Ints:
        """Return where each question's options begin in `known`, (Q + 1)."""
        return np.concatenate([[0], np.cumsum([len(o) for o in self.options])]).astype(np.int64)

    @cached_property
    def owner(self) -> Ints:
        """Return the question of each option in `known`, (sum of options)."""
        return np.repeat(np.arange(len(self.questions)), np.diff(self.offsets))

    def of_pairs(self, p: npt.NDArray[np.floating[Any]], place: Ints) -> Floats:
        """Return the pairs' part of what is said of all options of some people, (P, width).

        Shapes: p (n, sum of options); place (P), which of these people each pair is of.
        """
        out = np.zeros((len(self.rows), self.width))
        for question, here in self.by_question():
            part = slice(int(self.offsets[question]), int(self.offsets[question + 1]))
            out[here, : part.stop - part.start] = p[place[here], part]
        return out

    def by_question(self) -> Iterator[tuple[int, Ints]]:
        """Yield each question that has pairs, with the positions of its pairs."""
        for question in np.unique(self.columns):
            yield int(question), np.flatnonzero(self.columns == question)

    def only(self, pairs: Ints | Bools) -> Task:
        """Return the task with some of its pairs."""
        part = replace(
            self,
            rows=self.rows[pairs],
            columns=self.columns[pairs],
            roles=self.roles[pairs],
            scenarios=self.scenarios[pairs],
        )
        # What depends on no pair need not be made twice.
        part.__dict__.update(
            known=self.known, features=self.features, offsets=self.offsets, answered=self.answered
        )
        return part

    @cached_property
    def answered(self) -> Bools:
        """Return which questions some reference respondent's answer is known to, (Q)."""
        return np.asarray((self.answers[self.reference] != HIDDEN).any(axis=0))

    @property
    def blank(self) -> Bools:
        """Return which respondents no answer is known of, (R)."""
        return np.asarray((self.answers == HIDDEN).all(axis=1))

    def learners(self, question: int) -> Ints:
        """Return the reference respondents whose answer to a question is known."""
        return np.flatnonzero(self.reference & (self.answers[:, question] != HIDDEN))

    def alike(self, question: int, answered: Bools | None = None) -> Ints:
        """Return the other questions with the same options that somebody answered.

        `answered` (Q) says which these are; by default those that reference respondents did.
        """
        same = [options == self.options[question] for options in self.options]
        same[question] = False
        return np.flatnonzero(np.array(same) & (self.answered if answered is None else answered))

    def prior(self, question: int, *, weighted: bool = False) -> Floats:
        """Return each option's share among the learners, one answer added to each (Laplace).

        Weighted shares count a respondent by survey weight, the mean weight of learners being 1. Of
        a question that nobody answered they are the mean shares of those with the same options,
        and without one all the same.
        """
        learners = self.learners(question)
        width = len(self.options[question])
        if not len(learners):
            alike = self.alike(question)
            if not len(alike):
                return np.full(width, 1.0 / width)
            shares = [self.prior(int(other), weighted=weighted) for other in alike]
            return np.asarray(np.mean(shares, axis=0))
        given = self.answers[learners, question]
        weights = self.weights[learners] if weighted else np.ones(len(learners))
        total = weights.sum()
        # All weights being 0 says nothing.
        weights = weights * len(learners) / total if total > 0 else np.ones(len(learners))
        counts = np.bincount(given, weights=weights, minlength=width) + 1.0
        return np.asarray(counts / counts.sum())

    def shares(self, *, weighted: bool = False) -> Floats:
        """Return `prior` of all questions one after the other, (sum of options)."""
        parts = [self.prior(q, weighted=weighted) for q in range(len(self.questions))]
        return np.concatenate(parts) if parts else np.zeros(0)


def tasks(
    known: Any, pairs: Any | None, respondents: Any, questions: Any, *, learners: Any = None
) -> list[Task]:
    """Return the task of every survey that has pairs, by name.

    Parameters
    ----------
    known : survey, respondent_id, question_id, role ('known', 'test' or 'tuning'), answer (null
        where hidden or missing).
    pairs : survey, respondent_id, question_id to predict, None for every survey of `known` without
        any; role ('test') and scenario ('known')
        where there are such columns.
    respondents : survey, respondent_id, attributes (map of text); weight (1) where there is one.
    questions : survey, question_id, options (list of text); follow_ups (the ids of those that are
        asked by what its answer is) where there is such a column.
    learners : survey, respondent_id of those who are learned from; by default everybody without a
        'test' role anywhere.

    Raises
    ------
    ValueError : for a missing column, a pair that is not among `known`, an answer that is none of
        the options, and a pair whose answer is known: predicting that would be reading it.
    """
    known = arrow(known)
    surveys = pc.unique((known if pairs is None else arrow(pairs))["survey"]).to_pylist()
    pairs = known.slice(0, 0) if pairs is None else arrow(pairs)
    respondents, questions = arrow(respondents), arrow(questions)
    learners = None if learners is None else arrow(learners)
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
            learners=learners,
        )
        for survey in sorted(surveys)
    ]


def everyone(responses: Any, respondents: Any, questions: Any) -> list[Task]:
    """Return every survey's answers as a task without pairs, by name; all people are learned from.

    Parameters
    ----------
    responses : survey, respondent_id, question_id, answer (null where there is none).
    respondents, questions : as `tasks` takes them, which says what is raised, too.
    """
    known = arrow(responses)
    cell = ("survey", "respondent_id", "question_id")
    require(known, (*cell, "answer"), "responses")
    known = known.select([*cell, "answer"])
    known = known.append_column("role", pa.array(["known"] * known.num_rows, pa.string()))
    respondents, questions = arrow(respondents), arrow(questions)
    require(respondents, ("survey", "respondent_id", "attributes"), "respondents")
    require(questions, ("survey", "question_id", "options"), "questions")
    out = []
    for survey in sorted(pc.unique(known["survey"]).to_pylist()):
        here, people, asked = (
            t.filter(pc.equal(t["survey"], survey)) for t in (known, respondents, questions)
        )
        out.append(_task(survey, here, here.slice(0, 0), people, asked))
    return out


def _task(
    survey: str,
    known: pa.Table,
    pairs: pa.Table,
    respondents: pa.Table,
    questions: pa.Table,
    *,
    learners: pa.Table | None = None,
) -> Task:
    people = respondents.sort_by("respondent_id")
    ids = people["respondent_id"].combine_chunks()
    asked = questions.sort_by("question_id")
    keys = asked["question_id"].combine_chunks()
    options = tuple(tuple(o) for o in asked["options"].to_pylist())
    rows = _index(known["respondent_id"], ids, survey, "respondent")
    columns = _index(known["question_id"], keys, survey, "question")
    answers = np.full((len(ids), len(keys)), HIDDEN, dtype=np.int64)
    answers[rows, columns] = _codes(known["answer"], columns, options, survey)
    if learners is None:
        reference = np.ones(len(ids), dtype=bool)
        reference[rows[np.asarray(pc.equal(known["role"], "test"))]] = False
    else:
        own = learners.filter(pc.equal(learners["survey"], survey))["respondent_id"]
        reference = np.asarray(pc.is_in(ids, value_set=own.combine_chunks().cast(ids.type)))
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
    names, values, traits = _traits(people["attributes"].to_pylist())
    # By those learned from, so that who is predicted changes nothing of what is learned.
    common = _common(traits[reference], values)
    return Task(
        survey,
        tuple(ids.to_pylist()),
        tuple(keys.to_pylist()),
        options,
        answers,
        reference,
        one_hot(traits, common),
        pair_rows,
        pair_columns,
        _words(pairs, "role", "test"),
        _words(pairs, "scenario", "known"),
        _weights(people),
        traits,
        names,
        values,
        common,
        _follow_ups(asked),
    )


def _follow_ups(asked: pa.Table) -> tuple[tuple[int, ...], ...]:
    """Return the questions that hang on each, by number; empty where nothing hangs on any."""
    if "follow_ups" not in asked.column_names:
        return ()
    place = {question: i for i, question in enumerate(asked["question_id"].to_pylist())}
    found = tuple(
        tuple(sorted(place[one] for one in those or () if one in place))
        for those in asked["follow_ups"].to_pylist()
    )
    return found if any(found) else ()


def _words(table: pa.Table, name: str, default: str) -> Words:
    if name not in table.column_names:
        return np.full(table.num_rows, default, dtype=object)
    column = pc.fill_null(table[name].cast(pa.string()), default)
    return np.array(column.to_pylist(), dtype=object)


def _weights(people: pa.Table) -> Floats:
    if "weight" not in people.column_names:
        return np.ones(people.num_rows)
    column = pc.fill_null(people["weight"].cast(pa.float64()), 1.0)
    weights = np.nan_to_num(np.asarray(column.to_numpy(), dtype=np.float64), nan=1.0)
    return np.maximum(weights, 0.0)


def _index(values: pa.ChunkedArray, among: pa.Array, survey: str, what: str) -> Ints:
    found = pc.index_in(values, value_set=among)
    if found.null_count:
        stranger = values.filter(pc.is_null(found))[0]
        raise ValueError(f"{survey}: {what} {stranger} has no row of its own among the {what}s")
    return np.asarray(found.combine_chunks(), dtype=np.int64)


def _codes(
    answers: pa.ChunkedArray, columns: Ints, options: tuple[tuple[str, ...], ...], survey: str
) -> Ints:
    """Return each answer as the index of its option; raises ValueError where it is none."""
    codes = option_codes(answers, columns, options)
    strange = np.flatnonzero((codes == HIDDEN) & np.asarray(answers.is_valid()))
    if strange.size:
        first = int(strange[0])
        raise ValueError(
            f"{survey}: the answer {answers[first].as_py()!r} is none of its question's options "
            f"{list(options[int(columns[first])])}"
        )
    return codes


def _traits(attributes: list[Any]) -> tuple[tuple[str, ...], tuple[tuple[str, ...], ...], Ints]:
    """Return names and values of attributes, sorted, and everyone's as numbers, -1 if blank."""
    maps = [{name: value or "" for name, value in dict(a or {}).items()} for a in attributes]
    names = tuple(sorted({name for m in maps for name in m}))
    values = tuple(tuple(sorted({m.get(name, "") for m in maps} - {""})) for name in names)
    codes = np.full((len(maps), len(names)), HIDDEN, dtype=np.int64)
    for column, (name, told) in enumerate(zip(names, values, strict=True)):
        place = {value: i for i, value in enumerate(told)}
        codes[:, column] = [place.get(m.get(name, ""), HIDDEN) for m in maps]
    return names, values, codes


def _common(traits: Ints, values: tuple[tuple[str, ...], ...]) -> tuple[tuple[int, int], ...]:
    """Return (trait, value) of what enough people have; blank is a value, -1."""
    return tuple(
        (column, code)
        for column, told in enumerate(values)
        for code in range(HIDDEN, len(told))
        if (traits[:, column] == code).sum() >= RAREST_VALUE
    )


def one_hot_answers(
    answers: npt.NDArray[np.signedinteger[Any]], offsets: Ints
) -> npt.NDArray[np.float32]:
    """Return answers (n, Q) as 0 and 1 for each option, (n, sum of options)."""
    out = np.zeros((len(answers), int(offsets[-1])), dtype=np.float32)
    row, column = np.nonzero(answers != HIDDEN)
    out[row, offsets[column] + answers[row, column]] = 1.0
    return out


def one_hot(traits: Ints, values: Iterable[tuple[int, int]]) -> Floats:
    """Return 0 and 1 for each (trait, value), (R, values)."""
    out = [traits[:, column] == code for column, code in values]
    return np.array(out, dtype=np.float64).T if out else np.zeros((len(traits), 0))
