"""Which questions tell most of the others, in surveys of which it is known."""

from __future__ import annotations

import numpy as np
import pytest

from lupom.science.planning import classes, forms
from lupom.science.planning.classes import Pool
from lupom.science.planning.interview import Interviewer
from lupom.science.planning.moments import cells, fit
from lupom.science.planning.question_plan import question_plan
from lupom.science.predictors.task import everyone
from tests.science.planning.surveys import noisy, tables, three_themes, two_ways


def planned(answers, sex=None, **options):
    table = question_plan(*tables(answers, sex), **options)
    return {(r["strategy"], r["questions"], r["group"]): r for r in table.to_pylist()}


@pytest.fixture(scope="module")
def plan():
    return planned(three_themes(), most=5)


def test_the_first_questions_are_the_clear_one_of_each_theme(plan):
    # The largest theme first: most is told by it.
    asked = [plan["chosen", k, None]["question_id"] for k in (1, 2, 3)]
    assert asked[0] == "a0"
    assert {*asked[1:]} == {"b0", "c0"}


def test_what_is_not_asked_is_known_better_with_each_question(plan):
    curve = [plan["chosen", k, None] for k in range(4)]
    losses = [r["nll"] for r in curve]
    assert losses == sorted(losses, reverse=True)
    assert curve[0]["nll"] == curve[0]["nll_before"]
    assert all(r["low"] < r["nll"] < r["high"] for r in curve)


def test_chosen_questions_beat_those_drawn_by_lot_and_the_least_certain(plan):
    # `coin` is the least certain of all, and tells nothing.
    for strategy in ("random", "entropy"):
        assert plan[strategy, 3, None]["difference_low"] > 0


def test_a_question_that_many_were_not_asked_is_judged_by_those_who_were():
    answers = three_themes(n=1500)
    answers["a0"] = np.where(np.random.default_rng(1).random(1500) < 0.5, -1, answers["a0"])
    assert planned(answers, most=1)["chosen", 1, None]["question_id"] == "a0"


def test_each_person_s_own_questions_beat_the_same_for_all():
    found = planned(two_ways(), most=3)
    # The second question of the fixed form is in vain for half of the people: of the first theme.
    assert found["adaptive", 2, None]["difference_high"] < 0


def test_groups_have_a_curve_of_their_own():
    rng = np.random.default_rng(3)
    sex = rng.integers(0, 2, 1000)
    trait = rng.integers(0, 2, 1000)
    # What the first answer tells of the others it tells of men alone.
    clear = {
        f"q{i}": np.where(sex == 1, noisy(rng, trait, 0.05), rng.integers(0, 2, 1000))
        for i in range(5)
    }
    found = planned(clear, sex, most=2)
    women, men = found["chosen", 1, "f"], found["chosen", 1, "m"]
    assert men["high"] < women["low"]
    assert men["nll"] < men["nll_before"]
    # Women are taken to be like men: the form misleads, and the table shows it.
    assert women["nll"] > women["nll_before"]
    everybody = found["chosen", 1, None]
    assert everybody["n"] == women["n"] + men["n"]


def test_the_same_seed_gives_the_same_plan():
    answers = three_themes(n=300)
    assert planned(answers, most=2, seed=4) == planned(answers, most=2, seed=4)


def test_an_adaptive_form_asks_nobody_twice():
    (task,) = everyone(*tables(two_ways(n=400)))
    people = cells(task)
    asked = forms.adaptive(Pool(fit(people), classes.fit(people)), people, 4)
    assert asked.shape == (400, 4)
    assert all(len(set(row)) == 4 for row in asked.tolist())


def test_surveys_too_small_to_plan_are_no_error():
    answers = {"only": np.array([0, 1, 0, 1])}
    assert question_plan(*tables(answers)).num_rows == 0
    tiny = {"a": np.array([0, 1, 1]), "b": np.array([0, 1, 1])}
    assert ("chosen", 1, None) in planned(tiny, most=3)


def test_an_interview_goes_where_answers_lead():
    (task,) = everyone(*tables(two_ways()))
    person = Interviewer(task)
    names = task.questions
    first, saved = person.gains({}, {})[0]
    theme = names[first][0]
    assert names[first] in ("b0", "c0")
    assert saved > 0
    # Who has this theme is asked more of it, who has the other the clear question of that.
    mine, _ = person.gains({}, {first: 1})[0]
    other, _ = person.gains({}, {first: 2})[0]
    assert names[mine][0] == theme
    assert names[other] == ("c0" if theme == "b" else "b0")
    assert person.predict({}, {first: 1})[other][2] > 0.9


def test_an_interview_s_predictions_are_the_shares_of_people_like_that():
    answers = three_themes(n=4000)
    (task,) = everyone(*tables(answers))
    person = Interviewer(task)
    a0, a1 = task.questions.index("a0"), task.questions.index("a1")
    said = person.predict({}, {a0: 1})
    assert said[a0].tolist() == [0.0, 1.0]
    share = answers["a1"][answers["a0"] == 1].mean()
    assert said[a1][1] == pytest.approx(share, abs=0.02)
    assert all(p.sum() == pytest.approx(1) for p in said.values())
