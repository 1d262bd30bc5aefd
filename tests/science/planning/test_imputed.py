"""Whose gaps are filled: not those of people who cannot be asked, and what the user says."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from lupom.science.planning import imputed
from tests.support.planned_surveys import filtered, noisy, tables


def statuses(answers, **others):
    """Return tables of answers, with a status of those without one by question and code."""
    responses, respondents, questions = tables(answers)
    responses["status"] = np.where(responses["answer"].isna(), "not_asked", "answered")
    responses = responses.reset_index(drop=True)
    for name, (status, here) in others.items():
        rows = np.flatnonzero(responses["question_id"] == name)[here]
        responses.loc[rows, "answer"] = None
        responses.loc[rows, "status"] = status
    return responses, respondents, questions


@pytest.fixture(scope="module")
def survey():
    answers = filtered(n=800)
    refused = np.arange(800) % 16 == 0
    return answers, refused, statuses(answers, plain0=("refused", refused))


def filled(given, **how):
    """Return how many gaps of each question one set has, and what was noted."""
    notes: list[str] = []
    table = imputed.imputations(*given, sets=2, note=notes.append, **how).to_pandas()
    assert table["answer"].notna().all()
    one = table[table["imputation"] == 1]
    return one["question_id"].value_counts().to_dict(), notes


def test_who_cannot_be_asked_a_question_gets_no_answer_to_it(survey):
    answers, _, given = survey
    found, [note] = filled(given)
    assert found == {"lot": (answers["lot"] < 0).sum()}
    assert "of boss, why a filter rules out people; who was not asked gets no answer" in note


def test_gaps_of_other_kinds_are_filled_where_that_is_wanted(survey):
    answers, refused, given = survey
    found, notes = filled(given, gaps=["refused", "filter"])
    assert found == {
        "plain0": refused.sum(),
        **{name: (answers[name] < 0).sum() for name in ("boss", "why")},
    }
    assert notes == []


def test_only_the_questions_that_are_named(survey):
    answers, refused, given = survey
    for only in (["plain0"], {"s": ["plain0"]}):
        found, notes = filled(given, only=only, gaps=["lot", "refused"])
        assert (found, notes) == ({"plain0": refused.sum()}, [])
    found, _ = filled(given, only=["why", "lot"])
    assert found == {"lot": (answers["lot"] < 0).sum()}


def test_a_question_that_few_answered_is_not_imputed_and_that_is_told():
    answers = np.random.default_rng(8).integers(0, 2, (3, 200))
    rare = np.where(np.arange(200) % 29 == 0, answers[2], -1)
    given = statuses({"a": answers[0], "b": answers[1], "rare": rare})
    found, notes = filled(given, gaps=["lot", "unclear"])
    assert found == {}
    assert notes[0] == "s: fewer than 10 people answered rare: that is too few to impute it"
    assert "nothing is imputed" in notes[1]


def test_where_it_is_unclear_why_some_were_not_asked_that_is_told():
    rng = np.random.default_rng(4)
    drives = rng.integers(0, 2, 600)
    answers = {f"rural{i}": noisy(rng, drives, 0.2) for i in range(3)}
    answers["car"] = np.where(drives == 1, rng.integers(0, 3, 600), -1)
    given = statuses(answers)
    found, [nothing, note] = filled(given)
    assert found == {}
    assert "nothing is imputed: there are no other gaps than" in nothing
    assert "unclear (imputation_gaps: lot)" in nothing
    assert "of car who was asked depends on who people are" in note
    found, _ = filled(given, gaps=["unclear"])
    assert found == {"car": (drives == 0).sum()}


def test_blanks_that_may_be_dont_knows_are_told():
    rng = np.random.default_rng(5)
    answers = {f"q{i}": rng.integers(0, 2, 300) for i in range(3)}
    answers["q0"] = np.where(rng.random(300) < 0.05, -1, answers["q0"])
    _, [note] = filled(statuses(answers))
    assert "no blank is a refusal or a don't know" in note
    known = statuses(answers, q1=("dont_know", np.arange(300) < 5))
    assert filled(known)[1] == []


def test_a_recode_goes_with_its_source_in_every_set():
    rng = np.random.default_rng(6)
    level = rng.integers(0, 5, 500)
    lot = rng.random(500) < 0.3
    answers = {
        "level": np.where(lot, -1, level),
        "high": np.where(lot, -1, level > 2),
        "plain": rng.integers(0, 2, 500),
    }
    table = imputed.imputations(*statuses(answers), sets=3).to_pandas()
    wide = table.pivot(
        index=["imputation", "respondent_id"], columns="question_id", values="answer"
    )
    assert len(wide) == 3 * lot.sum()
    assert ((wide["level"] > "o2") == (wide["high"] == "o1")).all()


def test_imputed_answers_go_with_what_is_answered_in_numbers():
    """A question that half are asked, and that nothing tells but an income."""
    rng = np.random.default_rng(8)
    income = rng.normal(size=1500)
    rich = (income + 0.7 * rng.normal(size=1500) > 0).astype(int)
    asked = rng.random(1500) < 0.5
    answers = {"content": rng.integers(0, 2, 1500), "rich": np.where(asked, rich, -1)}
    given = statuses(answers)
    ids = given[1]["respondent_id"]
    numbers = pd.DataFrame({"survey": "s", "respondent_id": ids, "question_id": "income"})
    numbers["answer"] = [f"{np.exp(x):.2f}" for x in income]

    def correlation(**how):
        rows = imputed.imputations(*given, sets=10, **how).to_pandas()
        place = {respondent: i for i, respondent in enumerate(ids)}
        x = income[rows["respondent_id"].map(place)]
        return np.corrcoef(x, rows["answer"] == "o1")[0, 1]

    true = np.corrcoef(income[~asked], rich[~asked])[0, 1]
    assert correlation(numbers=numbers) == pytest.approx(true, abs=0.05)
    assert abs(correlation()) < 0.1, "of two that are not related in any set"


def test_shares_of_a_filter_question_are_of_those_who_can_be_asked(survey):
    answers, _, given = survey
    # Half of those with a job were not asked about it, by lot.
    lot = np.random.default_rng(7).random(800) < 0.5
    answers = {**answers, "boss": np.where(lot, -1, answers["boss"])}
    del answers["why"]
    given = statuses(answers)
    drawn = imputed.imputations(*given, sets=5)
    rows = imputed.estimates(*given, drawn).to_pylist()
    boss = next(r for r in rows if (r["question_id"], r["option"]) == ("boss", "o1"))
    assert boss["n"] == (answers["work"] == 1).sum()
    assert boss["n_asked"] == (answers["boss"] >= 0).sum()
    assert boss["low"] < 0.12 < boss["high"]


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ({"sets": 1}, "imputation_sets: 1 does not say how unsure"),
        ({"sets": 10**6}, "imputation_sets: 1000000 sets of .* gaps are .* draws, and 50,000,000"),
        ({"only": ["bos"], "sets": 0}, r"imputation_questions names bos, .*did you mean 'boss'"),
        ({"only": "boss"}, r"imputation_questions is a list of questions, as \[boss\]"),
        ({"gaps": ["filters"]}, "imputation_gaps has 'filters'; it is a list of lot, unclear"),
    ],
)
def test_what_cannot_be_done_is_told_before_anything_is_drawn(survey, how, said):
    with pytest.raises(ValueError, match=said):
        imputed.imputations_in_parts(*survey[2], **how)


def test_how_far_it_is_is_told_where_that_takes_long(survey, monkeypatch):
    monkeypatch.setattr(imputed, "LONG", 0.0)
    notes: list[str] = []
    imputed.imputations(*survey[2], sets=8, only=["lot"], note=notes.append)
    assert [note.split(",")[0] for note in notes] == [f"s: {k} of 8 sets are drawn" for k in (2, 4)]
