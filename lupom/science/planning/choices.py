"""Questions that are choices of one: "select all that apply"."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow.compute as pc

from lupom.science.inputs import arrow
from lupom.science.planning.moments import Cells
from lupom.science.planning.options import Singles
from lupom.science.predictors.task import Bools, Ints, Task

# How programs name the choices of a question: 'diet/rice', 'Q1[SQ001]', 'diet___1', 'q4b'.
_CHOICE = re.compile(
    r"(.*[^\W_])(?:/[^/]+|\[[^\]]+\]|[_.\s-]+(?:(?:SQ)?\d+|[A-Za-z]))|(.*\d)[A-Za-z]|([A-Za-z_]+)\d+"
)
# How people name them: 'home_rents', 'home_owns'. Two beside each other that are choices at all.
_NAMED = re.compile(r"(.*[^\W\d_]{2,}\w*?)[_.:-]+[^\W\d_]\w*")
_ANY = frozenset(("q", "v", "var", "item", "question", "frage", "col", "column"))
# Everybody gave one of the choices where so many people would have given none, did answers not
# depend on each other, and nobody did: by chance that is one in a thousand.
EVERYBODY = 7.0


def units(task: Task, questions: Any) -> Ints:
    """Return which questions are choices of one, (Q): these have the same number.

    Whoever is shown "select all that apply" is shown all of it. Choices are of kind 'multiple' and
    follow each other; they share a battery, or without wordings the beginning of their names.

    Parameters
    ----------
    questions : survey, question_id; without `kind` there are no choices, and `battery` may lack.
    """
    table = arrow(questions)
    if "kind" not in table.column_names:
        return np.arange(len(task.questions))
    columns = [c for c in ("question_id", "kind", "battery") if c in table.column_names]
    own = table.filter(pc.equal(table["survey"], task.survey)).select(columns)
    asked = {row["question_id"]: row for row in own.to_pylist()}
    out, last = np.zeros(len(task.questions), dtype=np.int64), ""
    for q, name in enumerate(task.questions):
        row = asked[name]
        of = row.get("battery") or _stem(name)
        if not of and last and re.match(re.escape(last) + r"[\W_]", name):
            # The one beside those that are counted: 'news_none' after 'news_1' and 'news_2'.
            of = last
        choice = of if row["kind"] == "multiple" else ""
        out[q] = out[q - 1] if q and choice and choice == last else q
        last = choice
    return out


def _stem(name: str) -> str:
    """Return a name without what tells the choices of its question: 'q4' of 'q4_1' and 'q4b'.

    '' where nothing tells them, or counts all questions of a file: 'q1', 'var_2'.
    """
    found = _CHOICE.fullmatch(name) or _NAMED.fullmatch(name)
    stem = "" if found is None else next(part for part in found.groups() if part)
    return "" if stem.casefold() in _ANY else stem


@dataclass(frozen=True)
class Choices:
    """Choices of one question of which everybody gave one at least.

    Attributes
    ----------
    unit : (Q), which questions are choices of one; -1 where nobody has to give any.
    not_given : (Q), the option of each that says it was not given, -1 where there is none.
    columns : (Q), where that option is among those of all questions.
    """

    unit: Ints
    not_given: Ints
    columns: Ints

    @classmethod
    def of(cls, people: Cells, unit: Ints) -> Choices:
        """Return the choices of which everybody gave one, by what people answered.

        Parameters
        ----------
        unit : (Q), which questions are choices of one: these have the same number.
        """
        sizes = np.diff(people.offsets)
        found, not_given = np.full((2, len(sizes)), -1)
        for one in np.unique(unit):
            own = np.flatnonzero(unit == one)
            if len(own) < 2 or (sizes[own] != 2).any():
                continue
            codes = people.codes[:, own]
            whole = codes[(codes >= 0).all(axis=1)]
            # That no choice was given is one option of all of them, whichever it is.
            for option in (0, 1):
                same = whole == option
                if (
                    not same.all(axis=1).any()
                    and len(whole) * same.mean(axis=0).prod() >= EVERYBODY
                ):
                    found[own], not_given[own] = one, option
        return cls(found, not_given, people.offsets[:-1] + np.maximum(not_given, 0))

    def none(self, values: Singles, question: int, left: Ints) -> tuple[Bools | None, bool]:
        """Return whose other choices that are read were not given, (n), and whether these are all.

        None where nobody has to give any, or no other is read.

        Parameters
        ----------
        values : (n, D), options as 0 and 1. left : questions that are not read.
        """
        if self.unit[question] < 0:
            return None, False
        own = np.flatnonzero(self.unit == self.unit[question])
        others = own[~np.isin(own, [*left, question])]
        if not len(others):
            return None, False
        none = np.asarray(values[:, self.columns[others]].all(axis=1), dtype=bool)
        return none, len(others) == len(own) - 1
