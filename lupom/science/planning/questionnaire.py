"""A survey as it is planned with: the questions that are asked, and who can be asked them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lupom.science.inputs import arrow
from lupom.science.planning import recodes
from lupom.science.planning.reach import FILTER, Reach, reach
from lupom.science.predictors.task import HIDDEN, Bools, Ints, Task, everyone

QUESTION_REACH = pa.schema(
    [
        ("survey", pa.string()),
        ("question_id", pa.string()),
        ("recode_of", pa.string()),
        ("gaps", pa.string()),
        ("asked_of", pa.float64()),
        ("n_asked", pa.int64()),
        ("n_answered", pa.int64()),
        ("n_barred", pa.int64()),
        ("n_unclear", pa.int64()),
        ("filters", pa.list_(pa.string())),
        ("filters_together", pa.list_(pa.string())),
        (
            "filters_likely",
            pa.list_(pa.struct([("answer", pa.string()), ("probability", pa.float64())])),
        ),
        ("screens", pa.list_(pa.string())),
        ("asked_of_unbarred", pa.float64()),
    ]
)
NOT_ASKED = "not_asked"


@dataclass(frozen=True)
class Questionnaire:
    """Questions that somebody answered and that are no recodes.

    Attributes
    ----------
    task : their answers. reach : who can be asked them.
    recodes : what is made of them (or of attributes): the recodes by question. whole : the task
        with these.
    """

    task: Task
    reach: Reach
    recodes: dict[str, list[str]]
    whole: Task


def questionnaire(
    task: Task, asked: Bools | None = None, *, attributes: bool = False
) -> Questionnaire:
    """Return a survey's questions without recodes, and who can be asked them.

    Parameters
    ----------
    task : all closed questions. asked : (R, Q), who was asked; those with an answer when left out.
    attributes : whether attributes are known before any question; what is made of one is a recode.
    """
    some = np.flatnonzero((task.answers != HIDDEN).any(axis=0))
    whole = answered(task)
    found = recodes.recodes(whole, attributes=attributes)
    kept = np.array([q for q, source in enumerate(found) if source is None], dtype=np.int64)
    sources: dict[str, list[str]] = {}
    for question, source in zip(whole.questions, found, strict=True):
        if source is not None:
            sources.setdefault(source, []).append(question)
    own = of_questions(whole, kept)
    asked = None if asked is None else asked[:, some[kept]]
    return Questionnaire(own, reach(own, asked), sources, whole)


def questionnaires(
    responses: Any,
    respondents: Any,
    questions: Any,
    *,
    attributes: bool = False,
    people: int | None = None,
    seed: int = 0,
) -> Iterator[Questionnaire]:
    """Yield `questionnaire` of each survey, by name.

    Parameters
    ----------
    responses : survey, respondent_id, question_id, answer (null where there is none), and status,
        by which it is known who was asked; without it those with an answer were.
    respondents, questions : as `task.tasks` takes them, which says what is raised, too.
    attributes : as of `questionnaire`.
    people : of surveys of more so many are drawn by lot; None is all.
    """
    table = arrow(responses)
    for task in everyone(table, respondents, questions):
        asked = None
        if "status" in table.column_names:
            asked = cells(table, task, pc.not_equal(table["status"], NOT_ASKED))
        if people is not None and people < len(task.respondents):
            some = drawn(len(task.respondents), people, seed)
            task, asked = of_people(task, some), None if asked is None else asked[some]
        yield questionnaire(task, asked, attributes=attributes)


def drawn(count: int, people: int | None, seed: int) -> Ints:
    """Return so many of `count` people, drawn by lot, in their order; all where there are fewer."""
    order = np.random.default_rng(seed).permutation(count)[:people]
    return np.sort(order).astype(np.int64)


def of_people(task: Task, rows: Ints) -> Task:
    """Return a task without pairs of some of its people."""
    return replace(
        task,
        respondents=tuple(task.respondents[row] for row in rows),
        answers=task.answers[rows],
        reference=task.reference[rows],
        attributes=task.attributes[rows],
        weights=task.weights[rows],
        traits=task.traits[rows],
    )


def varying(one: Questionnaire) -> tuple[Questionnaire, list[str]]:
    """Return a questionnaire of the questions to which answers differ, and the others' names.

    Of a constant nothing is left to be known, and nothing is known by it.
    """
    codes = np.ma.masked_equal(one.task.answers, HIDDEN)
    same = np.asarray((codes.max(axis=0) == codes.min(axis=0)).filled(True))
    if not same.any():
        return one, []
    kept = np.flatnonzero(~same)
    task = of_questions(one.task, kept)
    recodes_ = {q: made for q, made in one.recodes.items() if q in task.questions}
    names = [one.task.questions[q] for q in np.flatnonzero(same)]
    return replace(one, task=task, reach=one.reach.of(kept), recodes=recodes_), names


def question_reach(
    responses: Any,
    respondents: Any,
    questions: Any,
    *,
    people: int | None = None,
    seed: int = 0,
) -> pa.Table:
    """Return of each closed question who can be asked it, and what it is a recode of.

    Parameters are as of `questionnaires`.

    Returns
    -------
    recode_of (a question; what else there is of a recode is its), gaps ('all' were asked; 'lot';
    'filter'; 'unclear': a filter that is not among the answers), asked_of (the share of people who
    can be asked, by weight), people who were asked, who answered, who are barred, and of whom it is
    not known; filters ('question: option' of what bars it); screens (the questions that tell who
    can be asked, as `reach.Reach.screens`); asked_of_unbarred (the share who can be asked of those
    whom nothing bars).
    """
    rows = []
    for one in questionnaires(responses, respondents, questions, people=people, seed=seed):
        names, found = one.reach.names, one.reach
        for place, question in enumerate(one.task.questions):
            barred = found.barred[:, place]
            told = {
                "survey": one.task.survey,
                "question_id": question,
                "gaps": found.kinds[place],
                "asked_of": float(found.shares[place]),
                "n_asked": int(found.asked[:, place].sum()),
                "n_answered": int(found.there[:, place].sum()),
                "n_barred": int(barred.sum()),
                "n_unclear": int((~found.open[:, place] & ~barred).sum()),
                "filters": [": ".join(names[c]) for c in np.flatnonzero(found.bars[:, place])]
                if found.kinds[place] == FILTER
                else [],
                "filters_together": [
                    ": ".join(names[c]) for c in np.flatnonzero(found.closes[:, place])
                ],
                "filters_likely": [
                    {"answer": ": ".join(names[c]), "probability": float(found.likely[c, place])}
                    for c in np.flatnonzero(found.likely[:, place])
                ],
                "screens": [one.task.questions[s] for s in found.screens(place)],
                "asked_of_unbarred": float(found.unbarred[place]),
            }
            rows.append(told)
            for recode in one.recodes.get(question, ()):
                rows.append({**told, "question_id": recode, "recode_of": question})
    return pa.Table.from_pylist(rows, schema=QUESTION_REACH)


def answered(task: Task) -> Task:
    """Return a task with the questions that anybody answered."""
    return of_questions(task, np.flatnonzero((task.answers != HIDDEN).any(axis=0)))


def few(names: Sequence[str]) -> str:
    """Return names for a message: the first three, and how many others there are."""
    more = len(names) - 3
    others = "" if more < 1 else " and 1 other" if more == 1 else f" and {more} others"
    return ", ".join(names[:3]) + others


def ids_by_survey(questions: Any) -> dict[str, list[str]]:
    """Return the ids of the questions of a table (survey, question_id), by survey."""
    out: dict[str, list[str]] = {}
    table = arrow(questions)
    columns = (table[name].to_pylist() for name in ("survey", "question_id"))
    for survey, question in zip(*columns, strict=True):
        out.setdefault(survey, []).append(question)
    return out


def named(
    known: Mapping[str, Collection[str]],
    names: Collection[str] | Mapping[str, Collection[str]],
    var: str,
    what: str = "closed question",
) -> dict[str, set[str]]:
    """Return the questions that a var names, by survey.

    Parameters
    ----------
    known : the questions of each survey.
    names : of all surveys, each of one of them at least, or by survey. var, what : its name, and
        what it names, for errors.

    Raises
    ------
    ValueError : for a survey or a question that is not there.
    """
    by_survey = names if isinstance(names, Mapping) else dict.fromkeys(known, names)
    for survey, wanted in by_survey.items():
        if survey not in known:
            raise ValueError(
                f"{var} names {survey!r}, no survey of the project{_near(survey, known)}"
            )
        if isinstance(wanted, str):
            raise ValueError(f"{var} is a list of questions, as [{wanted}], not a text")
        # A list for all surveys names questions of any.
        these = [survey] if isinstance(names, Mapping) else list(known)
        there = [question for one in these for question in known[one]]
        strange = sorted(set(wanted) - set(there))
        if strange:
            raise ValueError(
                f"{var} names {', '.join(strange)}, no {what} of {' or '.join(these)}"
                f"{_near(strange[0], there)}"
            )
    return {survey: set(by_survey.get(survey, ())) & set(known[survey]) for survey in known}


def _near(word: str, known: Collection[str]) -> str:
    near = get_close_matches(word, sorted(known), 1, 0.5)
    return f" (did you mean {near[0]!r}?)" if near else ""


def of_questions(task: Task, kept: Ints) -> Task:
    """Return a task without pairs with some of its questions."""
    return replace(
        task,
        questions=tuple(task.questions[q] for q in kept),
        options=tuple(task.options[q] for q in kept),
        answers=task.answers[:, kept],
    )


def cells(table: pa.Table, task: Task, here: Any) -> Bools:
    """Return which of a task's cells are among the rows of a responses table, (R, Q).

    Parameters
    ----------
    here : true for the rows that count; null is false.
    """
    own = table.filter(pc.and_(pc.equal(table["survey"], task.survey), pc.fill_null(here, False)))
    row, column = places(own, task)
    out = np.zeros(task.answers.shape, dtype=bool)
    known = (row >= 0) & (column >= 0)
    out[row[known], column[known]] = True
    return out


def places(table: pa.Table, task: Task) -> tuple[Ints, Ints]:
    """Return each row's respondent and question, as numbers of the task's, -1 for none."""
    found = []
    for name, among in (("respondent_id", task.respondents), ("question_id", task.questions)):
        at = pc.index_in(table[name], value_set=pa.array(among, pa.string()))
        found.append(np.asarray(pc.fill_null(at, -1).combine_chunks(), dtype=np.int64))
    return found[0], found[1]
