"""Order effects from asked and answered rows."""

from __future__ import annotations

import random
from collections.abc import Callable

import pyarrow as pa
import pytest

from lupom.science.evaluation.orders import order_effects

OPTIONS = ["Often", "Seldom", "Never"]


def asked(
    order: str, choose: Callable[[list[str], random.Random], str], n: int = 600, seed: int = 5
) -> tuple[pa.Table, pa.Table]:
    """Return n requests, five of each respondent, and the answers that `choose` gives."""
    draw = random.Random(seed)
    requests, answers = [], []
    for i in range(n):
        options = draw.sample(OPTIONS, 3) if order == "shuffled" else OPTIONS
        key = {
            **{"survey": "w", "respondent_id": f"p{i // 5}", "question_id": f"q{i % 5}"},
            **{"setting": "history", "llm": "default", "draw": 0},
        }
        requests.append({**key, "option_order": order, "options": options})
        answers.append({**key, "answer": choose(options, draw)})
    return pa.Table.from_pylist(requests), pa.Table.from_pylist(answers)


def test_who_takes_the_first_option_two_times_in_three_is_found_out() -> None:
    def choose(options: list[str], draw: random.Random) -> str:
        return options[0] if draw.random() < 0.5 else draw.choice(options)

    first, *others = order_effects(*asked("shuffled", choose)).to_pylist()
    assert (first["position"], first["n"]) == (1, 600)
    assert first["expected"] == pytest.approx(1 / 3)
    assert first["excess_low"] > 0.2
    assert first["share"] == pytest.approx(2 / 3, abs=0.06)
    assert all(row["excess_high"] < 0 for row in others)


def test_who_goes_by_what_options_say_has_no_effect_of_order() -> None:
    covered = 0
    for seed in range(60):
        tables = asked("shuffled", lambda options, _: "Seldom", n=300, seed=seed)
        rows = order_effects(*tables, resamples=200).to_pylist()
        assert sum(row["share"] for row in rows) == pytest.approx(1)
        covered += rows[0]["excess_low"] <= 0 <= rows[0]["excess_high"]
    # A 95 % interval misses 3 times in 60, and hardly ever 9 times.
    assert covered > 51


def test_in_the_order_given_only_shares_are_reported() -> None:
    rows = order_effects(*asked("given", lambda options, _: "Seldom")).to_pylist()
    assert [row["share"] for row in rows] == [0, 1, 0]
    assert {row["excess"] for row in rows} == {None}


def test_questions_with_fewer_options_count_where_they_have_one() -> None:
    requests, answers = asked("shuffled", lambda options, _: options[0], n=10)
    short = [row | {"options": row["options"][:2]} for row in requests.to_pylist()[:5]]
    requests = pa.Table.from_pylist(short + requests.to_pylist()[5:])
    rows = order_effects(requests, answers).to_pylist()
    assert [row["n"] for row in rows] == [10, 10, 5]
    assert rows[0]["expected"] == pytest.approx((5 / 2 + 5 / 3) / 10)


def test_nothing_asked_is_an_empty_table_and_an_invalid_answer_is_left_out() -> None:
    requests, answers = asked("given", lambda options, _: "Seldom", n=4)
    assert order_effects(requests, answers.slice(1)).to_pylist()[0]["n"] == 3
    assert order_effects(requests.slice(0, 0), answers.slice(0, 0)).num_rows == 0
