"""What predictors learned, kept as bytes and applied to other people."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from lupom.science.predictors import baselines, states
from lupom.science.predictors.forest import forest_answers
from lupom.science.predictors.predictor import Predictor, predictor
from lupom.science.predictors.task import Task, tasks
from tests.science import synthetic

KEPT = {
    name: p
    for name, p in {**baselines.shipped(), "forest_answers": forest_answers}.items()
    if p.fit is not None
}
PERSON = "respondent_id"


def task_of(s: synthetic.Survey, pairs: pd.DataFrame | None = None) -> Task:
    return tasks(s.known, s.pairs if pairs is None else pairs, s.respondents, s.questions)[0]


def of_people(s: synthetic.Survey, people: set[str]) -> synthetic.Survey:
    return synthetic.Survey(
        *(t[t[PERSON].isin(people)] for t in (s.known, s.holdout, s.respondents)), s.questions
    )


@pytest.fixture(scope="module")
def s() -> synthetic.Survey:
    return synthetic.survey(people=240, held=120)


@pytest.fixture(scope="module")
def learned(s: synthetic.Survey) -> dict[str, dict[str, Any]]:
    return {name: states.fit(p, task_of(s), 1) for name, p in KEPT.items()}


@pytest.mark.parametrize("name", KEPT)
def test_the_function_is_what_was_learned_applied(s, learned, name) -> None:
    task = task_of(s)
    found = states.apply(KEPT[name], learned[name], task)
    np.testing.assert_array_equal(found, KEPT[name](task, 1))


@pytest.mark.parametrize("name", KEPT)
def test_what_was_kept_comes_back_to_the_last_bit(s, learned, name) -> None:
    data = states.to_bytes(learned[name])
    assert states.to_bytes(states.from_bytes(data)) == data
    back = states.from_bytes(data)
    assert back.keys() == learned[name].keys()
    for entry, value in learned[name].items():
        if isinstance(value, np.ndarray):
            assert back[entry].dtype == value.dtype
            np.testing.assert_array_equal(back[entry], value)
        else:
            assert back[entry] == value
    task = task_of(s)
    np.testing.assert_array_equal(
        states.apply(KEPT[name], back, task), states.apply(KEPT[name], learned[name], task)
    )


@pytest.mark.parametrize("name", KEPT)
def test_learning_looks_at_no_pair_and_at_nobody_who_is_tested(s, learned, name) -> None:
    one = s.pairs.iloc[:1]
    assert states.to_bytes(states.fit(KEPT[name], task_of(s, one), 1)) == states.to_bytes(
        learned[name]
    )
    known = s.known.copy()
    tested = known[PERSON].isin(s.holdout[PERSON]) & known["answer"].notna()
    options = dict(zip(s.questions["question_id"], s.questions["options"], strict=True))
    known.loc[tested, "answer"] = [options[q][0] for q in known[tested]["question_id"]]
    other = task_of(synthetic.Survey(known, s.holdout, s.respondents, s.questions))
    assert states.to_bytes(states.fit(KEPT[name], other, 1)) == states.to_bytes(learned[name])


@pytest.mark.parametrize("name", KEPT)
def test_of_new_people_it_says_what_it_says_of_them_in_the_survey(s, learned, name) -> None:
    # Half of those tested, by themselves: other people, values of attributes and numbers of them.
    people = set(sorted(set(s.holdout[PERSON]))[::2])
    new = task_of(of_people(s, people))
    assert len(new.respondents) == len(people)
    among = states.apply(KEPT[name], learned[name], task_of(s))
    whole = task_of(s)
    here = np.isin([whole.respondents[row] for row in whole.rows], list(people))
    alone = states.apply(KEPT[name], learned[name], new)
    np.testing.assert_allclose(alone, among[here], atol=1e-6)


def test_an_attribute_that_nobody_had_is_taken_as_none(s, learned) -> None:
    people = set(s.holdout[PERSON])
    one = of_people(s, people)
    strange = one.respondents.assign(
        attributes=[[("AGE", "ageless"), ("PLANET", "Mars")] for _ in range(len(one.respondents))]
    )
    new = task_of(synthetic.Survey(one.known, one.holdout, strange, one.questions))
    for name, p in states.predict(KEPT, learned, new).items():
        assert p.sum(axis=1) == pytest.approx(1.0), name


def test_who_has_told_nothing_is_predicted_by_attributes(s, learned) -> None:
    one = of_people(s, {s.holdout[PERSON].iloc[0]})
    silent = synthetic.Survey(
        one.known.assign(answer=None), one.holdout, one.respondents, one.questions
    )
    task = task_of(silent)
    found = states.predict(KEPT, learned, task)
    for name, p in KEPT.items():
        if p.answers:
            np.testing.assert_array_equal(found[name], found["logistic_demographics"])
    alone = {"logistic_answers": learned["logistic_answers"]}
    with pytest.raises(ValueError, match=f"no answer of respondent {task.respondents[0]} is known"):
        states.predict(KEPT, alone, task)


def test_a_question_that_nobody_answered_has_the_shares_of_others_like_it(s) -> None:
    nobody = s.known.assign(answer=s.known["answer"].where(s.known["question_id"] != "q0"))
    task = task_of(synthetic.Survey(nobody, s.holdout, s.respondents, s.questions))
    by_survey = baselines.probabilities_of(task, KEPT, 1)
    for name, p in KEPT.items():
        kept = states.apply(p, states.fit(p, task, 1), task)
        np.testing.assert_allclose(kept, by_survey[name], atol=1e-12)


def test_another_question_and_other_options_are_errors(s, learned) -> None:
    state = learned["majority"]
    renamed = synthetic.Survey(
        *(t.replace({"question_id": {"q0": "q00"}}) for t in (s.known, s.holdout)),
        s.respondents,
        s.questions.replace({"question_id": {"q0": "q00"}}),
    )
    with pytest.raises(ValueError, match="s: nothing was learned of the question q00"):
        states.apply(KEPT["majority"], state, task_of(renamed))
    more = s.questions.assign(options=[[*o, "Else"] for o in s.questions["options"]])
    other = synthetic.Survey(s.known, s.holdout, s.respondents, more)
    with pytest.raises(ValueError, match=r"the options of q0 were \[.*\] and are now \[.*'Else'\]"):
        states.apply(KEPT["majority"], state, task_of(other))


def test_what_another_version_learned_is_told(s, learned) -> None:
    """Of LUPoM's as of other packages' predictors: an upgrade, and no run since."""
    before = {k: v for k, v in learned["boosted_answers"].items() if k != "places_of"}
    with pytest.raises(ValueError, match=r"is of another version of it, which kept no 'places_of'"):
        states.apply(KEPT["boosted_answers"], before, task_of(s))


def test_some_of_the_questions_are_enough(s, learned) -> None:
    two = s.questions.iloc[[1, 2]]
    kept = set(two["question_id"])
    part = synthetic.Survey(
        s.known[s.known["question_id"].isin(kept)],
        s.holdout[s.holdout["question_id"].isin(kept)],
        s.respondents,
        two,
    )
    task = task_of(part)
    for name, p in states.predict(KEPT, learned, task).items():
        assert p.shape == (len(task.rows), task.width), name


def test_a_plain_function_has_nothing_to_keep(s) -> None:
    plain = predictor("Even odds")(lambda task, seed: np.full((len(task.rows), task.width), 0.5))
    assert plain.fit is None
    with pytest.raises(ValueError, match="the predictor 'Even odds' has no fit of its own to keep"):
        states.fit(plain, task_of(s))


@pytest.mark.parametrize("entry", [np.array([{}]), {1, 2}])
def test_what_cannot_be_kept_without_pickle_is_an_error(s, entry) -> None:
    with pytest.raises(ValueError, match=r"'entry' of a state cannot|neither an array nor JSON"):
        states.to_bytes({"entry": entry})


def test_options_of_a_predictor_go_into_what_it_learns(s) -> None:
    by_age: Predictor = KEPT["majority_group"].having(attributes=("AGE", "SEX"))
    task = task_of(s)
    assert states.fit(by_age, task)["traits"] == [0, 1]
    np.testing.assert_array_equal(
        states.apply(by_age, states.fit(by_age, task), task), by_age(task)
    )
