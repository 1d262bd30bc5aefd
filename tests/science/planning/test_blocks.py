"""Split questionnaires: which blocks, who is asked them, and the precision that is left."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pandas as pd
import pytest

from lupom.science.planning import assignments, blocks
from tests.support.planned_surveys import filtered, tables, three_themes


@pytest.fixture(scope="module")
def survey():
    return tables(three_themes(n=1200))


@pytest.fixture(scope="module")
def designed(survey):
    return blocks.design_blocks(*survey, blocks=3, asked=2)


def test_blocks_are_balanced_and_lose_less_than_by_answers_alone(designed):
    rows = designed.to_pylist()
    assert sorted(Counter(r["block"] for r in rows).values()) == [3, 4, 4]
    assert all(r["asked"] == pytest.approx(2 / 3) for r in rows)
    assert all(1 < r["half_width"] <= r["half_width_alone"] + 1e-9 for r in rows)


def test_pairs_that_depend_are_asked_together_more_often(survey, designed):
    rows = blocks.design_associations(*survey, designed).to_pylist()
    assert len(rows) == 55
    strong = [r["asked_together"] for r in rows if abs(r["association"]) > 0.3]
    weak = [r["asked_together"] for r in rows if abs(r["association"]) < 0.1]
    assert np.mean(strong) > np.mean(weak)
    assert all(r["efficiency"] > 0.3 for r in rows)


def test_a_core_is_asked_of_everybody(survey):
    rows = blocks.design_blocks(*survey, blocks=3, asked=1, core=["a0", "b0"]).to_pylist()
    core = {r["question_id"]: r for r in rows if r["block"] == "core"}
    assert set(core) == {"a0", "b0"}
    assert all(r["half_width"] == pytest.approx(1) for r in core.values())
    assert core["a0"]["asked"] == 1


# Of one theme each, so that by themselves they are in different blocks.
MIXED = {"a3": "q1_1", "b0": "q1_2", "c2": "q1_3"}


def mixed(kind, battery=""):
    """Return the survey with three questions that begin it as if they were parts of one."""
    answers = three_themes(n=1200)
    named = {MIXED[name]: answers[name] for name in MIXED}
    rest = {name: codes for name, codes in answers.items() if name not in MIXED}
    return chosen_among(tables({**named, **rest}), MIXED.values(), kind, battery)


def chosen_among(survey, names, kind="multiple", battery=""):
    """Return a survey some of whose questions are of a kind."""
    responses, respondents, questions = survey
    kinds = np.where(questions["question_id"].isin(names), kind, "single")
    return responses, respondents, questions.assign(kind=kinds, battery=battery)


@pytest.mark.parametrize("battery", ["", "Which of these?"], ids=["by names", "by wording"])
def test_choices_of_one_question_are_asked_together(battery):
    def block_of(kind):
        rows = blocks.design_blocks(*mixed(kind, battery), blocks=3, asked=2).to_pylist()
        # No block is longer for it.
        assert sorted(Counter(r["block"] for r in rows).values()) == [3, 4, 4]
        return [r["block"] for r in rows if r["question_id"] in MIXED.values()]

    assert len(set(block_of("multiple"))) == 1
    assert len(set(block_of("ordinal"))) > 1


@pytest.mark.parametrize(
    ("names", "one"),
    [
        (["diet/rice", "diet/milk", "diet/meat"], True),
        (["Q1[SQ001]", "Q1[SQ002]", "Q1[SQ003]"], True),
        (["diet___1", "diet___2", "diet___98"], True),
        (["q4a", "q4b", "q4c"], True),
        (["news_1", "news_2", "news_none"], True),
        (["news_1", "news_2", "newspaper"], False),
        # Nothing says that these are of one question.
        (["q1", "q2", "q3"], False),
        (["var_1", "var_2", "var_3"], False),
        (["q1_1", "q2_1", "q3_1"], False),
        (["home_rents", "home_owns", "home_shares"], True),
        (["home_rents", "rents_home", "shares_home"], False),
    ],
)
def test_names_tell_which_choices_are_of_one_question(names, one):
    answers = three_themes(n=1200)
    first = {name: answers[own] for name, own in zip(names, MIXED, strict=True)}
    rest = {name: codes for name, codes in answers.items() if name not in MIXED}
    shown = chosen_among(tables({**first, **rest}), names)
    rows = blocks.design_blocks(*shown, blocks=3, asked=2).to_pylist()
    block = {r["question_id"]: r["block"] for r in rows}
    assert (len({block[name] for name in names}) == 1) == one


def test_a_choice_that_everybody_is_asked_takes_the_others_with_it(survey):
    shown = chosen_among(survey, ["a0", "a1", "b0", "b1"])
    rows = blocks.design_blocks(*shown, blocks=3, asked=2, core=["a1"]).to_pylist()
    core = {r["question_id"] for r in rows if r["block"] == "core"}
    # b0 and b1 are choices of another question.
    assert core == {"a0", "a1"}


def test_choices_of_which_one_is_left_are_no_design(survey):
    shown = chosen_among(survey, survey[2]["question_id"], battery="Which?")
    said = []
    assert not blocks.design_blocks(*shown, note=said.append).num_rows
    assert "there is 1 question to be parted" in said[0]


def test_what_makes_no_design_is_told(survey):
    with pytest.raises(ValueError, match="3 of 3 blocks"):
        blocks.design_blocks(*survey, blocks=3, asked=3)
    with pytest.raises(ValueError, match=r"plan_core names a9, .*did you mean 'a\d'"):
        blocks.design_blocks(*survey, core=["a9"])
    with pytest.raises(ValueError, match=r"plan_core names 'ss', no survey.*did you mean 's'"):
        blocks.design_blocks(*survey, core={"ss": ["a0"]})
    for text in ("a0", {"s": "a0"}):
        with pytest.raises(ValueError, match=r"plan_core is a list of questions, as \[a0\]"):
            blocks.design_blocks(*survey, core=text)
    with pytest.raises(
        ValueError, match=r"plan_blocks: 20 blocks of which 10 .* make 184,756 forms.* 13 blocks"
    ):
        blocks.design_blocks(*survey, blocks=20, asked=10)


def test_a_core_may_name_questions_of_any_survey(survey):
    both = [pd.concat([table, table.assign(survey="t")]) for table in survey]
    more = tables({"own": np.arange(1200) % 2})
    both = [pd.concat([a, b.assign(survey="t")]) for a, b in zip(both, more, strict=True)]
    both[1] = both[1].drop_duplicates(["survey", "respondent_id"])
    rows = blocks.design_blocks(*both, blocks=3, core=["a0", "own"]).to_pylist()
    core = {(r["survey"], r["question_id"]) for r in rows if r["block"] == "core"}
    assert core == {("s", "a0"), ("t", "a0"), ("t", "own")}


def test_pairs_that_nobody_is_asked_together_have_no_number(survey):
    alone = blocks.design_blocks(*survey, blocks=3, asked=1)
    table = blocks.design_associations(*survey, alone)
    rows = table.to_pylist()
    never = [r for r in rows if r["asked_together"] == 0]
    assert never
    for r in never:
        assert (r["basis"], r["efficiency"], r["half_width"]) == ("never_together", None, None)
    others = [r for r in rows if r["asked_together"] > 0]
    assert {r["basis"] for r in others} == {"asked_together"}
    assert all(r["half_width"] == pytest.approx(3**0.5) for r in others)
    [said] = blocks.bases(table)
    assert f"{len(never)} of 55 pairs are never asked together" in said


def test_what_efficiencies_of_many_questions_are_is_told():
    rng = np.random.default_rng(1)
    many = tables({f"q{i:02}": rng.integers(0, 2, 120) for i in range(blocks.MOST + 1)})
    table = blocks.design_associations(*many, blocks.design_blocks(*many))
    assert set(table["basis"].to_pylist()) == {"asked_together"}
    assert table["efficiency"].equals(table["asked_together"])
    [said] = blocks.bases(table)
    assert "more than 54 questions" in said


def test_a_recode_is_in_the_block_of_its_source_and_not_asked(survey):
    answers = three_themes(n=1200)
    level = np.random.default_rng(2).integers(0, 4, 1200)
    given = tables({**answers, "level": level, "high": (level > 1).astype(int)})
    found = blocks.design_blocks(*given, blocks=3, asked=2, core=["high"])
    rows = {r["question_id"]: r for r in found.to_pylist()}
    assert (rows["high"]["recode_of"], rows["high"]["block"]) == ("level", "core")
    assert rows["level"]["block"] == "core"
    asked = assignments.design_assignments(found, given[1], people=3).to_pylist()
    assert all("level" in r["questions"] and "high" not in r["questions"] for r in asked)
    pairs = blocks.design_associations(*given, found).to_pylist()
    assert "high" not in {r[k] for r in pairs for k in ("question_id", "other_question_id")}


@pytest.mark.parametrize(
    ("blocks_asked", "questions", "found"),
    [
        ((4, 2), 4, (4, 2)),
        ((4, 2), 3, (3, 2)),
        ((4, 2), 2, (2, 1)),
        ((20, 1), 11, (11, 1)),
        ((10, 5), 6, (6, 3)),
        ((30, 2), 5, (5, 2)),
        ((9, 8), 4, (4, 3)),
    ],
)
def test_so_many_blocks_as_questions_of_which_as_large_a_share_is_asked(
    blocks_asked, questions, found
):
    assert blocks.nearest(*blocks_asked, questions) == found


def test_more_blocks_than_questions_make_the_nearest_design_and_that_is_told(survey):
    notes: list[str] = []
    rows = blocks.design_blocks(*survey, blocks=20, core=["a0"], note=notes.append).to_pylist()
    assert len({r["block"] for r in rows}) == 11, "ten blocks of one question, and the core"
    assert {r["blocks_asked"] for r in rows} == {2}
    [said] = notes
    assert "there are 10 questions to be parted" in said
    assert "the design has 10 of which 2 are asked, in place of 2 of 20" in said


def test_a_question_by_itself_makes_no_design_and_one_without_answers_is_in_no_block():
    notes: list[str] = []
    answers = np.random.default_rng(3).integers(0, 2, 60)
    given = tables({"only": answers, "never": np.full(60, -1)})
    assert blocks.design_blocks(*given, note=notes.append).num_rows == 0
    assert notes[0] == "s: never was answered by nobody, and is in no block"
    assert notes[1].startswith("s: there is 1 question to be parted into blocks")


def test_whom_a_question_rules_out_is_known_of_everybody_who_may_be_asked_the_other():
    notes: list[str] = []
    rows = blocks.design_blocks(*tables(filtered()), note=notes.append).to_pylist()
    core = {r["question_id"] for r in rows if r["block"] == "core"}
    # Those who work were asked of a boss, and those with trouble why.
    assert core == {"work", "boss"}
    [said] = notes
    assert said.startswith("s: boss, work tell who can be asked other questions")


def test_what_an_attribute_rules_out_needs_no_question_in_the_core():
    answers = filtered()
    given = tables(answers, answers["work"])
    rows = blocks.design_blocks(*given).to_pylist()
    assert {r["question_id"] for r in rows if r["block"] == "core"} == {"boss"}


def test_what_is_answered_in_numbers_or_texts_is_asked_of_everybody(survey):
    notes: list[str] = []
    _, people, questions = survey
    hours = pd.DataFrame({"survey": "s", "question_id": ["hours"], "options": [[]]})
    every = pd.concat([questions.iloc[:2], hours, questions.iloc[2:]])
    found = blocks.design_blocks(*survey, blocks=3, core=["hours"], others=every, note=notes.append)
    assert found["question_id"].to_pylist() == every["question_id"].to_list()
    row = found.to_pylist()[2]
    assert (row["block"], row["asked"], row["half_width"]) == ("core", 1, 1)
    [said] = notes
    assert said.startswith("s: hours is answered in numbers or texts")
    forms = assignments.design_assignments(found, people, people=6).to_pylist()
    assert all("hours" in form["questions"] for form in forms)
    assert blocks.design_associations(*survey, found).num_rows == 55


def test_questions_are_in_their_order(survey):
    responses, people, questions = survey
    turned = questions.iloc[::-1]
    designed = blocks.design_blocks(responses, people, turned, blocks=3)
    assert designed["question_id"].to_pylist() == turned["question_id"].to_list()


def test_a_question_that_everybody_answers_alike_needs_no_block(survey):
    answers = {**three_themes(n=1200), "same": np.zeros(1200, dtype=int)}
    given, notes = tables(answers), []
    found = blocks.design_blocks(*given, note=notes.append).to_pylist()
    assert "same" not in {r["question_id"] for r in found}
    assert notes == ["s: to same everybody gave one answer; it is in no block"]
    plain = blocks.design_blocks(*survey).to_pylist()
    assert found == plain, "it changes nothing for the others"
    pairs = blocks.design_associations(*given, blocks.design_blocks(*given)).to_pylist()
    assert "same" not in {
        name for r in pairs for name in (r["question_id"], r["other_question_id"])
    }
    # Unless it is wanted of everybody.
    core = blocks.design_blocks(*given, core=["same"]).to_pylist()
    (row,) = [r for r in core if r["question_id"] == "same"]
    assert (row["block"], row["asked"], row["half_width"]) == ("core", 1, 1)
    (first, *_) = assignments.design_assignments(
        blocks.design_blocks(*given, core=["same"]), given[1]
    ).to_pylist()
    assert "same" in first["questions"]
