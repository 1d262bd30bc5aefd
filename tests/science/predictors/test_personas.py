"""The persona network as a predictor, where one dimension decides most answers."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from lupom.science.predictors import personas
from tests.science import synthetic


@pytest.fixture(scope="module")
def s():
    return synthetic.survey(people=240, held=120)


@pytest.fixture(scope="module")
def tables(s):
    """Personas in which `trust` is what decides the answers, and `mood` is chance."""
    options = dict(zip(s.questions["question_id"], s.questions["options"], strict=True))
    told = s.known.dropna(subset="answer")
    place = [
        options[q].index(a) / (len(options[q]) - 1)
        for q, a in zip(told["question_id"], told["answer"], strict=True)
    ]
    trait = told.assign(place=place).groupby("respondent_id")["place"].mean()
    rng = np.random.default_rng(0)
    values = pd.DataFrame(
        [
            ("s", person, dimension, value)
            for person, level in trait.items()
            for dimension, value in (
                ("trust", "high" if level > 0.66 else "low" if level < 0.33 else "mid"),
                ("mood", str(rng.choice(["good", "bad"]))),
            )
        ],
        columns=["survey", "respondent_id", "dimension_id", "refined_value"],
    )
    dimensions = pd.DataFrame(
        {
            "survey": "s",
            "dimension_id": ["trust", "mood"],
            "level": ["high", "low"],
            "candidate_values": [["low", "mid", "high"], ["good", "bad"]],
        }
    )
    edges = pd.DataFrame({"survey": ["s"], "parent": ["trust"], "child": ["mood"]})
    return values, dimensions, edges


def predicted(s, values, dimensions, edges):
    table = personas.predict(
        s.known, s.pairs, s.respondents, s.questions, values, dimensions, edges
    )
    frame = table.to_pandas()
    frame["probabilities"] = [dict(p) for p in frame["probabilities"]]
    return frame


def share_right(frame, s):
    truth = s.holdout.rename(columns={"answer": "truth"})
    joined = frame.merge(truth, on=["survey", "respondent_id", "question_id"])
    return (joined["answer"] == joined["truth"]).mean()


def test_what_decides_answers_tells_them(s, tables):
    values, dimensions, edges = tables
    frame = predicted(s, values, dimensions, edges)
    assert set(frame["predictor"]) == {"network_persona"}
    assert len(frame) == len(s.holdout)
    of_chance = values[values["dimension_id"] == "mood"]
    assert share_right(frame, s) > share_right(predicted(s, of_chance, dimensions, edges), s) + 0.2
    for p in frame["probabilities"]:
        assert sum(p.values()) == pytest.approx(1.0)
        assert min(p.values()) > 0


def test_without_a_persona_the_shares_of_all_are_left(s, tables):
    values, dimensions, edges = tables
    person = s.holdout["respondent_id"].iloc[0]
    frame = predicted(s, values[values["respondent_id"] != person], dimensions, edges)
    none = predicted(s, values.iloc[:0], dimensions, edges)
    mine = frame["respondent_id"] == person
    assert frame[mine]["probabilities"].tolist() == none[mine]["probabilities"].tolist()
    assert (frame[~mine]["probabilities"] != none[~mine]["probabilities"]).any()
    by_question = none.groupby("question_id")["probabilities"]
    assert all(len({tuple(p.items()) for p in group}) == 1 for _, group in by_question)


def test_answers_of_test_respondents_and_held_out_ones_train_nothing(s, tables):
    frame = predicted(s, *tables)
    person = s.holdout["respondent_id"].iloc[0]
    known = s.known.copy()
    of_person = (known["respondent_id"] == person) & known["answer"].notna()
    options = dict(zip(s.questions["question_id"], s.questions["options"], strict=True))
    known.loc[of_person, "answer"] = [options[q][0] for q in known[of_person]["question_id"]]
    again = predicted(synthetic.Survey(known, s.holdout, s.respondents, s.questions), *tables)
    # Not even the person's own: the persona is all that is looked at.
    pd.testing.assert_frame_equal(again, frame)


def test_no_dimensions_no_personas(s, tables):
    values, dimensions, edges = tables
    frame = predicted(s, values.iloc[:0], dimensions.iloc[:0], edges.iloc[:0])
    assert len(frame) == len(s.holdout)
