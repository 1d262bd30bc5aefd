"""A survey's people, their answers and what is predicted of them, as arrays."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lupom.science.estimates import crossfit
from lupom.science.estimates.design import Bools, Design, Floats, Ints
from lupom.science.inputs import arrow, require
from lupom.science.tables import option_codes

FOLDS = 5
RAREST_VALUE = 5
# Questions whose products with all columns are worked out at once.
TOGETHER = 32
NUMERIC, TEXT = "numeric", "text"


@dataclass(frozen=True)
class Asked:
    """One question and everybody's answer to it.

    Attributes
    ----------
    options : its labels; none where it is answered by a number.
    ranks : (options), positions on its scale, NaN where it has none.
    values : (N, K), 0 and 1 by option, or the number; NaN where there is no answer.
    answered : (N), who answered. outside : (N), who was asked and gave no answer.
    """

    question: str
    options: tuple[str, ...]
    ranks: Floats
    values: Floats
    answered: Bools
    outside: Bools


@dataclass(frozen=True)
class People:
    """The respondents of one survey, by id.

    Attributes
    ----------
    survey : its name. ids : (N).
    design : weights, and sampling units if they are known.
    asked : the questions with options or numbers, by id.
    attributes : names, and of each everybody's value as text, '' where it is not known.
    fold : (N), from 0, the same for the people of one sampling unit.
    """

    survey: str
    ids: tuple[str, ...]
    design: Design
    asked: tuple[Asked, ...]
    attributes: dict[str, np.ndarray[Any, Any]]
    fold: Ints

    def groups(self, names: Sequence[str], smallest: int) -> Iterator[tuple[str, str, Bools]]:
        """Yield attribute, value and members of each group that is large enough."""
        for name in names:
            values = self.attributes.get(name)
            if values is None:
                continue
            for value, count in zip(*np.unique(values, return_counts=True), strict=True):
                if value and count >= smallest:
                    yield name, str(value), values == value

    @cached_property
    def _features(self) -> tuple[Floats, Ints]:
        """Return all that is known, (columns, N), and each column's question (-1: an attribute)."""
        columns: list[Floats] = []
        owner: list[int] = []
        for place, one in enumerate(self.asked):
            told = one.values[one.answered]
            if not len(told):
                continue
            spread = told.std(axis=0) if not one.options else np.ones(told.shape[1])
            scaled = (one.values - told.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
            # Otherwise a number of a million would outweigh all that is known besides. A blank is
            # the mean, and no column: whether people answer is no trait of theirs where it depends
            # on what they were asked.
            for column in np.clip(np.nan_to_num(scaled), -4.0, 4.0).T:
                columns.append(column)
                owner.append(place)
        for values in self.attributes.values():
            for value, count in zip(*np.unique(values, return_counts=True), strict=True):
                if RAREST_VALUE <= count < len(values):
                    columns.append((values == value).astype(np.float64))
                    owner.append(-1)
        table = np.array(columns) if columns else np.zeros((0, len(self.ids)))
        return table, np.array(owner, dtype=np.int64)

    @cached_property
    def _spread(self) -> Floats:
        """Return the variance of each column."""
        return np.asarray(self._features[0].var(axis=1))

    @cached_property
    def _shares(self) -> tuple[Floats, Floats]:
        """Return the shares of who answered a question and of who was not asked that answered each
        other one, (Q, Q).
        """
        answered = np.array([one.answered for one in self.asked], dtype=np.float64)
        others = np.array([~one.answered & ~one.outside for one in self.asked], dtype=np.float64)
        here, there = (
            np.divide(of @ answered.T, n, out=np.zeros((len(of), len(of))), where=n > 0)
            for of, n in ((of, of.sum(axis=1, keepdims=True)) for of in (answered, others))
        )
        return here, there

    @cached_property
    def _luck(self) -> Floats:
        """Return a number from 0 to 1 for everybody and question, by ids alone, (Q, N)."""
        start = zlib.crc32(f"{self.survey}|{'|'.join(self.ids)}".encode())
        drawn = np.random.default_rng(start).random((len(self.ids), len(self.asked)))
        return np.ascontiguousarray(drawn.T)

    @cached_property
    def _block(self) -> dict[int, crossfit.Moments]:
        return {}

    def _moments(self, place: int) -> crossfit.Moments:
        """Return a question's moments with all columns, made for a few questions at once."""
        if place not in self._block:
            self._block.clear()
            block = range(place, min(place + TOGETHER, len(self.asked)))
            questions = [(self.asked[i].values, self.asked[i].answered) for i in block]
            found = crossfit.moments(
                self._features[0].T, questions, self.fold, int(self.fold.max()) + 1
            )
            self._block.update(zip(block, found, strict=True))
        return self._block[place]

    def crossed(self, place: int) -> Floats:
        """Return ridge predictions of everybody's values of one question, (N, K).

        They are made of attributes and of the answers to other questions, nobody's of their own. As
        much must be known of those who answered as of the others, or a regression that is good on
        the first is taken to be so on all: of another question that more of the one kind were
        asked, answers are hidden by lot until the shares are equal.
        """
        features, owner = self._features
        one = self.asked[place]
        others = ~one.answered & ~one.outside
        kept = owner != place
        uneven = np.zeros(len(self.asked), dtype=bool)
        here = there = share = np.ones(len(self.asked))
        if others.any():
            here, there = self._shares[0][place], self._shares[1][place]
            least, most = np.minimum(here, there), np.maximum(here, there)
            few, uneven = least < 0.05, most - least > 0.01
            few[place] = uneven[place] = False
            # An attribute's owner is -1, the place after all questions.
            kept &= ~np.append(few, False)[owner]
            uneven &= ~few
            share = least / np.where(most > 0, most, 1.0)
        rows, values, columns = np.flatnonzero(kept), np.nan_to_num(one.values), None
        if len(rows) > crossfit.MOST:
            spread = np.where(kept, self._spread, 0.0)
            told = crossfit.telling(self._moments(place), spread)
            rows = np.unique(np.concatenate(told)) if told else rows
            columns = [np.searchsorted(rows, some) for some in told]
        x = features[rows]
        for other in np.unique(owner[rows]):
            if other >= 0 and uneven[other]:
                more = one.answered if here[other] > there[other] else others
                hidden = np.flatnonzero(more & (self._luck[other] > share[other]))
                x[np.ix_(np.flatnonzero(owner[rows] == other), hidden)] = 0.0
        found = crossfit.crossed(x.T, values, one.answered, self.fold, columns)
        if not one.options:
            return found
        return crossfit.as_shares(crossfit.bent(found, values, one.answered, self.fold))


def people_of(
    survey: str,
    responses: pa.Table,
    questions: pa.Table,
    respondents: pa.Table,
    designs: pa.Table | None,
    seed: int,
) -> People:
    """Return a survey's people; the tables are those of this survey, see `estimates.estimates`."""
    order = respondents.sort_by("respondent_id")
    ids = tuple(order["respondent_id"].to_pylist())
    if len(set(ids)) < len(ids):
        raise ValueError(f"{survey}: a respondent appears twice among the respondents")
    row_of = {name: i for i, name in enumerate(ids)}
    maps = [dict(m or {}) for m in order["attributes"].to_pylist()]
    names = sorted({name for m in maps for name in m})
    attributes = {
        name: np.array([m.get(name) or "" for m in maps], dtype=object).astype(str)
        for name in names
    }
    weights = np.ones(len(ids))
    if "weight" in order.column_names:
        weights = np.nan_to_num(
            np.asarray(pc.fill_null(order["weight"].cast(pa.float64()), 1.0)), nan=1.0
        )
    design = _design(survey, row_of, weights, designs)
    unit = design.units
    first: dict[int, str] = {}
    for name, u in zip(ids, unit.tolist(), strict=True):
        first.setdefault(u, name)
    fold = [zlib.crc32(f"{seed}|{survey}|{first[u]}".encode()) % FOLDS for u in unit.tolist()]
    asked = _asked(survey, responses, questions, row_of)
    return People(survey, ids, design, asked, attributes, np.array(fold, dtype=np.int64))


def _asked(
    survey: str, responses: pa.Table, questions: pa.Table, row_of: dict[str, int]
) -> tuple[Asked, ...]:
    kept = [
        (q, () if q.get("kind") == NUMERIC else tuple(q["options"] or ()))
        for q in questions.sort_by("question_id").to_pylist()
        if q.get("kind") == NUMERIC or (q.get("kind") != TEXT and len(q["options"] or ()) > 1)
    ]
    ids = pa.array(list(row_of), pa.string())
    people = pc.index_in(responses["respondent_id"].cast(pa.string()), value_set=ids)
    if people.null_count:
        stranger = responses["respondent_id"].filter(pc.is_null(people))[0]
        raise ValueError(f"{survey}: respondent {stranger} answers and is not among respondents")
    keys = pa.array([q["question_id"] for q, _ in kept], pa.string())
    of = pc.fill_null(pc.index_in(responses["question_id"].cast(pa.string()), value_set=keys), -1)
    # By question, each in the order of rows.
    question = np.asarray(of, dtype=np.int64)
    order = np.argsort(question, kind="stable")
    starts = np.searchsorted(question[order], np.arange(len(kept) + 1))
    at = np.asarray(people, dtype=np.int64)
    gone = pa.array(["refused", "dont_know"])
    outside = np.asarray(pc.fill_null(pc.is_in(responses["status"], value_set=gone), False))
    told = np.asarray(pc.fill_null(pc.equal(responses["status"], "answered"), False))
    told &= np.asarray(responses["answer"].is_valid())
    out = []
    for place, (q, options) in enumerate(kept):
        rows = order[starts[place] : starts[place + 1]]
        said = rows[told[rows]]
        values = np.full((len(row_of), len(options) or 1), np.nan)
        values[at[said]] = _values(
            survey, q["question_id"], responses["answer"].take(pa.array(said)), options
        )
        refused = np.zeros(len(row_of), dtype=bool)
        refused[at[rows[outside[rows]]]] = True
        ranks = np.full(len(options), np.nan)
        for i, rank in enumerate((q.get("ordinal") or ())[: len(options)]):
            ranks[i] = np.nan if rank is None else rank
        answered = ~np.isnan(values).any(axis=1)
        out.append(Asked(q["question_id"], options, ranks, values, answered, refused))
    return tuple(out)


def _values(
    survey: str, question: str, answers: pa.ChunkedArray, options: tuple[str, ...]
) -> Floats:
    """Return answers as 0 and 1 by option, or as numbers, (n, K)."""
    if options:
        codes = option_codes(answers, np.zeros(len(answers), dtype=np.int64), [options])
        if (codes < 0).any():
            strange = answers[int(np.flatnonzero(codes < 0)[0])].as_py()
            raise ValueError(
                f"{survey}: the answer {strange!r} to {question} is none of its options "
                f"{list(options)}"
            )
        return np.asarray(np.eye(len(options))[codes])
    numbers = np.full((len(answers), 1), np.nan)
    for i, answer in enumerate(answers.to_pylist()):
        try:
            number = float(answer)
        except ValueError:
            raise ValueError(
                f"{survey}: the answer {answer!r} to {question} is no number"
            ) from None
        numbers[i] = number if np.isfinite(number) else np.nan
    return numbers


def _design(
    survey: str, row_of: dict[str, int], weights: Floats, designs: pa.Table | None
) -> Design:
    if designs is None or not designs.num_rows:
        return Design(weights)
    require(designs, ("respondent_id", "cluster", "stratum", "replicates", "scale"), "designs")
    rows = np.array([row_of.get(r, -1) for r in designs["respondent_id"].to_pylist()])
    designs = designs.filter(pa.array(rows >= 0))
    rows = rows[rows >= 0]
    replicates = designs["replicates"].to_pylist()
    if any(replicates):
        width = {len(r or ()) for r in replicates}
        if len(width) > 1 or len(rows) < len(row_of):
            raise ValueError(f"{survey}: not everyone has the same number of replicate weights")
        again = np.zeros((len(row_of), width.pop()))
        again[rows] = np.array(replicates, dtype=np.float64)
        return Design(weights, replicates=again, scale=float(designs["scale"][0].as_py()))
    numbers: list[Ints | None] = []
    for name in ("cluster", "stratum"):
        column = designs[name]
        if column.null_count == len(column):
            numbers.append(None)
            continue
        if column.null_count or len(rows) < len(row_of):
            raise ValueError(f"{survey}: some respondents have no {name}")
        coded: Ints = np.zeros(len(row_of), dtype=np.int64)
        coded[rows] = np.asarray(column.combine_chunks().dictionary_encode().indices)
        numbers.append(coded)
    return Design(weights, clusters=numbers[0], strata=numbers[1])


def predicted(one: Asked, people: People, table: pa.Table) -> Floats:
    """Return what a predictor says of one question, (N, K), NaN where it says nothing.

    Parameters
    ----------
    table : respondent_id, answer, probabilities, status, of this question and predictor.

    An answer without a distribution is that answer for sure: `ppi.calibrate` learns what it is
    worth. A prediction that is not valid, or of nobody here, is none.
    """
    row_of = {name: i for i, name in enumerate(people.ids)}
    out = np.full(one.values.shape, np.nan)
    code_of = {label: i for i, label in enumerate(one.options)}
    columns = (table[c].to_pylist() for c in ("respondent_id", "answer", "probabilities", "status"))
    for respondent, answer, spread, status in zip(*columns, strict=True):
        row = row_of.get(respondent, -1)
        if row < 0 or status != "valid":
            continue
        if not one.options:
            try:
                number = float(answer)
            except (TypeError, ValueError):
                continue
            if np.isfinite(number):
                out[row] = number
            continue
        told = np.zeros(len(one.options))
        for label, p in spread or ():
            if label in code_of and p is not None and p > 0:
                told[code_of[label]] = p
        if not told.any() and answer in code_of:
            told[code_of[answer]] = 1.0
        if told.any():
            out[row] = told / told.sum()
    return out


def by_survey(table: Any, survey: str) -> pa.Table:
    """Return the rows of one survey."""
    held = arrow(table)
    return held.filter(pc.equal(held["survey"], survey))
