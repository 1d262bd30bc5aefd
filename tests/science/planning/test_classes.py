"""Kinds of people: what answers say together that none of them says alone."""

from __future__ import annotations

import numpy as np
import pytest

from lupom.science.planning import classes
from lupom.science.planning.classes import Panel, Pool
from lupom.science.planning.moments import Cells, cells, fit
from lupom.science.predictors.task import everyone
from tests.support.planned_surveys import noisy, tables


def people(n: int = 2000, seed: int = 0):
    """Three kinds: all questions are answered with 1 by the first, half of them by the others."""
    rng = np.random.default_rng(seed)
    kind = rng.integers(0, 3, n)
    answers = {f"a{i}": noisy(rng, (kind != 1).astype(int), 0.1) for i in range(4)}
    answers |= {f"b{i}": noisy(rng, (kind != 2).astype(int), 0.1) for i in range(4)}
    (task,) = everyone(*tables(answers))
    return kind, cells(task)


def panel(asked: Cells) -> Panel:
    return Panel(Pool(fit(asked), classes.fit(asked)), asked)


def test_people_of_a_kind_are_found_together():
    kind, asked = people()
    chances = panel(asked).known(np.ones(8, dtype=bool))[1]
    assert chances.sum(axis=1) == pytest.approx(np.ones(len(kind)))
    # Of two who are likely to be of one kind nearly all are.
    best = chances.argmax(axis=1)
    right = sum(np.bincount(kind[best == k], minlength=3).max() for k in np.unique(best))
    assert right / len(kind) > 0.95


def test_nothing_known_gives_the_shares_of_all():
    _, asked = people()
    one = panel(asked)
    kinds = one.known(np.zeros(8, dtype=bool))[1]
    p = kinds[0] @ one.pool.classes.options
    assert p == pytest.approx(asked.values.mean(axis=0), abs=0.01)


def test_the_pool_knows_that_a_second_answer_may_be_in_vain():
    _, asked = people()
    one = panel(asked)
    means, kinds = one.known(np.array([True] + [False] * 7))
    p = one.pool.shares(means, kinds)
    assert np.add.reduceat(p, asked.offsets[:-1], axis=1) == pytest.approx(np.ones((2000, 8)))
    # Who did not answer a0 with 1 is of the second kind, and answers all of b with 1.
    no = asked.codes[:, 0] == 0
    b = p[:, int(asked.offsets[4]) + 1]
    assert b[no].mean() == pytest.approx(asked.codes[no, 4].mean(), abs=0.05)
    assert b[~no].mean() == pytest.approx(asked.codes[~no, 4].mean(), abs=0.05)


def test_the_entropy_of_a_question_is_that_of_its_shares():
    _, asked = people(300)
    one = panel(asked)
    known = one.known(np.array([True, False] * 4))
    p = one.pool.shares(*known)
    entropy = -np.add.reduceat(p * np.log(p), asked.offsets[:-1], axis=1)
    assert one.pool.entropies(*known) == pytest.approx(entropy, abs=1e-5)
