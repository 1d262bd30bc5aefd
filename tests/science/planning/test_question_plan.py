"""Which questions tell most of the others, in surveys of which it is known."""

from __future__ import annotations

import numpy as np
import pytest

from lupom.science.planning import classes, forms
from lupom.science.planning.classes import Pool
from lupom.science.planning.interview import Interviewer
from lupom.science.planning.moments import cells, fit
from lupom.science.planning.question_plan import question_plan
from lupom.science.planning.reach import reach
from lupom.science.predictors.task import everyone
from tests.support.planned_surveys import filtered, noisy, tables, three_themes, two_ways


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


def test_a_form_begins_with_what_is_asked_in_any_case():
    (task,) = everyone(*tables(three_themes()))
    people, names = cells(task), task.questions
    form = forms.choose(fit(people), people, 3, first=[names.index("coin"), names.index("a0")])
    assert [names[q] for q in form[:2]] == ["coin", "a0"]
    assert names[form[2]] in {"b0", "c0"}


def test_a_constant_is_no_question(plan):
    notes = []
    n = len(three_themes()["a0"])
    answers = {"consent": np.ones(n, dtype=int), **three_themes()}
    found = planned(answers, most=5, note=notes.append)
    assert {key: row["nll"] for key, row in found.items()} == {
        key: pytest.approx(row["nll"], abs=1e-6) for key, row in plan.items()
    }
    assert notes == ["s: to consent everybody gave one answer; it is not planned"]


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


def test_everybody_is_asked_as_many_where_each_was_asked_few_of_many():
    # Nine studies of five questions, of which everybody was in two.
    rng = np.random.default_rng(4)
    n, studies = 300, 9
    trait = rng.integers(0, 2, n)
    was = rng.random((n, studies)).argsort(axis=1) < 2
    answers = {
        f"s{study}_{item}": np.where(was[:, study], noisy(rng, trait, 0.2), -1)
        for study in range(studies)
        for item in range(5)
    }
    found = planned(answers, most=3, interviewed=20)
    (task,) = everyone(*tables(answers))
    people = cells(task)
    assert (forms.adaptive(Pool(fit(people), classes.fit(people)), people, 4) >= 0).all()
    # Of ten answers that there are three are known; any three are as good.
    chosen, lot = (found[strategy, 3, None]["nll"] for strategy in ("chosen", "random"))
    assert chosen == pytest.approx(lot, abs=0.02)


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
    notes: list[str] = []
    assert question_plan(*tables(answers), note=notes.append).num_rows == 0
    assert notes == [
        "s: there is 1 closed question that people answered, so that there is no plan: it takes two"
    ]
    tiny = {"a": np.array([0, 1, 1]), "b": np.array([0, 1, 1])}
    assert ("chosen", 1, None) in planned(tiny, most=3)


def test_a_group_attribute_that_nobody_has_is_told():
    sex = np.arange(4) % 2
    with pytest.raises(ValueError, match=r"group_attributes names 'SEXX'.*did you mean 'SEX'"):
        planned({"a": sex, "b": 1 - sex}, sex, attributes=["SEXX"])


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


@pytest.fixture(scope="module")
def behind():
    return planned(filtered(), most=4)


def test_a_question_that_few_can_be_asked_tells_little_of_a_person_at_the_door(behind):
    # Who is asked `why` is known wholly by it, and one in 14 is.
    form = [behind["chosen", k, None] for k in (1, 2, 3, 4)]
    assert form[0]["question_id"] == "lot"
    assert "why" not in {r["question_id"] for r in form}
    assert form[0]["asked_of"] == 1
    assert behind["random", 1, None]["asked_of"] is None


def test_of_those_who_can_be_asked_a_filter_question_is_worth_its_share():
    # Half can be asked `half`, which tells all of a theme; `plain` tells everybody most of it.
    rng = np.random.default_rng(6)
    theme, work = rng.integers(0, 2, (2, 3000))
    answers = {f"item{i}": noisy(rng, theme, 0.15) for i in range(5)}
    answers |= {"work": work, "half": np.where(work == 1, theme, -1)}
    answers["plain"] = noisy(rng, theme, 0.06)
    found = planned(answers, most=2)
    first = found["chosen", 1, None]
    assert (first["question_id"], first["asked_of"]) == ("plain", 1)


@pytest.fixture(scope="module")
def gated():
    """What tells the theme wholly is asked of the four in five who pass a gate, which tells
    nothing; items tell little."""
    rng = np.random.default_rng(12)
    theme, gate = rng.integers(0, 2, 2000), (rng.random(2000) < 0.8).astype(int)
    answers = {f"item{i}": noisy(rng, theme, 0.25) for i in range(12)}
    return answers | {"gate": gate, "wholly": np.where(gate == 1, theme, -1)}


def test_a_question_behind_a_filter_comes_after_it(gated):
    found = planned(gated, most=4)
    form = [found["chosen", k, None]["question_id"] for k in (1, 2, 3, 4)]
    assert form[:2] == ["gate", "wholly"]
    # The gate is one of the questions, and tells nothing by itself.
    one, two = (found["chosen", k, None] for k in (1, 2))
    assert one["nll"] == pytest.approx(one["nll_before"], abs=0.005)
    assert two["nll"] < two["nll_before"] - 0.05


def test_a_form_with_room_for_one_has_no_question_behind_a_filter(gated):
    found = planned(gated, most=1)
    assert found["chosen", 1, None]["question_id"] != "wholly"


def test_a_filter_that_is_not_worth_its_question_is_left_out(gated):
    """Behind a gate that one in ten pass, what tells the theme is worth less than an item."""
    rng = np.random.default_rng(13)
    gate = (rng.random(2000) < 0.1).astype(int)
    few = {**gated, "gate": gate, "wholly": np.where(gate == 1, gated["item0"], -1)}
    found = planned(few, most=3)
    form = {found["chosen", k, None]["question_id"] for k in (1, 2, 3)}
    assert not form & {"wholly"}


def test_however_questions_are_ordered_a_filter_is_before_what_hangs_on_it():
    before = [(), (0,), (0, 1), ()]
    assert forms.preceded([2, 3, 1, 0], before) == [0, 1, 2, 3]
    assert forms.preceded([3, 1], before) == [3, 0, 1]
    (task,) = everyone(*tables(filtered()))
    found, names = reach(task), task.questions
    place = {name: q for q, name in enumerate(names)}
    assert found.before[place["why"]] == (place["work"], place["boss"])
    assert found.before[place["boss"]] == (place["work"],)
    assert found.before[place["lot"]] == found.before[place["work"]] == ()
    people = cells(task)
    pool = Pool(fit(people), classes.fit(people))
    some = np.arange(200)
    asked = forms.adaptive(pool, people.only(some), 4, found.only(some))
    for form in asked.tolist():
        for question in form:
            for one in found.before[question] if question >= 0 else ():
                assert one in form[: form.index(question)]


def test_a_recode_is_neither_asked_nor_told():
    answers = three_themes()
    rng = np.random.default_rng(7)
    level = rng.integers(0, 6, 900)
    # Of its own the question tells nothing; with its recodes in the rest it would tell most of all.
    answers |= {"level": level, **{f"level{k}": (level >= k).astype(int) for k in (1, 2, 3, 4)}}
    found = planned(answers, most=4)
    form = [found["chosen", k, None] for k in (1, 2, 3, 4)]
    assert not {r["question_id"] for r in form} & {f"level{k}" for k in (1, 2, 3, 4)}
    assert {r["question_id"]: r["recodes"] for r in form}.get("level", ["-"]) in (
        ["-"],
        ["level1", "level2", "level3", "level4"],
    )
    plain = planned({k: v for k, v in answers.items() if k[:5] != "level" or k == "level"}, most=4)
    assert {k: r["nll"] for k, r in found.items()} == {k: r["nll"] for k, r in plain.items()}


def test_an_interview_asks_nobody_what_their_answers_rule_out():
    (task,) = everyone(*tables(filtered()))
    person, names = Interviewer(task), task.questions
    work, boss, why = (names.index(name) for name in ("work", "boss", "why"))

    def gains(answers):
        return dict(person.gains({}, answers))

    idle, busy, troubled = gains({work: 0}), gains({work: 1}), gains({work: 1, boss: 1})
    assert not {boss, why} & set(idle)
    # What hangs on a filter comes once that is answered.
    assert not {boss, why} & set(gains({}))
    assert boss in busy
    assert why not in busy
    assert troubled[why] == max(troubled.values())


def test_an_interview_knows_a_filter_from_what_hangs_on_it():
    (task,) = everyone(*tables(filtered()))
    interviewer, place = Interviewer(task), {name: q for q, name in enumerate(task.questions)}
    said = {place["boss"]: 1}
    assert interviewer.predict({}, said)[place["work"]][1] > 0.98
    assert place["work"] not in [question for question, _ in interviewer.gains({}, said)]


def test_an_interview_asks_no_recodes_but_predicts_them():
    answers = three_themes()
    level = np.random.default_rng(8).integers(0, 4, 900)
    (task,) = everyone(*tables({**answers, "level": level, "high": (level > 1).astype(int)}))
    person, names = Interviewer(task), task.questions
    high, finest = names.index("high"), names.index("level")
    assert high not in dict(person.gains({}, {}))
    assert person.predict({}, {finest: 3})[high][1] > 0.8


def test_of_very_many_people_some_are_drawn():
    found = planned(three_themes(n=3000), most=3, people=600)
    assert found["chosen", 1, None]["n"] == 600
    asked = {found["chosen", k, None]["question_id"] for k in (1, 2, 3)}
    assert asked == {"a0", "b0", "c0"}
    assert found == planned(three_themes(n=3000), most=3, people=600)
    everybody = planned(three_themes(n=600), most=3)
    assert everybody == planned(three_themes(n=600), most=3, people=600)


def test_a_group_that_answered_nothing_is_not_known_wholly():
    answers, sex = three_themes(), (np.arange(900) % 4 == 0).astype(int)
    found = planned({q: np.where(sex == 1, -1, a) for q, a in answers.items()}, sex, most=1)
    assert ("chosen", 1, "f") in found
    assert ("chosen", 1, "m") not in found
    assert found["chosen", 1, None]["nll"] == pytest.approx(found["chosen", 1, "f"]["nll"])
