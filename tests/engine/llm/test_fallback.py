"""A stronger alias for what the first has no valid answer to."""

from __future__ import annotations

import threading

import pytest

from lupom.engine.errors import BudgetError, LLMError
from lupom.engine.llm.budget import Budget, Pot
from lupom.engine.llm.gateway import Call, Gateway
from lupom.engine.project.providers import llm_settings
from tests.support.gateways import user
from tests.support.llm_server import Fault

TEXTS = [f"Question {i}" for i in range(4)]
HARD = "Question 2"


@pytest.fixture
def opened(server, state):
    """Return a function that makes a gateway with the aliases small, large and huge."""
    gateways = []

    def make(**settings):
        aliases = {}
        for name, stronger in (("small", "large"), ("large", "huge"), ("huge", None)):
            given = {
                **{"provider": "openai", "base_url": server.base_url, "model": name},
                **{"fallback": stronger, "attempts": 2, **settings.get(name, {})},
            }
            aliases[name] = llm_settings(**given)
        gateways.append(Gateway(state, aliases, backoff=0.001))
        return gateways[-1]

    yield make
    for gateway in gateways:
        gateway.close()


@pytest.fixture
def only(server):
    """Return a function that says which models can answer the hard question."""

    def able(*models):
        def answers(body):
            hard = HARD in body["messages"][0]["content"]
            if hard and body["model"] not in models:
                return {"text": ["no", "text"]}
            return {"text": body["model"]}

        server.answers = answers

    return able


def ask(gateway, spec, texts=TEXTS, alias="small", **options):
    calls = [Call(user(text), spec.for_row({})) for text in texts]
    return gateway.ask(alias, calls, node="notes", run_id="r", **options)


def models(server):
    return [body["model"] for body in server.bodies]


def test_only_what_is_invalid_is_asked_of_the_fallback(opened, only, note, server, state):
    only("large", "huge")
    answers = ask(opened(), note)
    assert [a.value["text"] for a in answers] == ["small", "small", "large", "small"]
    assert models(server).count("small") == 3 + 2
    assert models(server).count("large") == 1
    # The row points to the call that answered it; the other one stays what it was.
    found = {row["alias"]: row for row in state.calls_since(0) if row["key"] == answers[2].key}
    assert found["large"]["status"] == "ok"
    assert [r["status"] for r in state.calls_since(0) if r["alias"] == "small"].count(
        "invalid"
    ) == 1


def test_a_second_time_everything_comes_from_the_ledger(opened, only, note, server):
    only("large")
    first = ask(opened(), note)
    count = server.requests
    again = ask(opened(), note)
    assert server.requests == count
    assert [a.value for a in again] == [a.value for a in first]
    assert all(a.cached for a in again)
    assert not any(a.cached for a in first)


def test_fallbacks_may_have_fallbacks(opened, only, note, server):
    only("huge")
    answers = ask(opened(), note)
    assert answers[2].value == {"text": "huge"}
    assert [models(server).count(name) for name in ("small", "large", "huge")] == [5, 2, 1]


def test_what_none_can_answer_is_quarantined_with_the_last_reason(opened, only, note, server):
    only()
    answers = ask(opened(), note)
    assert [a.status for a in answers] == ["ok", "ok", "invalid", "ok"]
    assert "should be a valid string" in answers[2].error
    ask(opened(), note)
    assert server.requests == 3 + 3 * 2
    only("small")
    fixed = ask(opened(), note, retry_invalid=True)
    assert fixed[2].value == {"text": "small"}
    assert server.requests == 3 + 3 * 2 + 1


def test_a_call_that_is_refused_goes_to_the_fallback(opened, note, server):
    def faults(_number, body):
        if body["model"] == "small" and HARD in body["messages"][0]["content"]:
            return Fault(status=400, message="filtered", code="content_filter")
        return None

    server.faults = faults
    answers = ask(opened(), note)
    assert {a.status for a in answers} == {"ok"}
    assert models(server).count("large") == 1


def test_progress_and_money_are_of_both(opened, only, note, server):
    only("large")
    prices = {"small": {"price": {"input": 1, "output": 1}}}
    seen = []
    large = {"large": {"price": {"input": 100, "output": 100}}}
    ask(opened(**prices, **large), note, progress=seen.append)
    last = seen[-1]
    assert (last.done, last.total, last.invalid, last.asked) == (4, 4, 0, 5)
    assert [p.done for p in seen] == sorted(p.done for p in seen) or 3 in [p.done for p in seen]
    assert last.usage.cost > last.usage.tokens_in * 1e-6
    seen.clear()
    only("large")
    ask(opened(**prices), note, ["Question 2", "another"], progress=seen.append)
    assert (seen[-1].cached, seen[-1].asked) == (1, 1)


def test_what_is_unanswered_is_told_by_alias(opened, only, note):
    gateway = opened()
    calls = [Call(user(text), note.for_row({})) for text in TEXTS]
    before = gateway.unanswered("small", calls)
    assert (before.rows, {k: len(v) for k, v in before.calls.items()}) == (4, {"small": 4})
    only()
    ask(opened(large={"fallback": None}), note)
    after = gateway.unanswered("small", calls)
    assert (after.rows, after.count, list(after.calls)) == (1, 1, ["huge"])
    anew = gateway.unanswered("small", calls, retry_invalid=True)
    assert (anew.rows, list(anew.calls)) == (1, ["small"])


def test_a_stop_between_the_two_leaves_the_row_open(opened, only, note, server):
    only("large")
    stop = threading.Event()
    answer = server.answers

    def answers(body):
        if server.requests == 5:
            stop.set()
        return answer(body)

    server.answers, server.latency = answers, 0.15
    answered = ask(opened(small={"concurrency": 1}), note, stop=stop)
    assert answered[2] is None
    assert "large" not in models(server)
    ask(opened(), note)
    assert models(server).count("large") == 1


def test_a_fallback_that_is_down_is_an_error_and_keeps_the_rest(opened, only, note, server, state):
    only()
    gateway = opened(large={"base_url": "http://127.0.0.1:9/v1", "max_retries": 0})
    with pytest.raises(LLMError, match="llm 'large' at"):
        ask(gateway, note)
    assert len(state.calls_since(0)) == 4


def test_a_budget_covers_both(opened, only, note, server):
    only("large")
    gateway = opened(small={"max_tokens": 20}, large={"max_tokens": 1000})
    gateway.budget = Budget(Pot("b", money=1.0))
    with pytest.raises(LLMError, match="llm 'small' has no price"):
        ask(gateway, note)
    gateway.budget = Budget(Pot("b", tokens=700))
    with pytest.raises(BudgetError):
        ask(gateway, note)
    assert set(models(server)) == {"small"}
