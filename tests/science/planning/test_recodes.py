"""Questions that are made of others, and questions that only go together."""

from __future__ import annotations

import numpy as np
import pytest

from lupom.science.planning.questionnaire import questionnaire
from lupom.science.planning.recodes import recodes
from lupom.science.predictors.task import everyone
from tests.support.planned_surveys import noisy, tables


def found(answers, sex=None, **how):
    (task,) = everyone(*tables(answers, sex))
    return {q: s for q, s in zip(task.questions, recodes(task, **how), strict=True) if s}


@pytest.fixture(scope="module")
def answers():
    rng = np.random.default_rng(0)
    school = rng.integers(0, 6, 400)
    return {
        "a_coarse": (school > 2).astype(int),
        "b_finer": np.minimum(school, 3),
        "school": school,
        "plain": rng.integers(0, 3, 400),
    }


def test_recodes_are_of_the_finest(answers):
    assert found(answers) == {"a_coarse": "school", "b_finer": "school"}


def test_of_two_that_say_the_same_more_people_answered_the_source(answers):
    rng = np.random.default_rng(1)
    turned = np.where(rng.random(400) < 0.03, -1, 5 - answers["school"])
    assert found({"another": turned, **answers})["another"] == "school"


def test_one_exception_is_no_recode(answers):
    one = answers["b_finer"].copy()
    one[7] = (one[7] + 1) % 4
    assert "b_finer" not in found({**answers, "b_finer": one})


def test_what_goes_together_by_chance_or_by_half_is_no_recode(answers):
    rng = np.random.default_rng(2)
    trait = rng.integers(0, 2, 400)
    # Two of one theme; one that a rare answer implies; one with as many options as there are pairs
    # of people, so that each goes with one answer of a rare question.
    more = {
        "same": trait,
        "nearly": noisy(rng, trait, 0.02),
        "implied": np.where(trait == 1, 1, rng.integers(0, 2, 400)),
        "many": np.arange(400) // 2,
        "rare": (np.arange(400) < 4).astype(int),
    }
    assert set(found({**answers, **more})) == {"a_coarse", "b_finer"}


def test_the_answers_of_those_asked_are_no_source_of_the_others(answers):
    # What two in three have no answer to does not give away what all were asked.
    few = np.where(np.arange(400) < 130, answers["school"], -1)
    assert found({"b_finer": answers["b_finer"], "few": few}) == {}


def test_what_is_made_of_an_attribute_is_known_before_any_question(answers):
    sex = np.random.default_rng(3).integers(0, 2, 400)
    given = {**answers, "woman": 1 - sex}
    assert "woman" not in found(given, sex)
    assert found(given, sex, attributes=True)["woman"] == "SEX"


def test_a_questionnaire_has_no_recodes(answers):
    (task,) = everyone(*tables(answers))
    one = questionnaire(task)
    assert one.task.questions == ("plain", "school")
    assert one.recodes == {"school": ["a_coarse", "b_finer"]}
    assert one.whole.questions == task.questions
