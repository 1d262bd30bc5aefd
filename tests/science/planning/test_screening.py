"""Whether a person is asked a question, in surveys of which it is known who is asked what."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from lupom.science.planning import screening
from lupom.science.planning.questionnaire import question_reach
from lupom.science.planning.reach import reach
from lupom.science.predictors.task import everyone
from tests.support.planned_surveys import either, filtered, noisy, tables


@pytest.fixture(scope="module")
def survey():
    """The survey with filters, and a question of women alone."""
    answers = filtered()
    sex = np.random.default_rng(3).integers(0, 2, 1600)
    theme = noisy(np.random.default_rng(4), (sex == 0).astype(int), 0.3)
    return tables({**answers, "pregnant": np.where(sex == 0, theme, -1)}, sex)


@pytest.fixture(scope="module")
def found(survey):
    (task,) = everyone(*survey)
    return screening.of(reach(task)), {name: q for q, name in enumerate(task.questions)}


def person(found, sex=None, **answers):
    one, place = found
    codes = np.full((1, len(place)), -1)
    for name, code in answers.items():
        codes[0, place[name]] = code
    return one.values(codes, np.array([[-1 if sex is None else "fm".index(sex)]]))


def chances(found, values, shares=None, **said):
    one, place = found
    given = {q: np.array([[0.5, 0.5]]) for q in one.needed(place.values())}
    given |= {place[name]: np.array([p]) for name, p in said.items()}
    (row,) = one.chances(values, given, shares)
    return {name: row[q] for name, q in place.items()}


def test_what_is_known_rules_out_all_that_hangs_on_it(found):
    one, place = found
    values = person(found, "m", work=0)
    ruled = one.ruled_out(values)[0]
    assert {name for name, q in place.items() if ruled[q]} == {"boss", "why", "pregnant"}
    assert one.reasons(values[0], place["why"]) == ["work: o0"]
    assert one.reasons(values[0], place["pregnant"]) == ["SEX: m"]
    assert one.reasons(values[0], place["plain0"]) == []


def test_chances_multiply_along_a_chain_of_filters(found):
    values = person(found, "f")
    known = chances(found, values, work=[0.4, 0.6], boss=[0.9, 0.1])
    assert known["boss"] == pytest.approx(0.6)
    # Who works and has trouble with a boss.
    assert known["why"] == pytest.approx(0.06)
    assert known["pregnant"] == known["plain1"] == known["lot"] == 1
    assert chances(found, person(found, "f", work=1), boss=[0.9, 0.1])["why"] == pytest.approx(0.1)


def test_an_attribute_that_is_not_known_counts_by_its_shares(found):
    one, place = found
    values = person(found)
    assert one.unknown([place["pregnant"]], values) == [0]
    assert one.unknown([place["boss"]], values) == []
    assert one.unknown([place["pregnant"]], person(found, "m")) == []
    assert chances(found, values, {0: np.array([0.55, 0.45])})["pregnant"] == pytest.approx(0.55)


def test_who_answered_what_hangs_on_a_filter_passed_it(found):
    values = person(found, "f", boss=1)
    assert chances(found, values, work=[0.8, 0.2])["why"] == pytest.approx(1)


def test_a_gap_that_nothing_explains_is_a_share():
    """A filter that is not among the answers: who was asked depends on who people are."""
    rng = np.random.default_rng(5)
    theme = rng.integers(0, 2, 2000)
    answers = {f"q{i}": noisy(rng, theme, 0.1) for i in range(3)}
    asked = rng.random(2000) < np.where(theme == 1, 0.8, 0.3)
    answers["some"] = np.where(asked, noisy(rng, theme, 0.3), -1)
    (task,) = everyone(*tables(answers))
    one = screening.of(reach(task))
    (row,) = one.chances(one.values(np.full((1, 4), -1), np.zeros((1, 0), int)), {})
    assert row[3] == pytest.approx(asked.mean())
    assert (row[:3] == 1).all()


def test_the_table_says_the_same(survey, found):
    one, _ = found
    (task,) = everyone(*survey)
    rows = question_reach(*survey).to_pylist()
    options = dict(zip(task.questions, task.options, strict=True))
    attributes = dict(zip(task.trait_names, task.trait_values, strict=True))
    again = screening.read(rows, options, attributes)
    assert (again.bars == one.bars).all()
    assert (again.closes == one.closes).all()
    assert again.likely == pytest.approx(one.likely)
    assert again.screens == one.screens
    assert again.rest == pytest.approx(one.rest)
    assert again.names == one.names
    screens = {row["question_id"]: row["screens"] for row in rows}
    assert screens["boss"] == ["work"]
    assert screens["why"] == ["boss", "work"] or screens["why"] == ["work", "boss"]
    assert screens["pregnant"] == screens["plain0"] == []


@pytest.fixture(scope="module")
def smokers():
    survey = tables(either())
    (task,) = everyone(*survey)
    rows = question_reach(*survey).to_pylist()
    options = dict(zip(task.questions, task.options, strict=True))
    return screening.read(rows, options, {}), {name: q for q, name in enumerate(task.questions)}


def one_person(found, **answers):
    one, place = found
    codes = np.full((1, len(place)), -1)
    for name, code in answers.items():
        codes[0, place[name]] = code
    return one.values(codes, np.zeros((1, 0), dtype=np.int64))


def test_filters_that_rule_out_together_are_told_together(smokers):
    one, place = smokers
    neither = one_person(smokers, smokes=0, vapes=0)
    ruled = one.ruled_out(neither)[0]
    assert {name for name, q in place.items() if ruled[q]} == {"often", "stop", "help"}
    assert set(one.reasons(neither[0], place["often"])) == {"smokes: o0", "vapes: o0"}
    assert not one.ruled_out(one_person(smokers, smokes=0)).any()
    assert one.reasons(one_person(smokers, smokes=0)[0], place["often"]) == []
    assert {"smokes", "vapes"} <= set(one.filters)


def test_a_follow_up_of_two_filters_tells_the_one_that_is_not_known(smokers):
    one, place = smokers
    (task,) = everyone(*tables(either()))
    codes = np.full((2, len(place)), -1)
    codes[:, place["often"]], codes[0, place["smokes"]] = 0, 0
    pairs = dataclasses.replace(
        task, answers=codes, rows=np.arange(2), columns=np.full(2, place["vapes"])
    )
    values = one.values(codes, np.zeros((2, 0), dtype=np.int64))
    assert one.left(pairs, values)[:, :2] == pytest.approx(np.array([[0.01, 1], [1, 1]]))


def test_the_chance_that_one_of_two_filters_lets_pass(smokers):
    def often(answers, **said):
        return chances(smokers, one_person(smokers, **answers), **said)["often"]

    said = {"smokes": [0.8, 0.2], "vapes": [0.9, 0.1]}
    assert often({}, **said) == pytest.approx(1 - 0.8 * 0.9)
    assert often({"smokes": 0}, **said) == pytest.approx(0.1)
    assert often({"smokes": 1}, **said) == 1
    assert often({"smokes": 0, "vapes": 0}, **said) == 0
    # Who answered what hangs on the same filter passed it.
    assert often({"stop": 0}, **said) == 1


def test_a_likely_filter_of_few_people_counts_as_in_an_interview():
    # Of ten people four do not work, and were not asked about their boss.
    work = np.array([0, 1, 1, 0, 1, 1, 0, 1, 1, 0])
    rng = np.random.default_rng(1)
    survey = tables(
        {"work": work, "boss": np.where(work == 1, rng.integers(0, 2, 10), -1), "tea": 1 - work}
    )
    (task,) = everyone(*survey)
    found, rows = reach(task), question_reach(*survey).to_pylist()
    options = dict(zip(task.questions, task.options, strict=True))
    place = {name: q for q, name in enumerate(task.questions)}
    assert not found.bars.any()
    answers = np.full((1, 3), -1)
    answers[0, place["boss"]] = 1
    own = [found.names.index(("work", o)) for o in ("o0", "o1")]
    one = screening.of(found)
    values = one.values(answers, np.zeros((1, 0), dtype=np.int64))
    told = found.left(answers >= 0, values)[0][0, own]
    assert told[0] < 0.5
    assert told[1] == 1
    pairs = dataclasses.replace(
        task, answers=answers, rows=np.array([0]), columns=np.array([place["work"]])
    )
    assert screening.read(rows, options, {}).left(pairs, values)[0] == pytest.approx(told)
    for code, least, most in ((0, 0.0, 0.2), (1, 0.9, 1.0)):
        known = np.full((1, 3), -1)
        known[0, place["work"]] = code
        (row,) = one.chances(one.values(known, np.zeros((1, 0), dtype=np.int64)), {})
        assert least <= row[place["boss"]] <= most
