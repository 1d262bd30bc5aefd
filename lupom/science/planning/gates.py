"""Which answers decide together who is asked a question: any of several, and with exceptions."""

from __future__ import annotations

from itertools import groupby
from typing import Any

import numpy as np

from lupom.science.planning.chances import CHANCE, FEWEST, so_few, sums
from lupom.science.planning.options import Singles
from lupom.science.predictors.task import Bools, Ints

# Cells that may be otherwise than a filter has it, of those whom one of its answers decides: of
# interviews on paper 1 to 3 % are.
LOOSE = 0.05
# So many of the others must be decided otherwise, or left open: fewer are people who do not answer.
OTHERWISE = 0.2
# Answers to so many questions, one after another, decide who is asked.
STEPS = 24


def gates(values: Singles, owner: Ints, asked: Bools, nested: Bools) -> Bools:
    """Return which questions and attributes decide who is asked which question, (V, Q).

    A list of rules for each question with gaps: if an answer is so, next to everybody was asked (or
    next to nobody), else if another answer is so, and on, as a questionnaire routes. 'If you smoke
    or have smoked' is two rules, of which the second alone rules nothing out. A rule may be wrong
    of 5 % of its people, a fifth of the others must be decided otherwise, and by lot it would be so
    in one of 1,000 surveys.

    Parameters
    ----------
    values : (n, D), answers and attributes as 0 and 1. owner : (D), the question of each column,
        attributes being numbered after the questions.
    asked : (n, Q), who was asked. nested : (D), columns that hold each other, as 'more than 2' and
        'more than 3' do: one of a question's is taken.
    """
    size = int(owner.max(initial=asked.shape[1] - 1)) + 1
    known = np.asarray(sums(values.T, owner, size).T > 0, dtype=np.float32)
    out = np.zeros((size, asked.shape[1]), dtype=bool)
    blank = (~asked).sum(axis=0)
    gaps = np.flatnonzero((blank >= FEWEST) & (len(asked) - blank >= FEWEST))
    some = asked[:, gaps].astype(np.float32)
    # What each question's first rule is looked for in, of all questions at once.
    were, whole = values.T @ some, known.T @ some
    for place, question in enumerate(gaps):
        first = were[:, place], values.sum(axis=0), whole[:, place], known.sum(axis=0)
        found = _rules(values, owner, known, asked[:, question], nested, first)
        out[found, question] = True
        out[question, question] = False
    return out


def _rules(
    values: Singles, owner: Ints, known: Singles, asked: Bools, nested: Bools, first: Any
) -> list[int]:
    """Return the questions by whose answers it is decided who is asked one, the first decides most.

    Those who have no opinion elsewhere leave out a third: everybody else was asked, as by a rule.
    So rules by which people are asked count only if it is decided of all who are left, too.

    Parameters
    ----------
    asked : (n). first : of each column how many people were asked and how many it has, and of each
        question how many were of those with an answer, and how many these are.
    """
    for ways in (2, 1):
        left, found = np.ones(len(asked), dtype=bool), dict[int, int]()
        were, counts, whole, told = first
        for _ in range(STEPS):
            # Who was not asked the one was asked the other, mostly: what hangs on a filter is no
            # filter of what hangs beside it.
            before = told - whole >= 0.5 * (left & ~asked).sum()
            out_of = ((were, counts, whole), (counts - were, counts, told - whole))[:ways]
            steps = [_decided(*those, told, owner, nested, before) for those in out_of]
            people = [0 if step is None else step[0] for step in steps]
            step = steps[way := int(np.argmax(people))]
            if step is None:
                break
            found[step[1]] = max(way, found.get(step[1], 0))
            left &= ~values[:, step[2]].any(axis=1)
            rest, some = values[left], asked[left].astype(np.float32)
            counts, were = rest.sum(axis=0), some @ rest
            told, whole = known[left].sum(axis=0), some @ known[left]
        if not any(found.values()):
            break
        were_left = asked[left & known[:, list(found)].all(axis=1)]
        if min(were_left.sum(), (~were_left).sum()) <= LOOSE * len(were_left):
            break
    return list(found)


def _decided(
    many: Any, counts: Any, whole: Any, told: Any, owner: Ints, nested: Bools, before: Bools
) -> tuple[int, int, Ints] | None:
    """Return the answers to one question that decide it of most people: how many, whose, which.

    Parameters
    ----------
    many, counts : (D), how many of each answer's people are so, and how many they are.
    whole, told : (V), the same of all with an answer. before : (V), which questions it may be.
    """
    pure = np.flatnonzero((many <= LOOSE * counts) & (counts > 0) & before[owner])
    best: tuple[int, int, Ints] | None = None
    for (one, within), own in groupby(pure.tolist(), key=lambda c: (owner[c], nested[c])):
        columns = np.fromiter(own, dtype=np.int64)
        if within:
            columns = columns[[counts[columns].argmax()]]
        some, of_them = float(many[columns].sum()), float(counts[columns].sum())
        others = float(told[one]) - of_them
        if (
            of_them <= (0 if best is None else best[0])
            or others < FEWEST
            or float(whole[one]) - some < OTHERWISE * others
        ):
            continue
        tried = len(told) * 2.0 ** (1 if within else int((owner == one).sum()))
        chance = so_few(*(np.array([x]) for x in (some, of_them, whole[one], told[one])))
        if chance[0] < CHANCE / tried:
            best = int(of_them), int(one), columns
    return best
