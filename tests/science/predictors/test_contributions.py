"""What each predictor adds to the stack: one that is needed, noise, one that repeats another."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from lupom.science.predictors import contributions, stack
from lupom.science.predictors.distributions import PREDICTIONS
from tests.science.predictors.made import NO_LLM, Made, made, noise, powered

SECONDS = {"good": 2.0, "noise": 1.0, "twin": 3.0, "weak": 0.01}


def fitted(**seconds: float) -> pa.Table:
    names = list(seconds)
    return pa.table(
        {
            "survey": ["s"] * len(names),
            "predictor": names,
            "size": [1000] * len(names),
            "seconds": list(seconds.values()),
        }
    )


def described(*names: str) -> pa.Table:
    return pa.table({"predictor": list(names), "title": [f"The {name} one" for name in names]})


def cost(m: Made, left_out=(), **parts) -> dict[str, dict]:
    table = contributions.predictors_cost(
        m.table(**parts),
        m.tuning,
        m.questions,
        fitted(**SECONDS),
        described(*parts),
        left_out=left_out,
    )
    assert table.schema == contributions.COSTS
    return {row["predictor"]: row for row in table.to_pylist()}


@pytest.fixture(scope="module")
def m() -> Made:
    return made(people=400)


@pytest.fixture(scope="module")
def half(m) -> np.ndarray:
    """Half of the truth is in each of two parts: of odd questions in one, of even in the other."""
    return m.pairs.columns % 2 == 0


def known_where(m: Made, where: np.ndarray) -> np.ndarray:
    return np.where(where[:, None], m.true, 1 / 3)


def test_what_is_needed_gains_and_noise_does_not(m) -> None:
    rows = cost(m, good=m.true, noise=noise(m))
    assert rows["good"]["nll_gain_low"] > 0.1
    assert rows["good"]["accuracy_gain_low"] > 0.1
    assert rows["noise"]["nll_gain_low"] < 0.005
    assert abs(rows["noise"]["nll_gain"]) < 0.005
    # Each is judged on its own, too.
    tuning = m.pairs.roles == "tuning"
    right = (m.true.argmax(axis=1) == m.answers)[tuning].mean()
    assert rows["good"]["accuracy"] == pytest.approx(right)
    assert rows["good"]["nll"] == pytest.approx(m.loss(m.true, "tuning"))
    assert {row["n"] for row in rows.values()} == {tuning.sum()}
    assert rows["good"]["title"] == "The good one"


def test_of_two_that_repeat_each_other_neither_adds_anything(m) -> None:
    rows = cost(m, good=m.true, twin=powered(m.true, 1.1), weak=noise(m))
    for name in ("good", "twin"):
        assert abs(rows[name]["nll_gain"]) < 0.005
        assert rows[name]["nll_gain_low"] <= 0
    # So at most one is to go, and that is the dearer.
    found = contributions.to_leave_out(list(rows.values()))
    assert found is not None
    assert found["predictor"] == "twin"


def test_each_of_two_that_know_different_questions_is_needed(m, half) -> None:
    rows = cost(m, good=known_where(m, half), twin=known_where(m, ~half))
    assert min(row["nll_gain_low"] for row in rows.values()) > 0.05
    assert contributions.to_leave_out(list(rows.values())) is None


def test_of_one_that_is_no_part_it_says_what_it_would_add(m, half) -> None:
    parts = {"good": known_where(m, half), "noise": noise(m), "twin": known_where(m, ~half)}
    within = cost(m, **parts)
    beside = cost(m, left_out={"twin"}, **parts)
    assert [row["part"] for row in beside.values()] == [True, True, False]
    # The stack with it and the stack without it are the same two.
    assert beside["twin"]["nll_gain"] == within["twin"]["nll_gain"]


def test_the_stacks_it_compares_are_those_of_the_table_stacked(m) -> None:
    both = {"good": known_where(m, m.pairs.columns == 0), "noise": noise(m)}
    rows = cost(m, **both)

    def loss(**parts) -> float:
        table = stack.stack(m.table(**parts), NO_LLM, m.tuning, m.questions, left_out=())
        return m.loss(m.read(table, "stack_plain")[0], "tuning")

    gain = loss(noise=both["noise"]) - loss(**both)
    assert rows["good"]["nll_gain"] == pytest.approx(gain, abs=1e-6)


def test_answers_to_test_pairs_are_not_looked_at(m) -> None:
    parts = {"good": m.true, "noise": noise(m)}
    others = np.where(m.pairs.roles == "test", (m.answers + 1) % 3, m.answers)
    assert cost(Made(m.pairs, m.true, others), **parts) == cost(m, **parts)


def test_intervals_are_clustered_on_respondents() -> None:
    # Four questions to which everybody answers the same tell no more than one of them.
    one = made(people=300, questions=1)
    p = one.pairs
    pairs = replace(
        p,
        questions=("q0", "q1", "q2", "q3"),
        options=p.options * 4,
        respondents=np.tile(p.respondents, 4),
        columns=np.repeat(np.arange(4), 300),
        **{name: np.tile(getattr(p, name), 4) for name in ("roles", "scenarios", "truth")},
    )
    four = Made(pairs, np.tile(one.true, (4, 1)), np.tile(one.answers, 4))

    def width(m: Made, *times: int) -> float:
        other = np.tile(noise(one), (*times, 1))
        row = cost(m, good=powered(m.true, 0.5), noise=other)["good"]
        return row["nll_gain_high"] - row["nll_gain_low"]

    assert width(four, 4) == pytest.approx(width(one, 1), rel=0.2)


def test_what_is_not_known_is_null(m) -> None:
    # One part alone has no stack without it, and one that keeps nothing no size.
    [row] = cost(m, unheard=m.true).values()
    assert row["part"]
    assert [row[k] for k in ("nll_gain", "nll_gain_low", "size", "seconds")] == [None] * 4
    tests = m.pairs.only(m.pairs.roles == "test").table("good", m.true[m.pairs.roles == "test"])
    nothing = contributions.predictors_cost(
        tests, m.tuning, m.questions, fitted(good=1.0), described("good")
    ).to_pylist()
    assert [(r["n"], r["accuracy"], r["nll_gain"]) for r in nothing] == [(0, None, None)]
    empty = contributions.predictors_cost(
        PREDICTIONS.empty_table(), m.tuning, m.questions, fitted(), described()
    )
    assert empty.num_rows == 0


@pytest.mark.parametrize(
    ("change", "goes"),
    [
        ({}, True),
        ({"seconds": 0.4}, False),
        ({"seconds": 1.0}, False),
        ({"seconds": None}, False),
        ({"nll_gain": 0.0012}, False),
        ({"nll_gain_low": 0.0001}, False),
        ({"nll_gain_high": 0.006}, False),
        ({"nll_gain_low": None, "nll_gain_high": None}, False),
    ],
)
def test_what_adds_nothing_and_costs_much_is_to_be_left_out(change, goes) -> None:
    one = {"predictor": "one", "nll_gain": 0.0, "nll_gain_low": -0.002, "nll_gain_high": 0.003}
    rest = {**one, "predictor": "rest", "seconds": 12.0, "nll_gain": 0.1, "nll_gain_low": 0.05}
    found = contributions.to_leave_out([{**one, "seconds": 2.0, **change}, rest])
    assert (found is not None) == goes
