"""Tables of predictions as arrays, and arrays as tables of predictions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lupom.science.inputs import arrow, require
from lupom.science.predictors.task import Bools, Floats, Ints, Words
from lupom.science.tables import option_codes

PREDICTIONS = pa.schema(
    [
        ("survey", pa.string()),
        ("respondent_id", pa.string()),
        ("question_id", pa.string()),
        ("predictor", pa.string()),
        ("llm", pa.string()),
        ("answer", pa.string()),
        ("probabilities", pa.map_(pa.string(), pa.float64())),
        ("missing_mass", pa.float64()),
        ("status", pa.string()),
        ("call_id", pa.string()),
        ("role", pa.string()),
        ("scenario", pa.string()),
    ]
)
# What an LLM that gives an answer and no distribution is taken to give its answer where nothing is
# learned of it.
STATED = 0.7


@dataclass(frozen=True)
class Pairs:
    """Pairs of one survey in order of question and respondent.

    Attributes
    ----------
    survey : its name.
    questions, options : ids and labels by question.
    respondents : (P), id of each pair's respondent.
    columns : (P), question of each pair.
    roles, scenarios : (P), as text.
    truth : (P), the option answered, -1 where it is not to be known.
    """

    survey: str
    questions: tuple[str, ...]
    options: tuple[tuple[str, ...], ...]
    respondents: Words
    columns: Ints
    roles: Words
    scenarios: Words
    truth: Ints

    @property
    def width(self) -> int:
        """Return the number of options of the question that has most."""
        return max(map(len, self.options), default=0)

    @property
    def sizes(self) -> Ints:
        """Return the number of options of each pair's question, (P)."""
        return np.array([len(o) for o in self.options], dtype=np.int64)[self.columns]

    @property
    def inside(self) -> Bools:
        """Return which places are options, (P, width)."""
        return np.asarray(np.arange(self.width) < self.sizes[:, None])

    def only(self, chosen: Ints | Bools) -> Pairs:
        """Return some of the pairs."""
        return Pairs(
            self.survey,
            self.questions,
            self.options,
            self.respondents[chosen],
            self.columns[chosen],
            self.roles[chosen],
            self.scenarios[chosen],
            self.truth[chosen],
        )

    def uniform(self) -> Floats:
        """Return the same probability for every option, (P, width)."""
        return np.asarray(self.inside / self.sizes[:, None])

    def said(self, predictions: pa.Table, name: str) -> Floats:
        """Return what a predictor says, (P, width); where it says nothing all options are equal."""
        p, has = self.read(predictions.filter(pc.equal(predictions["predictor"], name)))
        p[~has] = self.uniform()[~has]
        return p

    def read(self, predictions: pa.Table) -> tuple[Floats, Bools]:
        """Return probabilities (P, width) that sum to one, and which pairs have them.

        Parameters
        ----------
        predictions : of one survey, predictor and LLM, at most one of a pair; of other pairs too.

        A prediction that is not valid is none. One without a distribution gives its answer .7: the
        stack learns better (`stated`). An option that is none of the question's is left out.
        """
        out, has, _ = self.read_stated(predictions)
        return out, has

    def read_stated(self, predictions: pa.Table) -> tuple[Floats, Bools, Ints]:
        """Return what `read` does, and the option answered where there is no distribution, else -1.

        Parameter as of `read`; the options are (P).
        """
        at = self.place(predictions["respondent_id"], predictions["question_id"])
        valid = np.asarray(pc.fill_null(pc.equal(predictions["status"], "valid"), False))
        kept = np.flatnonzero((at >= 0) & valid)
        part, at = predictions.select(["answer", "probabilities"]).take(pa.array(kept)), at[kept]
        out = np.zeros((len(self.columns), self.width))
        said = np.full(len(out), -1, dtype=np.int64)
        spread = part["probabilities"].combine_chunks()
        if pa.types.is_map(spread.type):
            row = np.repeat(at, np.diff(np.asarray(spread.offsets)))
            code = option_codes(spread.keys, self.columns[row], self.options)
            probability = np.asarray(spread.items.cast(pa.float64()).to_numpy(zero_copy_only=False))
            right = (code >= 0) & (np.nan_to_num(probability) > 0)
            out[row[right], code[right]] = probability[right]
        answers = option_codes(part["answer"].cast(pa.string()), self.columns[at], self.options)
        alone = (answers >= 0) & ~out[at].any(axis=1)
        rows, given = at[alone], answers[alone]
        sizes = self.sizes[rows]
        others = (1.0 - STATED) / np.maximum(sizes - 1, 1)
        out[rows] = others[:, None] * (np.arange(self.width) < sizes[:, None])
        out[rows, given] = STATED
        said[rows] = given
        total = out.sum(axis=1)
        has = total > 0
        out[has] /= total[has, None]
        return out, has, said

    def place(self, respondents: pa.ChunkedArray, questions: pa.ChunkedArray) -> Ints:
        """Return which pair each cell is, -1 where none."""
        names = pa.array(self.respondents, pa.string())
        people = names.dictionary_encode()
        own = np.asarray(people.indices, dtype=np.int64) * len(self.questions) + self.columns
        row = pc.index_in(respondents.cast(pa.string()), value_set=people.dictionary)
        column = pc.index_in(
            questions.cast(pa.string()), value_set=pa.array(self.questions, pa.string())
        )
        row, column = (np.asarray(pc.fill_null(c, -1), dtype=np.int64) for c in (row, column))
        cell = row * len(self.questions) + column
        if not len(own):
            return np.full(len(cell), -1, dtype=np.int64)
        order = np.argsort(own, kind="stable")
        near = np.searchsorted(own[order], cell, side="right") - 1
        found = order[np.maximum(near, 0)]
        same = (row >= 0) & (column >= 0) & (near >= 0) & (own[found] == cell)
        return np.where(same, found, -1)

    def table(
        self, name: str, probabilities: Floats, llm: str | None = None, where: Any = None
    ) -> pa.Table:
        """Return probabilities (P, width) as predictions, of the pairs `where` says."""
        pairs = self if where is None else self.only(where)
        p = probabilities if where is None else probabilities[where]
        ids = [pairs.questions[column] for column in pairs.columns]
        return table(
            pairs.survey,
            name,
            pairs.respondents.tolist(),
            ids,
            [pairs.options[column] for column in pairs.columns],
            p,
            roles=pairs.roles.tolist(),
            scenarios=pairs.scenarios.tolist(),
            llm=llm,
        )


def table(
    survey: str,
    predictor: str,
    respondents: Sequence[str],
    questions: Sequence[str],
    options: Sequence[Sequence[str]],
    probabilities: Floats,
    *,
    roles: Sequence[str],
    scenarios: Sequence[str],
    llm: str | None = None,
) -> pa.Table:
    """Return a predictor's probabilities (P, width) as rows of predictions.

    The answer is the likeliest option, the first of equals.
    """
    n = len(respondents)
    sizes = np.array([len(o) for o in options], dtype=np.int64)
    inside = np.arange(probabilities.shape[1]) < sizes[:, None]
    best = np.argmax(np.where(inside, probabilities, -1.0), axis=1)
    labels = [label for given in options for label in given]
    offsets = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int32)
    maps = pa.MapArray.from_arrays(
        pa.array(offsets), pa.array(labels, pa.string()), pa.array(probabilities[inside])
    )
    return pa.table(
        [
            pa.repeat(survey, n),
            pa.array(respondents, pa.string()),
            pa.array(questions, pa.string()),
            pa.repeat(predictor, n),
            pa.nulls(n, pa.string()) if llm is None else pa.repeat(llm, n),
            pa.array([given[b] for given, b in zip(options, best, strict=True)], pa.string()),
            maps,
            pa.array(np.zeros(n)),
            pa.repeat("valid", n),
            pa.nulls(n, pa.string()),
            pa.array(roles, pa.string()),
            pa.array(scenarios, pa.string()),
        ],
        schema=PREDICTIONS,
    )


def pairs_of(survey: str, predictions: pa.Table, tuning: pa.Table, questions: pa.Table) -> Pairs:
    """Return the pairs that predictions of one survey are of, with what the tuning pairs' are.

    Parameters
    ----------
    predictions : respondent_id, question_id, role, scenario.
    tuning : respondent_id, question_id, answer. An answer to a pair of another role is not read.
    questions : question_id, options.

    Raises
    ------
    ValueError : for a question without a row, and an answer that is none of its options.
    """
    asked = questions.sort_by("question_id")
    ids = tuple(asked["question_id"].to_pylist())
    options = tuple(tuple(o or ()) for o in asked["options"].to_pylist())
    names = ["question_id", "respondent_id", "role", "scenario"]
    distinct = predictions.select(names).group_by(names).aggregate([])
    distinct = distinct.sort_by([(name, "ascending") for name in names])
    columns = np.asarray(
        pc.fill_null(
            pc.index_in(distinct["question_id"], value_set=pa.array(ids, pa.string())), -1
        ),
        dtype=np.int64,
    )
    if (columns < 0).any():
        stranger = distinct["question_id"][int(np.argmin(columns))]
        raise ValueError(f"{survey}: {stranger} has no row among the questions")
    respondents = np.array(distinct["respondent_id"].to_pylist(), dtype=object)
    roles = np.array(distinct["role"].to_pylist(), dtype=object)
    scenarios = np.array(distinct["scenario"].to_pylist(), dtype=object)
    nothing = np.full(len(columns), -1, dtype=np.int64)
    pairs = Pairs(survey, ids, options, respondents, columns, roles, scenarios, nothing)
    told = tuning.filter(pc.is_valid(tuning["answer"]))
    at = pairs.place(told["respondent_id"], told["question_id"])
    chosen = np.flatnonzero(at >= 0)
    at = at[chosen]
    chosen, at = chosen[roles[at] == "tuning"], at[roles[at] == "tuning"]
    answers = told["answer"].cast(pa.string()).take(pa.array(chosen))
    codes = option_codes(answers, columns[at], options)
    if (codes < 0).any():
        first = int(np.argmin(codes))
        column = int(columns[at[first]])
        raise ValueError(
            f"{survey}: the answer {answers[first].as_py()!r} to {ids[column]} is none of its "
            f"options {list(options[column])}"
        )
    truth = nothing.copy()
    truth[at] = codes
    return replace(pairs, truth=truth)


def of_survey(table: Any, columns: Sequence[str], what: str, survey: str) -> pa.Table:
    """Return a survey's rows of a table that must have some columns."""
    whole = arrow(table)
    require(whole, columns, what)
    return whole.select(list(columns)).filter(pc.equal(whole["survey"], survey))
