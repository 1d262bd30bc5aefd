"""What answers without a distribution are worth: learned, and from nobody's own answer."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from lupom.science.predictors import pool, stated
from tests.science.predictors.made import Made, made


def fold_of(m: Made) -> np.ndarray:
    return np.unique(m.pairs.respondents, return_inverse=True)[1] // 2 % pool.FOLDS


def right_in(m: Made, share: float, seed: int = 1) -> np.ndarray:
    """Return answers that are right in a share of pairs, else one of the two other options."""
    rng = np.random.default_rng(seed)
    other = (m.answers + rng.integers(1, 3, len(m.answers))) % 3
    return np.where(rng.random(len(m.answers)) < share, m.answers, other)


def of_said(m: Made, p: np.ndarray, said: np.ndarray) -> float:
    """Return the mean probability of what was said, of test pairs."""
    test = m.pairs.roles == "test"
    return float(p[np.arange(len(said)), said][test].mean())


@pytest.fixture(scope="module")
def m() -> Made:
    return made(people=400)


@pytest.mark.parametrize("share", [0.45, 0.7, 0.95])
def test_an_answer_is_as_sure_as_the_llm_is_right(m, share):
    said = right_in(m, share)
    p = stated.worth(m.pairs, said, fold_of(m)).probabilities
    np.testing.assert_allclose(p.sum(axis=1), 1.0)
    assert of_said(m, p, said) == pytest.approx(share, abs=0.04)


def test_an_llm_that_says_one_thing_for_another_is_understood(m):
    # Of the first question it says the option after the person's.
    first = m.pairs.columns == 0
    said = np.where(first, (m.answers + 1) % 3, right_in(m, 0.9))
    p = stated.worth(m.pairs, said, fold_of(m)).probabilities
    test = m.pairs.roles == "test"
    assert (p.argmax(axis=1) == m.answers)[test & first].mean() > 0.95
    assert (p.argmax(axis=1) == said)[test & ~first].mean() > 0.95


def test_options_next_to_the_answer_are_likelier_than_those_far_from_it():
    # Said are the ends alone, so that what is next to them is never said.
    m = made(people=120)
    rng = np.random.default_rng(2)
    near = np.where(m.answers == 1, rng.choice([0, 2], len(m.answers)), m.answers)
    p = stated.worth(m.pairs, near, fold_of(m)).probabilities
    test = m.pairs.roles == "test"
    assert p[test & (near == 0), 1].mean() > 3 * p[test & (near == 0), 2].mean()


def test_a_question_with_few_pairs_is_judged_by_the_others(m):
    # Two pairs of the last question are tuned on, both of which the LLM has wrong.
    last = np.flatnonzero((m.pairs.columns == 3) & (m.pairs.truth >= 0))
    truth = m.pairs.truth.copy()
    truth[last[2:]] = -1
    said = right_in(m, 0.9)
    said[last[:2]] = (m.answers[last[:2]] + 1) % 3
    p = stated.worth(replace(m.pairs, truth=truth), said, fold_of(m)).probabilities
    here = (m.pairs.roles == "test") & (m.pairs.columns == 3)
    assert p[np.arange(len(said)), said][here].mean() > 0.75


def test_what_is_said_of_everybody_is_no_evidence(m):
    first = np.zeros(len(m.answers), dtype=np.int64)
    likelihood = stated.worth(m.pairs, first, fold_of(m)).likelihood
    assert np.ptp(np.log(likelihood), axis=1).max() < 0.1


def test_before_there_is_a_tuning_pair_the_answer_is_likelier_than_others(m):
    nothing = replace(m.pairs, truth=np.full(len(m.answers), -1))
    said = right_in(m, 0.7)
    p = stated.worth(nothing, said, fold_of(m)).probabilities
    assert 0.5 < of_said(m, p, said) < 0.7


def test_where_nothing_was_said_there_is_nothing(m):
    said = np.where(np.arange(len(m.answers)) % 5, right_in(m, 0.7), -1)
    found = stated.worth(m.pairs, said, fold_of(m))
    assert not found.probabilities[::5].any()
    assert not found.likelihood[::5].any()


@pytest.mark.parametrize("scenario", ["known", "new_question"])
def test_nothing_is_learned_of_whom_it_is_used_for(m, scenario):
    m.pairs.scenarios[:] = scenario
    # Of new questions it is the question that must tell nothing of itself.
    fold = m.pairs.columns if scenario == "new_question" else fold_of(m)
    said = right_in(m, 0.6)
    before = stated.worth(m.pairs, said, fold)
    held = (fold == 2) & (m.pairs.truth >= 0)
    truth = np.where(held, (m.pairs.truth + 1) % 3, m.pairs.truth)
    after = stated.worth(replace(m.pairs, truth=truth), said, fold)
    for one in ("probabilities", "likelihood"):
        assert (getattr(before, one)[held] == getattr(after, one)[held]).all()
        assert (getattr(before, one)[~held] != getattr(after, one)[~held]).any()
    m.pairs.scenarios[:] = "known"
