"""Which questions are asked by what the answer to another one is, of any kind of question."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lupom.science.inputs import arrow, require
from lupom.science.planning.gates import gates
from lupom.science.planning.numbers import NUMBER
from lupom.science.planning.options import Singles
from lupom.science.planning.questionnaire import NOT_ASKED, cells, places
from lupom.science.planning.reach import reach
from lupom.science.predictors.task import Bools, Ints, Task, everyone

FOLLOW_UPS = pa.schema(
    [("survey", pa.string()), ("question_id", pa.string()), ("follow_up", pa.string())]
)
OPEN = ("numeric", "text")
# A number that so few others are beside is an option of its own; of more, quarters are.
FEW = 8
# So many numbers are tried as the one above or below which a question is asked.
CUTS = 100


def follow_ups(responses: Any, respondents: Any, questions: Any) -> pa.Table:
    """Return the questions that are asked, or not, by what a person answered to another one.

    A filter and what hangs on it, as `reach.reach` finds them in the answers, and as `gates.gates`
    does: where any of several answers will do, and with exceptions. Questions answered in numbers
    are filters, too (how many children, then how old the first is): each number, or 0 and the
    quarters of what else there is, and all above or below a number. Of a text it counts that there
    is one. What hangs on a follow-up hangs on its filter.

    Parameters
    ----------
    responses : survey, respondent_id, question_id, status, answer.
    respondents : survey, respondent_id, attributes. questions : survey, question_id, kind, options.

    Returns
    -------
    A row for each filter (question_id) and question on it (follow_up), by name.

    Raises
    ------
    ValueError : as `task.tasks` does.
    """
    told, asked = arrow(responses), arrow(questions)
    require(told, ("survey", "respondent_id", "question_id", "status", "answer"), "responses")
    require(asked, ("survey", "question_id", "kind", "options"), "questions")
    numeric = asked.filter(pc.equal(asked["kind"], "numeric")).select(["survey", "question_id"])
    given = told.join(numeric, ["survey", "question_id"], join_type="left semi")
    told, asked = _as_options(told, asked)
    rows = []
    for task in everyone(told, respondents, asked):
        found = reach(task, cells(told, task, pc.not_equal(told["status"], NOT_ASKED)))
        count = len(task.questions)
        below, whose = _thresholds(given, task)
        decide = gates(
            np.hstack([found.values, below]),
            np.concatenate([found.owner, whose]),
            found.asked,
            np.arange(len(found.owner) + len(whose)) >= len(found.owner),
        )[:count]
        for question in range(count):
            decide[question] |= found.bars[found.owner == question].any(axis=0)
        decide = _on(decide)
        for question in range(count):
            hangs = decide[question]
            rows += [
                (task.survey, task.questions[question], task.questions[one])
                for one in np.flatnonzero(hangs)
            ]
    columns = zip(*rows, strict=True) if rows else ((), (), ())
    return pa.table([pa.array(c, pa.string()) for c in columns], FOLLOW_UPS)


def _as_options(told: pa.Table, asked: pa.Table) -> tuple[pa.Table, pa.Table]:
    """Return responses and questions with options in the place of numbers and texts."""
    keys = ["survey", "question_id"]
    answers = told["answer"].to_numpy(zero_copy_only=False).copy()
    # The place of each response's question in the table of questions.
    place = told.select(keys).append_column("row", pa.array(np.arange(told.num_rows)))
    numbered = asked.select([*keys, "kind"]).append_column(
        "of", pa.array(np.arange(asked.num_rows))
    )
    joined = place.join(numbered, keys, join_type="inner").sort_by("row")
    open_ = joined.filter(pc.is_in(joined["kind"], value_set=pa.array(OPEN)))
    options = asked["options"].to_pylist()
    row, of = (np.asarray(open_[name]) for name in ("row", "of"))
    for question in np.unique(of):
        mine = row[of == question]
        mine = mine[[one is not None for one in answers[mine]]]
        if asked["kind"][int(question)].as_py() == "numeric":
            answers[mine] = _binned(answers[mine])
        else:
            answers[mine] = "answered"
        options[question] = sorted(set(answers[mine]))
    kept = told.append_column("as_option", pa.array(answers, pa.string()))
    known = joined["row"]
    told = kept.take(known).drop_columns(["answer"]).rename_columns({"as_option": "answer"})
    at = asked.column_names.index("options")
    return told, asked.set_column(at, "options", pa.array(options, pa.list_(pa.string())))


def _thresholds(given: pa.Table, task: Task) -> tuple[Singles, Ints]:
    """Return of whom a number is at most so much, and more, (n, D), and whose each column is.

    Parameters
    ----------
    given : the answers to questions answered in numbers.
    """
    here = given.filter(pc.equal(given["survey"], task.survey))
    column = here["answer"].combine_chunks()
    number = pc.match_substring_regex(column, NUMBER)
    values = np.asarray(pc.if_else(number, column, "nan").cast(pa.float64()))
    row, of = places(here, task)
    columns, owner = [np.zeros((len(task.respondents), 0), dtype=np.float32)], []
    for question in np.unique(of):
        own = np.flatnonzero((of == question) & np.isfinite(values) & (row >= 0))
        numbers = np.full((len(task.respondents), 1), np.nan)
        numbers[row[own], 0] = values[own]
        cuts = np.unique(values[own])[:-1]
        if len(cuts) > CUTS:
            cuts = np.unique(np.quantile(values[own], np.linspace(0, 1, CUTS + 2)[1:-1]))
        columns += [(numbers <= cuts).astype(np.float32), (numbers > cuts).astype(np.float32)]
        owner += [int(question)] * (2 * len(cuts))
    return np.hstack(columns), np.array(owner, dtype=np.int64)


def _on(decide: Bools) -> Bools:
    """Return what hangs on what, with what hangs on that, (Q, Q)."""
    while True:
        more = decide | (decide.astype(np.float32) @ decide.astype(np.float32) > 0)
        np.fill_diagonal(more, False)
        if (more == decide).all():
            return decide
        decide = more


def _binned(answers: Any) -> Any:
    """Return texts of numbers as options; what is no number is one."""
    column = pa.array(answers, pa.string())
    number = pc.match_substring_regex(column, NUMBER)
    values = np.asarray(pc.if_else(number, column, "nan").cast(pa.float64()))
    there = np.isfinite(values)
    out = np.full(len(values), "no number", dtype=object)
    known = values[there]
    if len(np.unique(known)) <= FEW:
        out[there] = [f"{value:g}" for value in known]
        return out
    some = known[known != 0]
    ends = np.unique(np.quantile(some, [0.25, 0.5, 0.75]))
    bins = np.searchsorted(ends, known)
    out[there] = np.where(known == 0, "0", np.char.add("quarter ", bins.astype(str)))
    return out
