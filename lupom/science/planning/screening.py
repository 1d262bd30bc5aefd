"""Whether a person is asked each question: what rules it out, and the chance where nothing does."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from lupom.science.inputs import arrow
from lupom.science.planning import jointly
from lupom.science.planning.jointly import STRAY
from lupom.science.planning.options import Singles
from lupom.science.planning.questionnaire import QUESTION_REACH
from lupom.science.planning.reach import Reach
from lupom.science.predictors.task import HIDDEN, Bools, Floats, Ints, Task

# What of `question_reach` says who is asked what.
FILTERS = (
    *("question_id", "filters", "filters_together", "filters_likely"),
    *("screens", "asked_of_unbarred"),
)


@dataclass(frozen=True)
class Screening:
    """The filters of a survey, and how to tell by them who is asked what.

    Columns are the options of all questions and the values of all attributes after them.

    Attributes
    ----------
    names : (D), the question or attribute of each column, and the option or value.
    owner : (D), the question of each column, attributes being numbered after the questions.
    bars : (D, Q), which columns rule out which questions.
    screens : by question, those that tell who can be asked it, the first tells most.
    rest : (Q), the share of people who can be asked each, of those whom nothing rules out.
    closes : (D, Q), which rule out which where one of each question that closes it is so.
    likely : (D, Q), how likely columns rule out questions of which it is not sure.
    """

    names: tuple[tuple[str, str], ...]
    owner: Ints
    bars: Bools
    screens: tuple[tuple[int, ...], ...]
    rest: Floats
    closes: Bools
    likely: Singles

    @property
    def filters(self) -> list[str]:
        """Return the questions of which some answer rules another one out."""
        count = self.bars.shape[1]
        own = np.unique(self.owner[(self.bars | self.closes).any(axis=1)])
        return [self.names[int(np.argmax(self.owner == q))][0] for q in own if q < count]

    def values(self, answers: Ints, traits: Ints) -> Singles:
        """Return columns as 0 and 1, (n, D), of answers, (n, Q), and attributes, (n, T).

        Both are the number of an option or value; below 0 where it is not known.
        """
        starts = np.searchsorted(self.owner, np.arange(answers.shape[1] + traits.shape[1]))
        codes = np.hstack([answers, traits])
        out = np.zeros((len(answers), len(self.owner)), dtype=np.float32)
        row, column = np.nonzero(codes >= 0)
        out[row, starts[column] + codes[row, column]] = 1
        return out

    def ruled_out(self, values: Singles) -> Bools:
        """Return which questions what is known of people rules out, (n, Q)."""
        return jointly.ruled(values, self.bars, self.closes, self.owner)

    def reasons(self, values: Singles, question: int) -> list[str]:
        """Return what is known of a person, (D), that rules a question out: 'name: answer'."""
        own = self.closes[:, [question]]
        none = np.zeros_like(own)
        together = jointly.ruled(values[None], none, own, self.owner)[0, 0]
        said = self.bars[:, question] | (own[:, 0] & together)
        found = np.flatnonzero((values > 0) & said)
        return [": ".join(self.names[column]) for column in found]

    def left(self, task: Task, values: Singles) -> Floats:
        """Return what is left of the options of a task's pairs, (P, width).

        `values` is what is known of the task's people, as `values` has it.

        1, and `STRAY` for those of a filter that rule out what the person answered, since
        predictors look at nothing that hangs on a filter; what is between where few people make it
        likely only that they do (`Reach.left` says the same in an interview).
        """
        out = np.ones((len(task.rows), task.width))
        answered = (task.answers >= 0).astype(np.float32)
        passed = jointly.passed(values, task.answers >= 0, self.closes, self.owner)
        for question, pairs in task.by_question():
            own = self.bars[self.owner == question]
            ruled = answered[task.rows[pairs]] @ own.T.astype(np.float32) > 0
            ruled |= passed[np.ix_(task.rows[pairs], np.flatnonzero(self.owner == question))]
            left = np.where(ruled & ~ruled.all(axis=1)[:, None], STRAY, 1.0)
            likely = self.likely[self.owner == question]
            for one in np.flatnonzero(likely.any(axis=0)):
                here = answered[task.rows[pairs], one] > 0
                left[here] = np.minimum(left[here], 1 - (1 - STRAY) * likely[:, one])
            out[pairs, : len(own)] = left
        return out

    def needed(self, questions: Iterable[int]) -> list[int]:
        """Return the questions whose probabilities say whether some questions are asked."""
        return sorted({one for question in questions for one in self.screens[question]})

    def unknown(self, questions: Iterable[int], values: Singles) -> list[int]:
        """Return attributes, by their number, that rule out some questions and of somebody are not
        known."""
        bars = (self.bars | self.closes)[:, sorted(set(questions))].any(axis=1)
        found = np.unique(self.owner[bars])
        count = self.bars.shape[1]
        blank = [o for o in found if (values[:, self.owner == o].sum(axis=1) == 0).any()]
        return [int(o) - count for o in blank if o >= count]

    def chances(
        self,
        values: Singles,
        said: Mapping[int, Floats],
        shares: Mapping[int, Floats] | None = None,
    ) -> Floats:
        """Return the probability that people are asked each question, (n, Q).

        That is the product, over the questions that tell who can be asked it, of the probabilities
        that their answers do not rule it out: each is predicted as if it were asked, so that along
        a chain of filters they multiply. Who answered what hangs on a filter passed it. It is 0
        where what is known rules a question out, and 1 where a lot decides who is asked. An answer
        that is likely only to rule it out, of few people, does so by that probability.

        Parameters
        ----------
        values : (n, D), as `values` returns them.
        said : probabilities of options, (n, options), by question, as `needed` names them; what is
            known counts before them.
        shares : of people, of the values of attributes, by number; of those not known.
        """
        count, n = self.bars.shape[1], len(values)
        out = np.broadcast_to(self.rest, (n, count)).copy()
        ruled = self.ruled_out(values)
        answered = np.zeros((n, count), dtype=np.float32)
        filtered = np.flatnonzero((self.bars | self.closes).any(axis=0))
        for question in filtered:
            answered[:, question] = values[:, self.owner == question].any(axis=1)
        given = {**said, **{count + one: np.tile(p, (n, 1)) for one, p in (shares or {}).items()}}
        passed: dict[int, Floats] = {}
        closed: dict[int, Floats] = {}
        for one, p in given.items():
            own = np.flatnonzero(self.owner == one)
            # Options that rule out what a person answered are none of theirs.
            left = p * (answered @ self.bars[own].T.astype(np.float32) == 0)
            left = np.where(left.sum(axis=1, keepdims=True) > 0, left, p)
            left /= np.maximum(left.sum(axis=1, keepdims=True), 1e-300)
            known = values[:, own].any(axis=1, keepdims=True)
            passed[one] = np.where(known, 1.0, 1 - left @ np.maximum(self.bars, self.likely)[own])
            closed[one] = left @ self.closes[own]
            if one < count:
                # Who is not asked the filter's question is not ruled out by an answer to it.
                passed[one][ruled[:, one]] = 1.0
        for column in np.flatnonzero(self.likely.any(axis=1)):
            # What is not sure leaves something.
            out[values[:, column] > 0] *= 1 - np.minimum(self.likely[column], 1 - STRAY)
        attributes = [one for one in given if one >= count]
        for question in filtered:
            for one in (*self.screens[question], *attributes):
                if one in passed:
                    out[:, question] *= passed[one][:, question]
            if self.closes[:, question].any():
                out[:, question] *= 1 - self._closed(values, ruled, answered, closed, int(question))
        return np.asarray(np.where(ruled, 0.0, np.clip(out, 0.0, 1.0)))

    def _closed(
        self,
        values: Singles,
        ruled: Bools,
        answered: Singles,
        said: Mapping[int, Floats],
        question: int,
    ) -> Floats:
        """Return the probability that a question's filters rule it out together, (n).

        Parameters
        ----------
        ruled, answered : (n, Q). said : (n, Q), of what is not known, the probability that an
            answer is one of `closes`, by question and attribute.
        """
        own, out = self.closes[:, question], np.ones(len(values))
        for one in np.unique(self.owner[own]):
            here = self.owner == one
            known = values[:, here].any(axis=1)
            shut = values[:, here & own].any(axis=1).astype(np.float64)
            p = said[one][:, question] if one in said else np.zeros(len(values))
            if one < ruled.shape[1]:
                # Who is not asked it gives no answer that lets them pass.
                p = np.where(ruled[:, one], 1.0, p)
            out *= np.where(known, shut, p)
        # Who answered what hangs on the same filter passed it.
        same = (self.closes == own[:, None]).all(axis=0)
        out[answered[:, same].any(axis=1)] = 0.0
        return np.asarray(out)


def of(found: Reach) -> Screening:
    """Return how to tell who is asked what, by who can be asked it."""
    count = found.asked.shape[1]
    screens = tuple(tuple(found.screens(question)) for question in range(count))
    parts = (found.names, found.owner, found.bars, screens, found.unbarred)
    return Screening(*parts, found.closes, found.likely)


def beside(table: Any, reach: Any) -> pa.Table:
    """Return a table of surveys with the column `filters`: what `question_reach` has of filters.

    A list of structures of `FILTERS`, of the questions that have filters or gaps.
    """
    by_survey: dict[str, list[dict[str, Any]]] = {}
    for row in arrow(reach).to_pylist():
        lists = ("filters", "filters_together", "filters_likely")
        if any(row[name] for name in lists) or row["asked_of_unbarred"] < 1:
            by_survey.setdefault(row["survey"], []).append({name: row[name] for name in FILTERS})
    schema = pa.struct([QUESTION_REACH.field(name) for name in FILTERS])
    found = arrow(table)
    own = [by_survey.get(survey, []) for survey in found["survey"].to_pylist()]
    return found.append_column("filters", pa.array(own, pa.list_(schema)))


def read(
    rows: Sequence[Mapping[str, Any]],
    questions: Mapping[str, Sequence[str]],
    attributes: Mapping[str, Sequence[str]],
) -> Screening:
    """Return how to tell who is asked what, by what a survey's questions have of `FILTERS`.

    Parameters
    ----------
    questions, attributes : options, and values, by name, in the order of columns; what the rows
        have besides is passed over.
    """
    place = {name: q for q, name in enumerate(questions)}
    names, owner = [], []
    for number, (name, told) in enumerate([*questions.items(), *attributes.items()]):
        names += [(name, one) for one in told]
        owner += [number] * len(told)
    columns: dict[str, list[int]] = {}
    for column, one in enumerate(names):
        columns.setdefault(": ".join(one), []).append(column)
    bars, closes = np.zeros((2, len(names), len(place)), dtype=bool)
    likely = np.zeros(bars.shape, dtype=np.float32)
    screens: list[tuple[int, ...]] = [()] * len(place)
    rest = np.ones(len(place))
    for row in rows:
        if (question := place.get(row["question_id"], HIDDEN)) < 0:
            continue
        for text in row["filters"]:
            bars[columns.get(text, []), question] = True
        # Tables of before have neither.
        for text in row.get("filters_together") or ():
            closes[columns.get(text, []), question] = True
        for one in row.get("filters_likely") or ():
            likely[columns.get(one["answer"], []), question] = one["probability"]
        screens[question] = tuple(place[one] for one in row["screens"] if one in place)
        rest[question] = row["asked_of_unbarred"]
    parts = (tuple(names), np.array(owner, dtype=np.int64), bars, tuple(screens), rest)
    return Screening(*parts, closes, likely)
