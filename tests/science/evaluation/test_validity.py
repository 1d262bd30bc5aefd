"""The checks of a predictor, on people and predictors whose faults are known."""

from __future__ import annotations

import numpy as np
import pytest

from lupom.science.evaluation.distributions import distribution_metrics
from lupom.science.evaluation.metrics import metrics
from lupom.science.evaluation.validity import validity
from tests.support.scored_people import (
    OPTIONS,
    questions,
    respondents,
    right,
    scored,
    sure,
)

PEOPLE, COUNT = 400, 6


def answers(seed: int = 1) -> dict[tuple[str, str], str]:
    """Women answer often or always, men never or rarely; one in five does not."""
    rng = np.random.default_rng(seed)
    out = {}
    for i in range(PEOPLE):
        high = bool(i % 2) if rng.random() < 0.8 else not i % 2
        for question in range(COUNT):
            out[f"p{i:04}", f"q{question}"] = OPTIONS[2 * high + int(rng.random() < 0.5)]
    return out


def as_people(rng: np.random.Generator, person: str, truth: str) -> str:
    """A draw from how people like this one answer."""
    woman = int(person[1:]) % 2 == 1
    return OPTIONS[2 * (woman if rng.random() < 0.8 else not woman) + int(rng.random() < 0.5)]


def always_often(rng: np.random.Generator, person: str, truth: str) -> str:
    return "often"


def for_women(rng: np.random.Generator, person: str, truth: str) -> str:
    return right(0.9 if int(person[1:]) % 2 else 0.5)(rng, person, truth)


def checks(predictors, *, ceiling=None, probabilities=None):
    people = respondents(PEOPLE)
    table = scored(answers(), predictors, count=COUNT, people=people, probabilities=probabilities)
    asked = questions(COUNT)
    rows = validity(
        table,
        asked,
        people,
        metrics(table, ceiling=ceiling, resamples=100),
        distribution_metrics(table, asked, resamples=100),
        ceiling=ceiling,
        resamples=100,
    ).to_pylist()
    return {(r["predictor"], r["check"]): r for r in rows if r["pairs"] == "all"}


@pytest.fixture(scope="module")
def found():
    return checks(
        {
            ("majority", None): always_often,
            ("as people", None): as_people,
            ("half right", None): right(0.5),
            ("for women", None): for_women,
        }
    )


def test_accuracy_is_read_beside_chance_and_majority(found):
    row = found["half right", "beats_chance"]
    assert row["reference"] == 0.25
    assert row["value"] == pytest.approx(0.5, abs=0.04)
    assert row["verdict"] == "good"
    row = found["half right", "beats_majority"]
    assert row["low"] < 0.25 < row["high"]
    assert ("majority", "beats_majority") not in found


def test_answers_drawn_as_people_give_them_cannot_be_told_from_theirs(found):
    row = found["as people", "like_people"]
    assert row["low"] <= 0.5 <= row["high"] + 0.02
    assert row["verdict"] == "good"
    # It is right no more often than such draws are, for all that.
    assert found["as people", "beats_chance"]["value"] < 0.45


def test_one_answer_for_everybody_is_told_from_people_at_once(found):
    row = found["majority", "like_people"]
    assert row["value"] > 0.7
    assert row["verdict"] == "poor"
    assert found["majority", "as_varied"]["verdict"] == "poor"


def test_lost_associations_show(found):
    kept, lost = (found[name, "keeps_associations"] for name in ("as people", "majority"))
    assert kept["value"] < lost["value"]
    assert lost["reference"] == kept["reference"] > 0.3


def test_a_predictor_that_knows_one_group_better_is_found(found):
    row = found["for women", "fair_to_groups"]
    assert row["detail"] == "SEX: woman above man"
    assert row["value"] == pytest.approx(0.4, abs=0.06)
    assert row["verdict"] == "poor"
    assert found["half right", "fair_to_groups"]["verdict"] == "good"


def test_calibration_and_the_retest_ceiling():
    rows = checks({("sure", None): right(0.5)}, ceiling={"s": 0.8}, probabilities=sure(0.9))
    assert rows["sure", "calibrated"]["value"] == pytest.approx(0.4, abs=0.04)
    assert rows["sure", "calibrated"]["verdict"] == "poor"
    assert rows["sure", "near_retest"]["value"] == pytest.approx(0.5 / 0.8, abs=0.05)


def test_of_an_llm_how_much_hangs_on_the_prompt():
    rows = checks(
        {("short", "llm"): as_people, ("long", "llm"): as_people, ("plain", None): as_people}
    )
    # Two draws are the same in .8^2 + .2^2 of cases for the half, and half of these.
    assert rows["short", "steady"]["value"] == pytest.approx(0.34, abs=0.05)
    assert rows["short", "steady"]["detail"] == "long"
    assert rows["short", "steady"]["verdict"] == "poor"
    assert ("plain", "steady") not in rows


def test_an_llm_that_knows_the_shares_and_not_the_people():
    def shares(rng, person, truth):
        return str(rng.choice(OPTIONS, p=[0.45, 0.05, 0.05, 0.45]))

    def uneven(seed=1):
        rng = np.random.default_rng(seed)
        return {pair: shares(rng, *pair) for pair in answers()}

    people = respondents(PEOPLE)
    table = scored(
        uneven(),
        {("nothing", "llm"): shares, ("guess", "llm"): right(0.25)},
        count=COUNT,
        people=people,
    )
    asked = questions(COUNT)
    rows = validity(
        table,
        asked,
        people,
        metrics(table, resamples=50),
        distribution_metrics(table, asked, resamples=50),
        resamples=50,
    ).to_pylist()
    known = {r["predictor"]: r for r in rows if r["check"] == "marginals_known"}
    assert known["nothing"]["low"] > 0.25
    assert known["guess"]["value"] < 0.15


def test_a_table_without_predictions_has_no_checks():
    people, asked = respondents(PEOPLE), questions(COUNT)
    table = scored(answers(), {("half", None): right(0.5)}, count=COUNT, people=people).slice(0, 0)
    empty = metrics(table), distribution_metrics(table, asked)
    assert validity(table, asked, people, *empty).num_rows == 0
