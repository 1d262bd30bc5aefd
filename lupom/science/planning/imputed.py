"""Tables of imputed answers, and of estimates from all imputed sets together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lupom.science.blas import one_thread
from lupom.science.inputs import arrow, require
from lupom.science.planning import imputation, rubin
from lupom.science.planning.moments import cells
from lupom.science.planning.questionnaire import answered
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
NOT_ASKED = "not_asked"


# Fewer answers to a question do not say how answers vary: one "Yes" of one person would be that of
# all others, in every set.
FEWEST = 10


def imputations(
    responses: Any, respondents: Any, questions: Any, *, sets: int = 20, seed: int = 0
) -> pa.Table:
    """Return answers to what people were not asked, drawn `sets` times as `imputation.draws` does.

    Parameters
    ----------
    responses : survey, respondent_id, question_id, status and answer. Refusals and don't knows are
        answers in their way and stay what they are.
    respondents, questions : as `task.tasks` takes them.

    Returns
    -------
    A row for each set (imputation, from 1), respondent and question not asked. A question that
    fewer than 10 people answered has none.

    Raises
    ------
    ValueError : as `task.tasks` does, and for one set: it does not say how unsure it is.
    """
    if sets == 1:
        raise ValueError("imputation_sets: 1 does not say how unsure it is; take 20, or 0 for none")
    if sets < 1:
        return IMPUTATIONS.empty_table()
    parts = []
    table = arrow(responses)
    require(table, ("survey", "respondent_id", "question_id", "status", "answer"), "responses")
    for task in everyone(table, respondents, questions):
        kept = answered(task)
        gaps = _cells(table, kept, pc.equal(table["status"], NOT_ASKED))
        gaps &= kept.answers == HIDDEN
        gaps &= (kept.answers != HIDDEN).sum(axis=0) >= FEWEST
        row, column = np.nonzero(gaps)
        if not len(row):
            continue
        ids = np.array(kept.respondents, dtype=object)[row].tolist()
        names = np.array(kept.questions, dtype=object)[column].tolist()
        labels = np.array([o for options in kept.options for o in options], dtype=object)
        with one_thread():
            for number, codes in enumerate(imputation.draws(cells(kept), sets, seed=seed), 1):
                said = labels[kept.offsets[column] + codes[row, column]].tolist()
                values = ([task.survey] * len(row), [number] * len(row), ids, names, said)
                parts.append(pa.table(list(values), schema=IMPUTATIONS))
    return pa.concat_tables(parts) if parts else IMPUTATIONS.empty_table()


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
    """
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
    row, column = _places(drawn, task)
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


def _places(table: pa.Table, task: Task) -> tuple[Ints, Ints]:
    found = []
    for name, among in (("respondent_id", task.respondents), ("question_id", task.questions)):
        at = pc.index_in(table[name], value_set=pa.array(among, pa.string()))
        found.append(np.asarray(pc.fill_null(at, -1).combine_chunks(), dtype=np.int64))
    return found[0], found[1]


def _cells(table: pa.Table, task: Task, here: Any) -> Bools:
    own = table.filter(pc.and_(pc.equal(table["survey"], task.survey), pc.fill_null(here, False)))
    row, column = _places(own, task)
    out = np.zeros(task.answers.shape, dtype=bool)
    known = (row >= 0) & (column >= 0)
    out[row[known], column[known]] = True
    return out
