"""Split questionnaires: blocks of questions, and what that costs."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from math import comb
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lupom.science.blas import one_thread
from lupom.science.inputs import arrow
from lupom.science.planning.choices import units as units_of
from lupom.science.planning.designs import (
    CORE,
    assign_blocks,
    association_efficiency,
    design_of,
    efficiency,
    letter,
    scores,
)
from lupom.science.planning.moments import cells, fit
from lupom.science.planning.questionnaire import (
    Questionnaire,
    few,
    ids_by_survey,
    named,
    questionnaires,
    varying,
)
from lupom.science.predictors.task import Bools, Floats, Ints

BLOCKS = pa.schema(
    [
        ("survey", pa.string()),
        ("question_id", pa.string()),
        ("recode_of", pa.string()),
        ("block", pa.string()),
        ("blocks_asked", pa.int64()),
        ("asked", pa.float64()),
        ("efficiency", pa.float64()),
        ("half_width", pa.float64()),
        ("half_width_alone", pa.float64()),
    ]
)
ASSOCIATIONS = pa.schema(
    [
        ("survey", pa.string()),
        ("question_id", pa.string()),
        ("other_question_id", pa.string()),
        ("association", pa.float64()),
        ("asked_together", pa.float64()),
        ("basis", pa.string()),
        ("efficiency", pa.float64()),
        ("half_width", pa.float64()),
    ]
)
# Above this number of questions the information on all covariances at once is too large a matrix;
# then efficiencies of associations are of those asked together alone, which is the least they are.
MOST = 54
# Forms of a design, each choice of blocks being one. Information is summed over them: of 462 forms
# (5 of 11 blocks) and 25 questions a design takes 7 s of CPU, of 120 (3 of 10) 2 s, of 6 .7 s.
MOST_FORMS = 500
# What a number on an association is based on.
INFORMATION, TOGETHER, NEVER = "information", "asked_together", "never_together"


def design_blocks(
    responses: Any,
    respondents: Any,
    questions: Any,
    *,
    blocks: int = 4,
    asked: int = 2,
    core: Collection[str] | Mapping[str, Collection[str]] = (),
    others: Any = None,
    people: int | None = None,
    seed: int = 0,
    note: Callable[[str], None] = lambda _: None,
) -> pa.Table:
    """Return a split questionnaire of each survey, a row a question, in the order of `questions`.

    Parameters
    ----------
    responses, respondents, questions : as `question_plan.question_plan` takes them.
    blocks, asked : how many blocks there are, and how many each person is asked.
    core : questions that everybody is asked, for all surveys or by survey; filters are, too.
    others : survey and question_id of all questions in their order, those that are answered in
        numbers or texts among them: nothing imputes these, and everybody is asked them.
    people : of surveys of more so many are drawn to learn from; None is all.
    note : hears of filters, of surveys with other numbers of blocks or no design, and of what is in
        no block.

    Returns
    -------
    block ('core', 'A', 'B', ...), blocks_asked, asked (share of people), efficiency (as
    `efficiency`), half_width (how many times as wide intervals are as if all were asked, with
    imputation), half_width_alone (the same from answers alone). A recode is where its source is
    (recode_of), with its numbers. Choices of one question, which are told by `kind` and `battery`
    of `questions` where it has these, are in one block. Questions to which all gave one answer have
    no row, but for those of `core`. A survey with fewer questions than blocks has the design of as
    many blocks as questions (`nearest`), one with fewer than two questions to be parted no rows.

    Raises
    ------
    ValueError : for numbers of blocks that make no gaps or more than 500 forms, and core questions
        that are not there.
    """
    if not 1 <= asked < blocks:
        raise ValueError(
            f"plan_blocks_asked is at least 1 and less than plan_blocks: {asked} of {blocks} blocks"
            f" make no split questionnaire"
        )
    if comb(blocks, asked) > MOST_FORMS:
        raise ValueError(
            f"plan_blocks: {blocks} blocks of which {asked} are asked (plan_blocks_asked) make"
            f" {comb(blocks, asked):,} forms, and {MOST_FORMS} are the most; of {asked} asked there"
            f" can be {_most_blocks(asked)} blocks"
        )
    surveys = questionnaires(responses, respondents, questions, people=people, seed=seed)
    varied, parts = [varying(one) for one in surveys], []
    found = [one for one, _ in varied]
    listed = ids_by_survey(questions)
    every = listed if others is None else ids_by_survey(others)
    wanted = named(every, core, "plan_core", "question")
    units = {one.task.survey: units_of(one.task, questions) for one in found}
    fixed_of = _cores(found, units, wanted, note)
    for one, same in varied:
        task, fixed = one.task, fixed_of[one.task.survey]
        told = [question for question in same if question not in wanted[task.survey]]
        if told:
            note(
                f"{task.survey}: to {few(told)} everybody gave one answer;"
                f" {'it is' if len(told) == 1 else 'they are'} in no block"
            )
        unit = units[task.survey]
        count = len(np.unique(unit[~fixed]))
        if unknown := [q for q in listed[task.survey] if q not in set(one.whole.questions)]:
            note(f"{task.survey}: {few(unknown)} was answered by nobody, and is in no block")
        if count < 2:
            note(
                f"{task.survey}: {_counted(count)} to be parted into blocks, without those of"
                " plan_core and recodes, so that there is no design"
            )
            continue
        own, each = nearest(blocks, asked, count)
        if own < blocks:
            note(
                f"{task.survey}: {_counted(count)} to be parted, without those of plan_core and"
                f" recodes, and {count} blocks at most: the design has {own} of which {each}"
                f" {'is' if each == 1 else 'are'} asked, in place of {asked} of {blocks}"
                f" (plan_blocks_asked, plan_blocks)"
            )
        with one_thread():
            given = scores(fit(cells(task), seed=seed))
            chosen = assign_blocks(given, own, each, core=fixed, unit=unit, seed=seed)
            left = efficiency(given, chosen.forms)
        share = np.diag(chosen.together)
        place = {question: q for q, question in enumerate(task.questions)}
        rows: list[tuple[int, str, str | None]] = []
        for question, q in place.items():
            rows.append((q, question, None))
            rows += [(q, recode, question) for recode in one.recodes.get(question, ())]
        closed, order = set(listed[task.survey]), every[task.survey]
        if unparted := [question for question in order if question not in closed]:
            note(
                f"{task.survey}: {few(unparted)} {'is' if len(unparted) == 1 else 'are'} answered"
                " in numbers or texts, which nothing imputes, and so everybody is asked (core)"
            )
        # Who names a question that tells nothing has it asked.
        unparted += [question for question in same if question not in told]
        if unparted:
            rows += [(-1, question, None) for question in unparted]
            # What is asked of everybody is known as well as without a design.
            share, left = np.append(share, 1.0), np.append(left, 1.0)
        rows.sort(key=lambda row: order.index(row[1]))
        at, names, sources = (list(column) for column in zip(*rows, strict=True))
        part = {
            "survey": [task.survey] * len(rows),
            "question_id": names,
            "recode_of": sources,
            "block": [CORE if q < 0 else letter(int(chosen.block[q])) for q in at],
            "blocks_asked": [each] * len(rows),
            "asked": share[at],
            "efficiency": left[at],
            "half_width": left[at] ** -0.5,
            "half_width_alone": share[at] ** -0.5,
        }
        parts.append(pa.table(part, schema=BLOCKS))
    return pa.concat_tables(parts) if parts else BLOCKS.empty_table()


def design_associations(
    responses: Any,
    respondents: Any,
    questions: Any,
    blocks: Any,
    *,
    people: int | None = None,
    seed: int = 0,
) -> pa.Table:
    """Return what a design leaves of the precision of associations, a row a pair of questions.

    Parameters
    ----------
    responses, respondents, questions, people, seed : as `design_blocks` took them.
    blocks : what it returned.

    Returns
    -------
    association (correlation of `scores`), asked_together (share of people), basis, efficiency,
    half_width. The basis of efficiency is 'information' (`association_efficiency`), or
    'asked_together', that share, which is the least it is: of more than 54 questions, and where
    some are never asked together. Of two that are not ('never_together') there is neither. Recodes
    are left out.
    """
    found, parts = arrow(blocks).to_pylist(), []
    for whole in questionnaires(responses, respondents, questions, people=people, seed=seed):
        one, _ = varying(whole)
        task = one.task
        own = {r["question_id"]: r for r in found if r["survey"] == task.survey}
        if not own:
            continue
        chosen = design_of([own[q] for q in task.questions])
        with one_thread():
            given = scores(fit(cells(task), seed=seed))
            i, j = np.triu_indices(given.questions, 1)
            together = chosen.together[i, j]
            # Of two questions that nobody is asked both of there is no such information.
            basis = INFORMATION if _informed(given.questions, together) else TOGETHER
            left = together.copy()
            if basis == INFORMATION:
                left = association_efficiency(given, chosen.forms)[i, j]
        left[together <= 0] = np.nan
        names = np.array(task.questions, dtype=object)
        part = {
            "survey": [task.survey] * len(i),
            "question_id": names[i].tolist(),
            "other_question_id": names[j].tolist(),
            "association": given.correlation[i, j],
            "asked_together": together,
            "basis": np.where(together > 0, basis, NEVER).tolist(),
            "efficiency": pa.array(left, from_pandas=True),
            "half_width": pa.array(left**-0.5, from_pandas=True),
        }
        parts.append(pa.table(part, schema=ASSOCIATIONS))
    return pa.concat_tables(parts) if parts else ASSOCIATIONS.empty_table()


def _informed(questions: int, together: Floats) -> bool:
    return questions <= MOST and bool((together > 0).all())


def bases(associations: Any) -> list[str]:
    """Return a sentence for each survey of which something on associations is not known."""
    table, out = arrow(associations), []
    for survey in sorted(pc.unique(table["survey"]).to_pylist()):
        basis = table.filter(pc.equal(table["survey"], survey))["basis"].to_pylist()
        never = basis.count(NEVER)
        if never:
            out.append(
                f"{survey}: {never} of {len(basis)} pairs are never asked together, so that nothing"
                " is known of their associations; with plan_blocks_asked of 2 all are"
            )
        elif TOGETHER in basis:
            out.append(
                f"{survey}: of more than {MOST} questions efficiency is the share asked together,"
                " which is the least it is"
            )
    return out


def nearest(blocks: int, asked: int, questions: int) -> tuple[int, int]:
    """Return numbers of blocks and of those asked that so many questions allow.

    As many blocks as there are questions, and of them the share that was to be asked: at least two
    where that was so and leaves a gap, or nothing would be known of associations.
    """
    if questions >= blocks:
        return blocks, asked
    share = int(asked * questions / blocks + 0.5)
    return questions, max(min(max(share, min(asked, 2)), questions - 1), 1)


def _most_blocks(asked: int) -> int:
    return max(n for n in range(asked + 1, MOST_FORMS + 1) if comb(n, asked) <= MOST_FORMS)


def _counted(count: int) -> str:
    return "there is 1 question" if count == 1 else f"there are {count} questions"


def _cores(
    found: Sequence[Questionnaire],
    units: Mapping[str, Ints],
    wanted: Mapping[str, Collection[str]],
    note: Callable[[str], None],
) -> dict[str, Bools]:
    """Return which questions everybody is asked, (Q), by survey.

    Parameters
    ----------
    units : what is one question for a person, as `choices.units`. wanted : those that are to be, by
        survey; the other choices of a question are with them.

    Those that tell who can be asked another one are among them: whoever is asked that one's block
    and not theirs could not be asked it.
    """
    out = {}
    for one in found:
        names = set(wanted[one.task.survey])
        asked = names | {q for q, made in one.recodes.items() if names & set(made)}
        fixed = np.isin(np.array(one.task.questions, dtype=object), list(asked))
        screens = {s for q in range(len(fixed)) for s in one.reach.screens(q)}
        if more := [one.task.questions[s] for s in sorted(screens) if not fixed[s]]:
            note(
                f"{one.task.survey}: {few(more)} {'tells' if len(more) == 1 else 'tell'} who can"
                " be asked other questions, and so everybody is asked (core)"
            )
        fixed[sorted(screens)] = True
        unit = units[one.task.survey]
        out[one.task.survey] = np.isin(unit, unit[fixed])
    return out
