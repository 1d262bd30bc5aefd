"""What predictors learned of every survey, as a table."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from lupom.science.predictors import baselines, boosting, fitted, states
from lupom.science.predictors.predictor import predictor
from lupom.science.predictors.symmetric_trees import grown as trees
from tests.science import synthetic

# The forest takes a second.
QUICK = {n: p for n, p in baselines.shipped().items() if n != "forest_answers"}


def learning(s: synthetic.Survey) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Return what the models learning_answers, _respondents and _questions hold."""
    tested = set(s.holdout["respondent_id"])
    known = s.known[~s.known["respondent_id"].isin(tested) & s.known["answer"].notna()]
    people = s.respondents[~s.respondents["respondent_id"].isin(tested)]
    return known.drop(columns="role"), people, s.questions[["survey", "question_id", "options"]]


@pytest.fixture(scope="module")
def s() -> synthetic.Survey:
    return synthetic.survey(people=240, held=120)


@pytest.fixture(scope="module")
def table(s):
    return fitted.fit(*learning(s), seed=1, predictors=QUICK)


def test_baselines_by_what_was_learned_are_those_that_learn(s, table) -> None:
    known = (s.known, s.pairs, s.respondents, s.questions)
    states = fitted.read(table)
    kept = baselines.predict(*known, seed=1, predictors=QUICK, states=states)
    assert kept.equals(baselines.predict(*known, seed=1, predictors=QUICK))


def test_a_row_says_whose_and_how_much(s, table) -> None:
    assert set(table["predictor"].to_pylist()) == set(QUICK)
    reference = set(s.respondents["respondent_id"]) - set(s.holdout["respondent_id"])
    assert set(table["n"].to_pylist()) == {len(reference)}
    assert [len(state) for state in table["state"].to_pylist()] == table["size"].to_pylist()


def test_the_same_is_learned_again(s, table) -> None:
    shuffled = [t.sample(frac=1, random_state=2) for t in learning(s)]
    again = fitted.fit(*shuffled, seed=1, predictors=QUICK)
    # Seconds are measured, and no two are the same.
    assert again.drop(["seconds"]).equals(table.drop(["seconds"]))


def test_seconds_of_cpu_are_measured(table) -> None:
    seconds = table["seconds"].to_pylist()
    assert min(seconds) >= 0
    assert max(seconds) > 0


def test_surveys_do_not_mix_and_groups_are_those_asked_for(s) -> None:
    only = {"majority_group": QUICK["majority_group"]}
    both = [pd.concat([t, t.assign(survey="t")]) for t in learning(s)]
    found = fitted.read(fitted.fit(*both, group={"t": ["SEX"]}, predictors=only))
    assert found["t"]["majority_group"]["traits"] == [1]
    assert found["s"]["majority_group"]["traits"] == [0]


def test_what_keeps_nothing_has_no_row_and_the_stand_in_always_has_one(s) -> None:
    table = fitted.fit(*learning(s), predictors={"mine": lambda task, seed: None})
    assert table["predictor"].to_pylist() == [states.STAND_IN]
    assert table.schema == fitted.FITTED


def equal(task):
    """Return the same probability of each option."""
    out = np.zeros((len(task.rows), task.width))
    for question, pairs in task.by_question():
        out[pairs, : len(task.options[question])] = 1 / len(task.options[question])
    return out


@pytest.mark.parametrize("given", [None, "boosted"], ids=["registered", "functions"])
def test_of_a_survey_that_stays_the_same_nothing_is_learned_again(s, given) -> None:
    first, people, questions = learning(s)
    both = [pd.concat([t, t.assign(survey="t")]) for t in (first, people, questions)]
    names = ("majority_group", "gaussian_answers")
    only = {name: baselines.shipped()[name] for name in names}
    learned = []

    def fit(task, seed):
        learned.append(task.survey)
        return {"n": len(task.respondents)}

    if given:
        only["mine"] = predictor("Mine", fit=fit)(lambda state, task: equal(task))
    before = fitted.fit(*both, seed=1, predictors=only)
    learned.clear()
    answers = both[0].reset_index(drop=True)
    changed = answers.index[answers["survey"] == "t"][0]
    others = set(
        answers.loc[answers["question_id"] == answers.at[changed, "question_id"], "answer"]
    )
    answers.at[changed, "answer"] = min(others - {answers.at[changed, "answer"]})
    now = fitted.fit(answers, *both[1:], seed=1, predictors=only, before=before)
    assert set(learned) == ({"t"} if given else set())
    rows = {(r["survey"], r["predictor"]): r for r in now.to_pylist()}
    same = [r for r in before.to_pylist() if r["survey"] == "s"]
    # Seconds, too, are those of the time when it was learned.
    assert same
    assert all(rows["s", r["predictor"]] == r for r in same)
    anew = fitted.fit(answers, *both[1:], seed=1, predictors=only)
    assert now.drop(["seconds"]).equals(anew.drop(["seconds"]))
    assert not now.drop(["seconds"]).equals(before.drop(["seconds"]))
    # Another seed is another fit.
    other = fitted.fit(*both, seed=2, predictors=only, before=before)
    assert set(other["inputs"].to_pylist()).isdisjoint(before["inputs"].to_pylist())


@pytest.mark.parametrize("given", ["registered", "functions"])
def test_of_a_survey_that_changes_only_what_hangs_on_it_is_grown_again(given, monkeypatch) -> None:
    monkeypatch.setattr(boosting, "TOLD_BY", 2)
    answers, *rest = learning(synthetic.survey(people=500, held=100, items=12))
    only = {"boosted_answers": baselines.shipped()["boosted_answers"]}
    if given == "functions":
        only["mine"] = boosting.boosted_answers
    before = fitted.fit(answers, *rest, seed=1, predictors=only)
    answers = answers.reset_index(drop=True)
    [one, other] = answers.loc[
        answers["question_id"] == answers.at[0, "question_id"], "answer"
    ].unique()[:2]
    answers.at[0, "answer"] = other if answers.at[0, "answer"] == one else one
    grown = []
    monkeypatch.setattr(boosting, "grown", lambda *of: grown.append(of) or trees(*of))
    now = fitted.fit(answers, *rest, seed=1, predictors=only, before=before)
    count = len(grown) / len(only)
    assert 0 < count < 12
    anew = fitted.fit(answers, *rest, seed=1, predictors=only)
    assert now.drop(["seconds"]).equals(anew.drop(["seconds"]))
