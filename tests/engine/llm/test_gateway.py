"""Nothing is paid for twice, nothing is lost: each claim is a count of requests."""

from __future__ import annotations

import json
import threading

import pytest

from lupom.engine.errors import LLMError
from lupom.engine.llm.gateway import Call
from lupom.engine.state import State
from tests.support.gateways import make_gateway, user

TEXTS = [f"Question {i}" for i in range(12)]


def test_each_call_is_asked_once_and_then_comes_from_the_ledger(ask, note, server):
    first = ask(note, TEXTS)
    again = ask(note, TEXTS)
    assert server.requests == len(TEXTS)
    assert [a.value for a in again] == [a.value for a in first]
    assert not any(a.cached for a in first)
    assert all(a.cached for a in again)
    assert {a.status for a in first} == {"ok"}


def test_answers_come_in_the_order_of_the_calls(ask, note, server):
    server.answers = lambda body: {"text": body["messages"][-1]["content"]}
    texts = ["c", "a", "b"]
    assert [a.value["text"] for a in ask(note, texts)] == texts


def test_calls_are_sent_in_the_order_of_their_text(ask, note, server):
    ask(note, ["shared b", "other", "shared a"], concurrency=1)
    assert server.prompts == ["other", "shared a", "shared b"]


def test_one_new_row_is_one_request(ask, note, server):
    ask(note, TEXTS)
    answers = ask(note, [*TEXTS, "a new one"])
    assert server.requests == len(TEXTS) + 1
    assert [a.cached for a in answers] == [True] * len(TEXTS) + [False]


def test_equal_calls_are_asked_once_and_only_one_of_them_costs(ask, note, server):
    answers = ask(note, ["same"] * 5, price={"input": 1, "output": 1})
    assert server.requests == 1
    assert [a.cached for a in answers] == [False, True, True, True, True]
    assert len({a.value["text"] for a in answers}) == 1


def test_two_threads_that_want_the_same_calls_ask_each_once(server, state, note):
    server.latency = 0.05
    gateway = make_gateway(server.base_url, state)
    calls = [Call(user(text), note.for_row({})) for text in TEXTS]
    results = []
    threads = [
        threading.Thread(
            target=lambda: results.append(gateway.ask("default", calls, node="n", run_id="r"))
        )
        for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    gateway.close()
    assert server.requests == len(TEXTS)
    assert [a.value for a in results[0]] == [a.value for a in results[1]]
    fresh = [a for answers in results for a in answers if not a.cached]
    assert len(fresh) == len(TEXTS)


def test_no_more_requests_are_in_flight_than_the_alias_has_places(server, state, note):
    server.latency = 0.02
    gateway = make_gateway(server.base_url, state, concurrency=3)
    calls = [Call(user(text), note.for_row({})) for text in TEXTS]
    halves = [calls[:6], calls[6:]]
    threads = [
        threading.Thread(
            target=lambda half=half: gateway.ask("default", half, node="n", run_id="r")
        )
        for half in halves
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    gateway.close()
    assert server.max_in_flight == 3


def test_the_alias_s_places_are_the_only_limit(server, state, note):
    # None comes back before all are out; were there more places, others would be out meanwhile.
    server.gathers, server.latency = 150, 0.5
    gateway = make_gateway(server.base_url, state, concurrency=150)
    calls = [Call(user(f"Question {i}"), note.for_row({})) for i in range(200)]
    gateway.ask("default", calls, node="n", run_id="r")
    gateway.close()
    assert server.max_in_flight == 150


def test_an_answer_is_durable_before_its_place_is_given_up(server, tmp_path, note):
    with State(tmp_path / "state.db") as state:
        commit, seen = state.record, []

        async def watched(row):
            before = server.requests
            await commit(row)
            with State(tmp_path / "state.db") as other:
                found = other.statuses([row["key"]])
            seen.append((before, server.requests, found[row["key"]]))

        state.record = watched
        gateway = make_gateway(server.base_url, state, concurrency=1)
        calls = [Call(user(text), note.for_row({})) for text in TEXTS[:4]]
        gateway.ask("default", calls, node="n", run_id="r")
        gateway.close()
    assert seen == [(1, 1, "ok"), (2, 2, "ok"), (3, 3, "ok"), (4, 4, "ok")]


def test_draws_of_one_question_are_calls_of_their_own(ask, note, server):
    ask(note, ["Question"], temperature=1.0, draw=0)
    ask(note, ["Question"], temperature=1.0, draw=1)
    ask(note, ["Question"], temperature=1.0, draw=1)
    assert [body["seed"] for body in server.bodies] == [0, 1]


@pytest.mark.parametrize(
    "changed",
    [{"model": "other"}, {"temperature": 0.5}, {"max_tokens": 64}, {"extra": {"top_p": 0.5}}],
)
def test_what_decides_an_answer_is_in_its_key(ask, note, server, changed):
    ask(note, ["Question"])
    ask(note, ["Question"], **changed)
    assert server.requests == 2


def test_what_does_not_decide_an_answer_is_not_in_its_key(ask, note, server, monkeypatch):
    monkeypatch.setenv("SOME_KEY", "secret-value")
    ask(note, ["Question"])
    ask(
        note,
        ["Question"],
        concurrency=2,
        timeout=5,
        max_retries=1,
        attempts=1,
        logprobs=False,
        price={"input": 1, "output": 2},
        api_key_env="SOME_KEY",
        headers={"x-team": "survey"},
    )
    assert server.requests == 1


def test_a_prompt_edited_back_asks_nothing(ask, note, server):
    ask(note, ["before"])
    ask(note, ["after"])
    ask(note, ["before"])
    assert server.requests == 2


def test_lookup_and_key_need_no_network(state, note):
    gateway = make_gateway("http://127.0.0.1:9/v1", state)
    call = Call(user("Question"), note.for_row({}))
    assert gateway.key("default", call) == gateway.key("default", call)
    assert gateway.lookup([gateway.key("default", call)]) == {}
    assert gateway.identity("default") == {
        "provider": "openai",
        "base_url": "http://127.0.0.1:9/v1",
        "model": "test-model",
        "parameters": {"temperature": 0.0, "max_tokens": 2048, "logprobs": True},
    }


def test_an_alias_that_is_not_there_is_told_from_one_that_is(state):
    gateway = make_gateway("http://127.0.0.1:9/v1", state)
    with pytest.raises(LLMError, match="did you mean 'default'"):
        gateway.ask("defualt", [], node="n", run_id="r")


def test_progress_counts_rows_tokens_and_money(ask, note):
    ask(note, TEXTS[:4])
    seen = []
    ask(note, TEXTS, price={"input": 2.0, "output": 8.0}, options={"progress": seen.append})
    last = seen[-1]
    assert (last.done, last.total, last.cached, last.invalid) == (12, 12, 4, 0)
    assert last.usage.cost == pytest.approx(
        (last.usage.tokens_in * 2 + last.usage.tokens_out * 8) / 1e6
    )
    assert last.usage.tokens_in > 0


def test_without_a_price_the_cost_is_unknown(ask, note):
    seen = []
    (answer,) = ask(note, ["Question"], options={"progress": seen.append})
    assert answer.cost is None
    assert seen[-1].usage.cost is None
    assert answer.tokens_in > 0


def test_stop_leaves_the_rest_unasked_and_keeps_what_came_back(ask, note, server, state):
    stop = threading.Event()

    def answers(_body):
        if server.requests == 3:
            stop.set()
        return None

    server.answers, server.latency = answers, 0.15
    answered = ask(note, TEXTS, concurrency=1, options={"stop": stop})
    got = [a for a in answered if a is not None]
    assert len(got) in (3, 4)
    assert server.requests == len(got)
    assert set(state.statuses(a.key for a in got).values()) == {"ok"}


def test_a_failing_progress_callback_loses_nothing(ask, note, server, state):
    server.latency = 0.15

    def progress(_now):
        raise RuntimeError("no terminal")

    with pytest.raises(RuntimeError, match="no terminal"):
        ask(note, TEXTS, concurrency=2, options={"progress": progress})
    assert len(state.calls_since(0)) == server.requests


def test_the_ledger_row_says_what_was_asked_and_what_it_took(ask, note, state):
    (answer,) = ask(note, ["Question"], price={"input": 1.0, "output": 1.0}, draw=2)
    (row,) = state.calls_since(0)
    assert row["key"] == answer.key
    assert row["node"] == "notes"
    assert row["run_id"] == "run-1"
    assert (row["provider"], row["model"], row["alias"]) == ("openai", "test-model", "default")
    assert row["draw"] == 2
    assert json.loads(row["parameters"]) == {"max_tokens": 2048, "temperature": 0.0}
    assert json.loads(row["answer"]) == answer.value
    assert row["cost"] == answer.cost > 0
    assert row["latency"] > 0
    assert row["attempts"] == 1


def test_check_says_whether_the_model_is_listed(server, state):
    gateway = make_gateway(server.base_url, state)
    assert "it lists the model" in gateway.check("default")
    server.models = ["another"]
    assert "does not list" in gateway.check("default")
    gateway.close()


def test_check_of_a_dead_address_names_alias_and_address(state):
    gateway = make_gateway("http://127.0.0.1:9/v1", state)
    with pytest.raises(LLMError, match=r"'default' at http://127\.0\.0\.1:9/v1"):
        gateway.check("default")
    gateway.close()
