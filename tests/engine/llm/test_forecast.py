"""Forecasts: ranges that hold what calls then take."""

from __future__ import annotations

import json
import random

import pytest

from lupom.engine.llm.forecast import Range, forecast
from lupom.engine.llm.gateway import Call
from lupom.engine.project.providers import llm_settings
from tests.support.gateways import make_gateway, user

PRICE = {"input": 3.0, "output": 15.0, "cache_read": 0.3, "cache_write": 3.75}


@pytest.fixture
def essay(load):
    return load(
        """
        class Essay(BaseModel):
            text: str
            mood: Literal["calm", "tense"]
        """,
        "Essay",
    )


def texts(count, seed):
    """Prompts of very different lengths."""
    chance = random.Random(seed)
    return [f"Case {seed}/{i}: " + "word " * chance.randint(5, 400) for i in range(count)]


def essays(body):
    """Answer with texts of very different lengths, some of them invalid at first."""
    chance = random.Random(json.dumps(body["messages"]))
    if chance.random() < 0.1:
        return {"text": "x", "mood": "none of these"}
    return {"text": "word " * chance.randint(5, 60), "mood": "calm"}


def foresee(state, spec, prompts, values=None, node="notes", **settings):
    llm = llm_settings(**{"provider": "openai", "model": "test-model", "price": PRICE, **settings})
    calls = [Call(user(text), spec.for_row(values or {})) for text in prompts]
    return forecast(state.ledger, {"default": llm}, "default", node, calls)


def held(state, prediction, run_id):
    """Compare with what the calls of a run took."""
    rows = [row for row in state.calls_since(0) if row["run_id"] == run_id]
    return (
        prediction.tokens_in.holds(sum(row["tokens_in"] for row in rows)),
        prediction.tokens_out.holds(sum(row["tokens_out"] for row in rows)),
        prediction.cost.holds(sum(row["cost"] for row in rows)),
    )


def run(server, state, spec, prompts, run_id, values=None):
    gateway = make_gateway(server.base_url, state, price=PRICE)
    calls = [Call(user(text), spec.for_row(values or {})) for text in prompts]
    gateway.ask("default", calls, node="notes", run_id=run_id)
    gateway.close()


@pytest.mark.parametrize("seed", range(3))
def test_a_range_holds_what_is_taken_first_by_bounds_then_by_history(server, state, essay, seed):
    server.answers = essays
    first = foresee(state, essay, texts(40, seed))
    run(server, state, essay, texts(40, seed), "first")
    assert held(state, first, "first") == (True, True, True)
    second = foresee(state, essay, texts(60, seed + 100))
    run(server, state, essay, texts(60, seed + 100), "second")
    assert held(state, second, "second") == (True, True, True)
    # Prompts are of any length and every tenth answer is invalid, yet history makes it useful.
    assert second.cost.high < 2.5 * second.cost.low


def test_of_calls_that_are_much_alike_the_range_is_narrow(server, state, note):
    prompts = [f"Case {i:02d}: " + "word " * (100 + i % 10) for i in range(60)]
    run(server, state, note, prompts[:30], "first")
    prediction = foresee(state, note, prompts[30:])
    run(server, state, note, prompts[30:], "second")
    assert held(state, prediction, "second") == (True, True, True)
    assert prediction.cost.high < 1.5 * prediction.cost.low


def test_a_choice_is_bounded_by_its_labels_before_anything_was_asked(server, state, choice):
    options = {"options": ["Agree", "Disagree", "Neither"]}
    prompts = texts(20, 1)
    prediction = foresee(state, choice, prompts, options)
    run(server, state, choice, prompts, "first", options)
    assert held(state, prediction, "first") == (True, True, True)
    assert prediction.tokens_out.high < 20 * 30


def test_another_node_at_the_same_model_tells_of_prompts_only(server, state, essay):
    server.answers = essays
    run(server, state, essay, texts(40, 1), "first")
    prediction = foresee(state, essay, texts(40, 2), node="others")
    # 0.25 tokens a character at this server, and some prompts were asked twice.
    characters = sum(len(text) for text in texts(40, 2))
    assert prediction.tokens_in.holds(characters * 0.25 * 1.15)
    assert prediction.tokens_in.high < characters * 0.6
    assert prediction.tokens_out.high > 40 * 200


def test_attempts_of_another_node_do_not_raise_the_low_end(server, state, essay):
    server.answers = lambda _body: {"text": "x", "mood": "none of these"}
    run(server, state, essay, texts(20, 1), "first")
    server.answers = None
    prediction = foresee(state, essay, texts(20, 2), node="others")
    run(server, state, essay, texts(20, 2), "second")
    assert held(state, prediction, "second") == (True, True, True)


def test_without_a_price_there_is_no_cost_and_without_calls_no_tokens(state, note):
    assert foresee(state, note, ["Question"], price=None).cost is None
    nothing = foresee(state, note, [])
    assert (nothing.calls, nothing.tokens, nothing.cost) == (0, Range(), Range())


def test_a_provider_s_prompt_cache_lowers_the_low_end_and_raises_the_high(state, note):
    plain = foresee(state, note, ["Question " * 50], price={"input": 3.0, "output": 15.0})
    cached = foresee(state, note, ["Question " * 50])
    assert cached.cost.low < plain.cost.low < plain.cost.high < cached.cost.high
