"""Who can be asked what, in surveys of which it is known who was not asked why."""

from __future__ import annotations

import numpy as np
import pytest

from lupom.science.planning.questionnaire import question_reach
from lupom.science.planning.reach import reach
from lupom.science.predictors.task import everyone
from tests.support.planned_surveys import either, filtered, noisy, tables


def reached(answers, sex=None):
    (task,) = everyone(*tables(answers, sex))
    return reach(task), {name: place for place, name in enumerate(task.questions)}


@pytest.fixture(scope="module")
def survey():
    return filtered()


def test_a_filter_bars_all_whom_it_rules_out_and_nobody_else(survey):
    found, place = reached(survey)
    assert {name: found.kinds[q] for name, q in place.items() if found.kinds[q] != "all"} == {
        "boss": "filter",
        "why": "filter",
        "lot": "lot",
    }
    assert (found.open[:, place["boss"]] == (survey["work"] == 1)).all()
    # By their own answer, or by the one before it.
    assert (found.barred[:, place["why"]] == (survey["boss"] != 1)).all()
    assert found.open[:, place["lot"]].all()
    share = found.together[place["why"], place["boss"]]
    assert share == pytest.approx((survey["boss"] == 1).mean())


def test_what_is_known_of_a_person_says_what_can_be_asked(survey):
    found, place = reached(survey)
    values = np.zeros((3, len(found.owner)), dtype=np.float32)
    known = np.zeros((3, len(place)), dtype=bool)
    at = {name: np.flatnonzero(found.owner == q) for name, q in place.items()}
    # Of the first nothing is known, the second works, the third does not.
    known[1:, place["work"]] = True
    values[1, at["work"][1]] = values[2, at["work"][0]] = 1
    odds = found.odds(values, known)
    shares = [(survey[name] >= 0).mean() for name in ("boss", "why")]
    assert odds[0, [place["boss"], place["why"]]] == pytest.approx(shares)
    of_those_who_work = np.array(shares) / (survey["work"] == 1).mean()
    assert odds[1, [place["boss"], place["why"]]] == pytest.approx(of_those_who_work)
    assert odds[2, [place["boss"], place["why"]]].tolist() == [0, 0]
    assert (odds[:, place["lot"]] == 1).all()


def test_who_answers_what_hangs_on_a_filter_passed_it(survey):
    found, place = reached(survey)
    answered = np.zeros((2, len(place)), dtype=bool)
    answered[0, place["why"]] = answered[1, place["plain0"]] = True
    left, one = found.left(answered, np.zeros((2, len(found.owner)), dtype=np.float32))
    # Who has a reason has trouble with a boss, and works.
    for name in ("work", "boss"):
        assert left[0, found.owner == place[name]][:2] == pytest.approx([0.01, 1])
    assert [name for name, q in place.items() if one[0, q]] == ["boss", "work"]
    assert (left[1] == 1).all()
    assert not one[1].any()


def test_an_attribute_may_be_a_filter():
    rng = np.random.default_rng(1)
    sex = rng.integers(0, 2, 600)
    answers = {f"q{i}": rng.integers(0, 3, 600) for i in range(3)}
    answers["births"] = np.where(sex == 0, rng.integers(0, 2, 600), -1)
    found, place = reached(answers, sex)
    assert (found.barred[:, place["births"]] == (sex == 1)).all()


@pytest.mark.parametrize("asked", [1, 2])
def test_blocks_by_lot_are_no_filters(asked):
    # With one block a person questions of two blocks are never asked together.
    rng = np.random.default_rng(2)
    trait = rng.integers(0, 2, 1200)
    chosen = rng.permuted(np.tile(np.arange(4) < asked, (1200, 1)), axis=1)
    answers = {f"q{i}": np.where(chosen[:, i % 4], noisy(rng, trait, 0.1), -1) for i in range(12)}
    found, _ = reached(answers)
    assert set(found.kinds) == {"lot"}
    assert found.open.all()


def test_a_filter_of_thirty_people_is_one():
    rng = np.random.default_rng(2)
    work = np.arange(30) % 3 > 0
    answers = {f"q{i}": rng.integers(0, 4, 30) for i in range(8)}
    answers |= {"work": work.astype(int), "boss": np.where(work, rng.integers(0, 3, 30), -1)}
    found, place = reached(answers)
    assert found.kinds[place["boss"]] == "filter"
    assert (found.barred[:, place["boss"]] == ~work).all()


def test_a_lot_within_a_filter_leaves_those_open_who_lost_it():
    rng = np.random.default_rng(3)
    work = rng.integers(0, 2, 1000)
    answers = {"work": work, "plain": rng.integers(0, 3, 1000)}
    lot = rng.random(1000) < 0.5
    answers["boss"] = np.where((work == 1) & lot, rng.integers(0, 2, 1000), -1)
    # Of ten it is not known whether they work.
    answers["work"] = np.where(np.arange(1000) < 10, -1, work)
    found, place = reached(answers)
    known = np.arange(1000) >= 10
    assert (found.open[known, place["boss"]] == (work[known] == 1)).all()
    assert (found.open[~known, place["boss"]] == (answers["boss"][~known] >= 0)).all()


def test_a_filter_that_is_not_among_the_answers_is_unclear():
    rng = np.random.default_rng(4)
    drives = rng.integers(0, 2, 1000)  # is not in the survey, but what goes with it is
    answers = {"rural": noisy(rng, drives, 0.2), "plain": rng.integers(0, 3, 1000)}
    answers["car"] = np.where(drives == 1, rng.integers(0, 3, 1000), -1)
    found, place = reached(answers)
    assert found.kinds[place["car"]] == "unclear"
    assert (found.open[:, place["car"]] == (drives == 1)).all()


def test_a_few_blanks_are_by_lot_whoever_has_them():
    rng = np.random.default_rng(6)
    answers = {f"q{i}": rng.integers(0, 4, 24) for i in range(20)}
    answers["rare"] = (np.arange(24) == 7).astype(int)
    answers["q0"] = np.where(np.arange(24) == 7, -1, answers["q0"])
    found, place = reached(answers)
    assert found.kinds[place["q0"]] == "lot"
    assert found.open.all()


def test_lots_are_taken_for_lots_again_and_again():
    # Of 200 surveys of 12 questions whose gaps a lot made none may have a filter.
    rng = np.random.default_rng(5)
    kinds = set()
    for _ in range(200):
        trait = rng.integers(0, 3, 150)
        shares = rng.uniform(0.1, 0.9, 12)
        answers = {
            f"q{i}": np.where(rng.random(150) < share, (trait + rng.integers(0, 2, 150)) % 3, -1)
            for i, share in enumerate(shares)
        }
        kinds |= {kind for kind in reached(answers)[0].kinds if kind != "unclear"}
    assert kinds == {"lot"}


def test_the_table_says_who_and_why(survey):
    responses, respondents, questions = tables(survey)
    responses["status"] = np.where(responses["answer"].isna(), "not_asked", "answered")
    # Who refused was asked.
    refused = (responses["question_id"] == "plain0") & (responses["respondent_id"] < "p00200")
    responses.loc[refused, "answer"] = None
    responses.loc[refused, "status"] = "refused"
    rows = {
        r["question_id"]: r for r in question_reach(responses, respondents, questions).to_pylist()
    }
    assert (rows["plain0"]["gaps"], rows["plain0"]["n_asked"], rows["plain0"]["n_answered"]) == (
        *("all", 1600),
        1400,
    )
    assert rows["boss"]["filters"] == ["work: o0"]
    assert rows["boss"]["asked_of"] == pytest.approx((survey["work"] == 1).mean())
    assert rows["why"]["n_barred"] == (survey["boss"] != 1).sum()
    assert rows["lot"]["asked_of"] == 1


def split(rng: np.random.Generator, answers: dict[str, np.ndarray]):
    """Ask each person two of four blocks of the questions, by lot, in turn."""
    n = len(next(iter(answers.values())))
    pairs = np.array([(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)])[rng.permutation(n) % 6]
    return {
        name: np.where((pairs == place % 4).any(axis=1), codes, -1)
        for place, (name, codes) in enumerate(answers.items())
    }


def test_what_is_rare_is_no_reason_in_a_split_questionnaire():
    """Of many answers some always go with a block; none of these surveys has a filter."""
    for seed in range(30):
        rng = np.random.default_rng(seed)
        n = int(rng.choice([60, 150, 400]))
        theme = rng.integers(0, 2, n)
        answers = {f"q{i}": noisy(rng, theme, 0.2) + (rng.random(n) < 0.03) for i in range(24)}
        found, _ = reached(split(rng, answers))
        assert set(found.kinds) == {"lot"}, seed


def test_rare_answers_to_a_filter_are_found_by_all_that_hangs_on_it():
    """Students do not work, and are so few that of one question's block a lot might have left them
    out; of none of eight questions any was asked."""
    rng = np.random.default_rng(4)
    n = 800
    work = rng.choice(3, n, p=[0.55, 0.425, 0.025])
    theme = rng.integers(0, 2, n)
    behind = {f"work{i}": noisy(rng, theme, 0.2) for i in range(8)}
    asked = {q: np.where(work == 0, codes, -1) for q, codes in split(rng, behind).items()}
    plain = split(rng, {f"plain{i}": noisy(rng, theme, 0.2) for i in range(4)})
    found, place = reached({"work": work, **asked, **plain})
    students = work == 2
    assert 10 < students.sum() < 30
    for name in behind:
        assert not found.open[students, place[name]].any(), name
        assert found.open[work == 0, place[name]].all(), name
    assert found.open[:, [place[name] for name in plain]].all()


def test_rare_answers_are_a_filter_together():
    # Of 30 people 12 do not work, six of them retired: neither six is too few for a lot.
    rng = np.random.default_rng(5)
    work = np.repeat([0, 1, 2], [18, 6, 6])
    answers = {f"plain{i}": rng.integers(0, 3, 30) for i in range(5)}
    answers |= {"work": work, "boss": np.where(work == 0, rng.integers(0, 2, 30), -1)}
    found, place = reached(answers)
    assert found.kinds[place["boss"]] == "filter"
    assert (found.open[:, place["boss"]] == (work == 0)).all()


@pytest.mark.parametrize("three", [False, True])
def test_in_a_small_survey_a_follow_up_makes_its_filter_likely(three):
    rng = np.random.default_rng(5)
    work = np.repeat([0, 1, 2 if three else 1], [7, 3, 2])
    answers = {f"plain{i}": rng.integers(0, 3, 12) for i in range(5)}
    answers |= {"work": work, "boss": np.where(work == 0, rng.integers(0, 2, 12), -1)}
    # One in two was asked this one, by lot.
    answers["lot"] = np.where(rng.permutation(12) % 2 == 0, rng.integers(0, 2, 12), -1)
    found, place = reached(answers)
    # In surveys of twelve people that is no proof, and nobody is left out for it.
    assert found.kinds[place["boss"]] != "filter"
    answered = np.zeros((2, len(place)), dtype=bool)
    answered[0, place["boss"]] = answered[1, place["lot"]] = True
    left, _ = found.left(answered, np.zeros((2, len(found.owner)), dtype=np.float32))
    own = found.owner[: left.shape[1]] == place["work"]
    assert (left[0, own][1:] < 0.1).all()
    assert left[0, own][0] == 1
    assert (left[1] == 1).all()


@pytest.mark.parametrize("split", [False, True], ids=["everybody", "half"])
def test_a_question_that_any_of_two_answers_leads_to(split):
    answers = either(split=split)
    found, place = reached(answers)
    can = (answers["smokes"] == 1) | (answers["vapes"] == 1)
    gates = [place["smokes"], place["vapes"]]
    for name in ("often", "stop"):
        q = place[name]
        assert found.kinds[q] == "filter"
        assert (found.open[:, q] == can).all()
        assert (found.barred[:, q] == ~can).all()
        assert sorted(found.screens(q)) == sorted(gates)
        closing = {found.names[c] for c in np.flatnonzero(found.closes[:, q])}
        assert closing == {("smokes", "o0"), ("vapes", "o0")}
        # Neither rules it out alone.
        assert not found.bars[:, q].any()
    # What hangs on one of them hangs on both.
    assert (found.open[:, place["help"]] == (answers["stop"] == 1)).all()
    assert {*gates, place["stop"]} == set(found.screens(place["help"]))


def test_what_is_known_of_one_of_two_filters_rules_nothing_out_alone():
    answers = either()
    found, place = reached(answers)
    known, values = np.zeros((3, len(place)), dtype=bool), np.zeros((3, len(found.owner)))
    no = {name: found.names.index((name, "o0")) for name in ("smokes", "vapes")}
    known[:2, place["smokes"]] = known[1, place["vapes"]] = True
    values[:2, no["smokes"]] = values[1, no["vapes"]] = 1
    known[2, place["vapes"]], values[2, no["vapes"] + 1] = True, 1
    odds = found.odds(values, known)[:, place["often"]]
    smokes, vapes = answers["smokes"] == 1, answers["vapes"] == 1
    # Of those who do not smoke some vape; who vapes is asked.
    assert odds == pytest.approx([vapes[~smokes].mean(), 0, 1])
    nothing = found.odds(0 * values[:1], known[:1] & False)[0, place["often"]]
    assert nothing == pytest.approx((smokes | vapes).mean())


def test_an_answer_that_hardly_goes_with_the_filter_s_is_none():
    """Of the oldest 3 work: nearly nobody of them was asked what workers were."""
    rng = np.random.default_rng(2)
    n = 3000
    old = rng.random(n) < 0.15
    work = np.where(old, 0, rng.random(n) < 0.7).astype(int)
    work[np.flatnonzero(old)[:3]] = 1
    answers = {
        "age": np.where(old, 2, rng.integers(0, 2, n)),
        "work": work,
        "boss": np.where(work == 1, rng.integers(0, 2, n), -1),
        "plain": rng.integers(0, 2, n),
    }
    assert old.sum() > 300
    found, place = reached(answers)
    bars = {found.names[c] for c in np.flatnonzero(found.bars[:, place["boss"]])}
    assert bars == {("work", "o0")}
    assert found.screens(place["boss"]) == [place["work"]]


@pytest.mark.parametrize("asked", ["often", "stop", "help"])
def test_who_answers_what_hangs_on_either_of_two_has_the_other(asked):
    found, place = reached(either())
    answered = np.zeros((4, len(place)), dtype=bool)
    values = np.zeros((4, len(found.owner)), dtype=np.float32)
    answered[:3, place[asked]] = True
    # The first does not smoke, the second does, of the third nothing is known; the last does not
    # smoke and answered nothing else.
    for person, option in ((0, "o0"), (1, "o1"), (3, "o0")):
        answered[person, place["smokes"]] = True
        values[person, found.names.index(("smokes", option))] = 1
    left, one = found.left(answered, values)
    vapes = found.owner[: left.shape[1]] == place["vapes"]
    assert left[:, vapes] == pytest.approx(np.array([[0.01, 1], [1, 1], [1, 1], [1, 1]]))
    assert one[:, place["vapes"]].tolist() == [True, False, False, False]
