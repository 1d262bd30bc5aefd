"""Tables of predictions as arrays, and arrays as tables of predictions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lupom.science.inputs import arrow, require
from lupom.science.predictors.task import Bools, Floats, Ints, Words

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
        keys = _keys(self.respondents, np.array(self.questions, dtype=object)[self.columns])
        place = {key: i for i, key in enumerate(keys)}
        found = _keys(
            predictions["respondent_id"].to_pylist(), predictions["question_id"].to_pylist()
        )
        at = np.array([place.get(key, -1) for key in found], dtype=np.int64)
        valid = np.asarray(pc.fill_null(pc.equal(predictions["status"], "valid"), False))
        out = np.zeros((len(keys), self.width))
        has = np.zeros(len(keys), dtype=bool)
        said = np.full(len(keys), -1, dtype=np.int64)
        codes = [{label: i for i, label in enumerate(labels)} for labels in self.options]
        kept = np.flatnonzero((at >= 0) & valid)
        part = predictions.take(pa.array(kept))
        spreads, answers = part["probabilities"].to_pylist(), part["answer"].to_pylist()
        for row, spread, answer in zip(at[kept], spreads, answers, strict=True):
            code = codes[int(self.columns[row])]
            for label, probability in spread or ():
                if label in code and probability is not None and probability > 0:
                    out[row, code[label]] = probability
            if not out[row].any() and answer in code:
                out[row, : len(code)] = (1.0 - STATED) / max(len(code) - 1, 1)
                out[row, code[answer]] = STATED
                said[row] = code[answer]
            total = out[row].sum()
            if total > 0:
                out[row] /= total
                has[row] = True
        return out, has, said

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
    column_of = {question: i for i, question in enumerate(ids)}
    names = ["question_id", "respondent_id", "role", "scenario"]
    distinct = predictions.select(names).group_by(names).aggregate([])
    distinct = distinct.sort_by([(name, "ascending") for name in names])
    columns = []
    for question in distinct["question_id"].to_pylist():
        if question not in column_of:
            raise ValueError(f"{survey}: {question} has no row among the questions")
        columns.append(column_of[question])
    respondents = np.array(distinct["respondent_id"].to_pylist(), dtype=object)
    roles = np.array(distinct["role"].to_pylist(), dtype=object)
    given = dict(
        zip(
            _keys(tuning["respondent_id"].to_pylist(), tuning["question_id"].to_pylist()),
            tuning["answer"].to_pylist(),
            strict=True,
        )
    )
    truth = np.full(len(columns), -1, dtype=np.int64)
    for i, (respondent, column) in enumerate(zip(respondents, columns, strict=True)):
        answer = given.get((respondent, ids[column]))
        if roles[i] != "tuning" or answer is None:
            continue
        if answer not in options[column]:
            raise ValueError(
                f"{survey}: the answer {answer!r} to {ids[column]} is none of its options "
                f"{list(options[column])}"
            )
        truth[i] = options[column].index(answer)
    return Pairs(
        survey,
        ids,
        options,
        respondents,
        np.array(columns, dtype=np.int64),
        roles,
        np.array(distinct["scenario"].to_pylist(), dtype=object),
        truth,
    )


def of_survey(table: Any, columns: Sequence[str], what: str, survey: str) -> pa.Table:
    """Return a survey's rows of a table that must have some columns."""
    whole = arrow(table)
    require(whole, columns, what)
    return whole.select(list(columns)).filter(pc.equal(whole["survey"], survey))


def _keys(respondents: Any, questions: Any) -> list[tuple[str, str]]:
    return list(zip(respondents, questions, strict=True))
