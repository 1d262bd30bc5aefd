"""Tables of imputed answers, and of estimates from all imputed sets together."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lupom.science.blas import one_thread
from lupom.science.inputs import arrow, require
from lupom.science.names import check_attributes
from lupom.science.planning import imputation, rubin
from lupom.science.planning.choices import units
from lupom.science.planning.moments import cells as cells_of
from lupom.science.planning.numbers import columns as columns_of_numbers
from lupom.science.planning.options import Singles
from lupom.science.planning.positions import scales
from lupom.science.planning.questionnaire import (
    Questionnaire,
    answered,
    cells,
    few,
    ids_by_survey,
    named,
    places,
    questionnaires,
)
from lupom.science.predictors.task import HIDDEN, Bools, Floats, Ints, Task, everyone
from lupom.science.tables import option_codes

IMPUTATIONS = pa.schema(
    [
        ("survey", pa.string()),
        ("imputation", pa.int64()),
        ("respondent_id", pa.string()),
        ("question_id", pa.string()),
        ("answer", pa.string()),
    ]
)
ESTIMATES = pa.schema(
    [
        ("survey", pa.string()),
        ("question_id", pa.string()),
        ("option", pa.string()),
        ("attribute", pa.string()),
        ("group", pa.string()),
        ("estimate", pa.float64()),
        ("std_error", pa.float64()),
        ("low", pa.float64()),
        ("high", pa.float64()),
        ("degrees", pa.float64()),
        ("missing", pa.float64()),
        ("std_error_alone", pa.float64()),
        ("n", pa.int64()),
        ("n_asked", pa.int64()),
    ]
)
# Fewer answers to a question do not say how answers vary: one "Yes" of one person would be that of
# all others, in every set.
FEWEST = 10
# Draws in all; more are hardly what anybody means, and take a gigabyte each 30 million.
MOST = 50_000_000
# What is told of how long it takes, where that is more, in seconds.
LONG = 20.0
LOT, UNCLEAR, FILTER, REFUSED, DONT_KNOW = "lot", "unclear", "filter", "refused", "dont_know"
GAPS = (LOT, UNCLEAR, FILTER, REFUSED, DONT_KNOW)


def imputations(responses: Any, respondents: Any, questions: Any, **how: Any) -> pa.Table:
    """Return what `imputations_in_parts` yields as one table; parameters and errors are its."""
    parts = list(imputations_in_parts(responses, respondents, questions, **how))
    return pa.Table.from_batches(parts, schema=IMPUTATIONS)


def imputations_in_parts(
    responses: Any,
    respondents: Any,
    questions: Any,
    *,
    sets: int = 20,
    only: Collection[str] | Mapping[str, Collection[str]] | None = None,
    gaps: Collection[str] = (LOT,),
    numbers: Any = None,
    seed: int = 0,
    note: Callable[[str], None] = lambda _: None,
) -> Iterator[pa.RecordBatch]:
    """Return answers that there are not, drawn `sets` times as `imputation.draws` does, by set.

    Parameters
    ----------
    responses : survey, respondent_id, question_id, status and answer.
    respondents, questions : as `task.tasks` takes them. By `ordinal` of questions it is known which
        are scales, by `kind` and `battery` which are choices of one, where there are such columns.
    only : the questions to be imputed, of all surveys or by survey; None, or none, is all.
    gaps : which gaps are filled: those of people who were not asked by 'lot'; for reasons that are
        'unclear'; whom a 'filter' rules out (all by `reach.reach`); who 'refused'; who said
        'dont_know'. Who has another gap of the first three has no answer in any set; what others
        have is drawn for the regressions alone.
    numbers : survey, respondent_id, question_id and answer of questions answered in numbers, which
        others are predicted from: what is not, is not related to them in any set.
    note : hears what is not imputed and why, and how far it is where that takes long.

    Returns
    -------
    A row for each respondent and question with such a gap, by set (imputation, from 1). A question
    that fewer than 10 people answered has none. A recode's answer is that of its source.

    Raises
    ------
    ValueError : as `task.tasks` does; for one set, which does not say how unsure it is, and more
        than 50 million draws; for questions and gaps that there are not.
    """
    if sets == 1:
        raise ValueError("imputation_sets: 1 does not say how unsure it is; take 20, or 0 for none")
    strange = sorted(set(gaps) - set(GAPS))
    if strange or isinstance(gaps, str):
        raise ValueError(f"imputation_gaps has {strange[0]!r}; it is a list of {', '.join(GAPS)}")
    wanted = named(ids_by_survey(questions), only, "imputation_questions") if only else None
    if sets < 1:
        return iter(())
    table = arrow(responses)
    require(table, ("survey", "respondent_id", "question_id", "status", "answer"), "responses")
    found = list(questionnaires(table, respondents, questions))
    work = [
        (one, _gaps(table, one, gaps, None if wanted is None else wanted[one.task.survey], note))
        for one in found
    ]
    count = sum(int(here.sum()) for _, here in work)
    if count * sets > MOST:
        raise ValueError(
            f"imputation_sets: {sets} sets of {count:,} gaps are {count * sets:,} draws, and"
            f" {MOST:,} are the most; take fewer sets, or name questions in imputation_questions"
        )
    # What is wrong is told before anything is drawn, and tables are not read from then on.
    asked = [
        _Asked(_beside(one.whole, numbers), scales(one.task, questions), units(one.task, questions))
        for one, _ in work
    ]
    return chain.from_iterable(
        _drawn(one, here, gaps, sets, seed, note, more)
        for (one, here), more in zip(work, asked, strict=True)
        if here.any()
    )


@dataclass(frozen=True)
class _Asked:
    """What else there is of a questionnaire: columns of numbers, (n, D), and of its questions which
    are scales and which are choices of one, as `imputation.draws` takes them."""

    numbers: Singles
    scales: list[Floats | None]
    choices: Ints


def _beside(task: Task, numbers: Any) -> Singles:
    """Return the columns of what people answered in numbers, (n, D)."""
    if numbers is None:
        return np.zeros((len(task.respondents), 0), dtype=np.float32)
    return columns_of_numbers(numbers, task.survey, task.respondents)


def _gaps(
    table: pa.Table,
    one: Questionnaire,
    gaps: Collection[str],
    wanted: set[str] | None,
    note: Callable[[str], None],
) -> Bools:
    """Return which cells of all its questions, recodes too, are to be filled, (R, whole Q)."""
    task, found, whole = one.task, one.reach, one.whole
    not_asked = ~found.asked
    kinds = {
        LOT: found.open & not_asked,
        FILTER: found.barred,
        UNCLEAR: not_asked & ~found.open & ~found.barred,
    }
    filled = np.zeros(task.answers.shape, dtype=bool)
    for name, cell in kinds.items():
        if name in gaps:
            filled |= cell
    place = {question: q for q, question in enumerate(task.questions)}
    source = {recode: q for q, made in one.recodes.items() for recode in made}
    at = [place[source.get(question, question)] for question in whole.questions]
    nonresponse = {
        status: cells(table, whole, pc.equal(table["status"], status))
        for status in (REFUSED, DONT_KNOW)
    }
    out = filled[:, at]
    for status, cell in nonresponse.items():
        out = out | cell if status in gaps else out & ~cell
    blank = whole.answers == HIDDEN
    if wanted is not None:
        blank &= np.isin(np.array(whole.questions, dtype=object), list(wanted))
    out &= blank
    count = (whole.answers != HIDDEN).sum(axis=0)
    if rare := [whole.questions[q] for q in np.flatnonzero(out.any(axis=0) & (count < FEWEST))]:
        note(
            f"{task.survey}: fewer than {FEWEST} people answered {few(rare)}: that is too few to"
            " impute it"
        )
    out &= count >= FEWEST
    if not out.any() and (wanted is None or wanted):
        every = {name: cell[:, at] for name, cell in kinds.items()} | nonresponse
        counts = {name: int((cell & blank).sum()) for name, cell in every.items()}
        there = ", ".join(f"{n:,} {name}" for name, n in counts.items() if n)
        note(
            f"{task.survey}: nothing is imputed: there are"
            f" {f'no other gaps than {there}' if there else 'no gaps'}"
            f" (imputation_gaps: {', '.join(gaps) or 'none'})"
        )
    told = [q for q in task.questions if wanted is None or q in wanted]
    for name, why in (
        (FILTER, "a filter rules out people"),
        (UNCLEAR, "who was asked depends on who people are, and no answer says why"),
    ):
        names = [q for q in told if found.kinds[place[q]] == name]
        if names and name not in gaps:
            note(
                f"{task.survey}: of {few(names)} {why}; who was not asked gets no answer"
                f" (var imputation_gaps)"
            )
    if out.any() and LOT in gaps and not any(cell.any() for cell in nonresponse.values()):
        note(
            f"{task.survey}: no blank is a refusal or a don't know; those that the file does not"
            f" tell from 'not asked' are imputed too"
        )
    return out


def _drawn(
    one: Questionnaire,
    here: Bools,
    gaps: Collection[str],
    sets: int,
    seed: int,
    note: Callable[[str], None],
    beside: _Asked,
) -> Iterator[pa.RecordBatch]:
    whole, found = one.whole, one.reach
    row, column = np.nonzero(here)
    ids = pa.array(whole.respondents, pa.string()).take(pa.array(row))
    names = pa.array(whole.questions, pa.string()).take(pa.array(column))
    labels = pa.array([o for options in whole.options for o in options], pa.string())
    never = found.barred & (FILTER not in gaps)
    if UNCLEAR not in gaps:
        never |= ~found.asked & ~found.open & ~found.barred
    began, first = time.monotonic(), 0.0
    sources = _Sources(one)
    people = cells_of(one.task)
    people = replace(people, values=np.hstack([people.values, beside.numbers]))
    drawn = imputation.draws(
        people, sets, seed=seed, never=never, scales=beside.scales, choices=beside.choices
    )
    for number in range(1, sets + 1):
        with one_thread():
            codes = sources.all(next(drawn))[row, column]
        yield _batch(whole, number, ids, names, labels, column, codes)
        took = time.monotonic() - began
        if number == 1:
            # What all sets begin with is made with the first.
            first = took
            continue
        each = (took - first) / (number - 1)
        if number < sets and each * sets > LONG and number in (2, sets // 4, sets // 2):
            left = each * (sets - number)
            note(f"{whole.survey}: {number} of {sets} sets are drawn, about {left:.0f} s are left")


def _batch(
    whole: Task,
    number: int,
    ids: pa.Array,
    names: pa.Array,
    labels: pa.Array,
    column: Ints,
    codes: Ints,
) -> pa.RecordBatch:
    """Return a set's rows; a recode without an answer to its source's has none."""
    some = pa.array(codes != HIDDEN)
    said = labels.take(pa.array(whole.offsets[column] + np.maximum(codes, 0)))
    n = len(codes)
    constant = [pa.repeat(pa.scalar(whole.survey), n), pa.repeat(pa.scalar(number), n)]
    return pa.record_batch([*constant, ids, names, said], schema=IMPUTATIONS).filter(some)


class _Sources:
    """Where the answers to a questionnaire and its recodes come from."""

    def __init__(self, one: Questionnaire) -> None:
        whole, task = one.whole, one.task
        self._answers = whole.answers
        place = {question: q for q, question in enumerate(whole.questions)}
        self._own = np.array([place[question] for question in task.questions])
        # Of each recode, its source and the answer that goes with each of the source's.
        self._made: list[tuple[int, int, Ints]] = []
        for source, recodes in one.recodes.items():
            for recode in recodes:
                given, made = whole.answers[:, place[source]], whole.answers[:, place[recode]]
                said = np.full(len(whole.options[place[source]]) + 1, HIDDEN)
                both = (given != HIDDEN) & (made != HIDDEN)
                said[given[both]] = made[both]
                self._made.append((place[source], place[recode], said))

    def all(self, codes: Ints) -> Ints:
        """Return answers to all questions, (n, whole Q), by those to what is no recode, (n, Q)."""
        out = self._answers.copy()
        out[:, self._own] = codes
        for source, recode, said in self._made:
            blank = out[:, recode] == HIDDEN
            # The last of them is that of no answer.
            out[blank, recode] = said[out[blank, source]]
        return out


def estimates(
    responses: Any,
    respondents: Any,
    questions: Any,
    imputed: Any,
    *,
    attributes: Sequence[str] | None = None,
    smallest: int = 50,
) -> pa.Table:
    """Return shares of options over all imputed sets, by Rubin's rules (`rubin.pool`).

    Shares are weighted by survey weight; pooled as log odds where none is 0 or 1.

    Parameters
    ----------
    responses, respondents, questions : as `imputations` takes them. imputed : what it returned.
    attributes : those to make groups of; None is all. smallest : groups of fewer are left out.

    Returns
    -------
    A row for each question with gaps, option and group (null: everybody): estimate, its standard
    error and 95 % interval, degrees of freedom, the fraction of information that is missing,
    std_error_alone (of those asked alone), n people, n_asked.

    Raises
    ------
    ValueError : as `task.tasks` does, and for attributes that nobody has.
    """
    if attributes is not None:
        check_attributes(respondents, attributes, "group_attributes")
    table, drawn = arrow(responses), arrow(imputed)
    parts: list[dict[str, Any]] = []
    for task in everyone(table, respondents, questions):
        own = drawn.filter(pc.equal(drawn["survey"], task.survey))
        if own.num_rows:
            parts.extend(_rows(answered(task), own, attributes, smallest))
    return pa.Table.from_pylist(parts, schema=ESTIMATES)


def _rows(
    task: Task, drawn: pa.Table, attributes: Sequence[str] | None, smallest: int
) -> Iterator[dict[str, Any]]:
    row, column = places(drawn, task)
    number = np.asarray(drawn["imputation"], dtype=np.int64)
    codes = option_codes(drawn["answer"], column, task.options)
    sets = [np.flatnonzero(number == k) for k in np.unique(number)]
    for question in np.unique(column):
        count = len(task.options[question])
        filled = np.tile(task.answers[:, question], (len(sets), 1))
        for place, here in enumerate(sets):
            mine = here[column[here] == question]
            filled[place, row[mine]] = codes[mine]
        for attribute, group, members in _groups(task, attributes):
            there = members & (filled[0] != HIDDEN)
            asked = members & (task.answers[:, question] != HIDDEN)
            if there.sum() < (smallest if group is not None else 2) or asked.sum() < 2:
                continue
            found = [_shares(one[there], task.weights[there], count) for one in filled]
            values, variances = (np.array(part) for part in zip(*found, strict=True))
            pooled = _pooled(values, variances, float(there.sum() - 1))
            _, alone = _shares(task.answers[asked, question], task.weights[asked], count)
            for option, label in enumerate(task.options[question]):
                yield {
                    "survey": task.survey,
                    "question_id": task.questions[question],
                    "option": label,
                    "attribute": attribute,
                    "group": group,
                    **{name: float(value[option]) for name, value in pooled.items()},
                    "std_error_alone": float(np.sqrt(alone[option])),
                    "n": int(there.sum()),
                    "n_asked": int(asked.sum()),
                }


def _pooled(values: Floats, variances: Floats, degrees: float) -> dict[str, Floats]:
    plain = rubin.pool(values, variances, degrees)
    low, high = np.clip(plain.low, 0, 1), np.clip(plain.high, 0, 1)
    inside = ((values > 0) & (values < 1)).all(axis=0)
    if inside.any():
        p, v = values[:, inside], variances[:, inside]
        odds = rubin.pool(np.log(p / (1 - p)), v / (p * (1 - p)) ** 2, degrees)
        low[inside], high[inside] = (1 / (1 + np.exp(-end)) for end in (odds.low, odds.high))
    return {
        "estimate": plain.value,
        "std_error": plain.std_error,
        "low": low,
        "high": high,
        "degrees": plain.degrees,
        "missing": plain.missing,
    }


def _shares(codes: Ints, weights: Floats, count: int) -> tuple[Floats, Floats]:
    """Return weighted shares of options and their variances, (K) each (a ratio, linearised)."""
    told = np.eye(count)[codes]
    n, total = len(codes), max(float(weights.sum()), 1e-300)
    share = weights @ told / total
    parts = np.square(weights[:, None] * (told - share) / total)
    return share, parts.sum(axis=0) * n / max(n - 1, 1)


def _groups(
    task: Task, attributes: Sequence[str] | None
) -> Iterator[tuple[str | None, str | None, Bools]]:
    yield None, None, np.ones(len(task.respondents), dtype=bool)
    for place, name in enumerate(task.trait_names):
        if attributes is None or name in attributes:
            for code, value in enumerate(task.trait_values[place]):
                yield name, value, task.traits[:, place] == code
