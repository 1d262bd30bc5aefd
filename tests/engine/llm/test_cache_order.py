"""Of calls that begin alike one goes first, so that the others read what it put into the cache."""

from __future__ import annotations

import pytest

from lupom.engine.llm.gateway import Call, Gateway
from lupom.engine.project.providers import llm_settings
from tests.support.anthropic_server import AnthropicServer
from tests.support.bedrock import aws, points
from tests.support.bedrock import server as bedrock
from tests.support.gateways import user

__all__ = ["aws", "bedrock"]

SONNET = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
TASK = "What is the same for all.\n" * 200
PEOPLE = {f"Person {i:02d}": f"Person {i:02d} said this.\n" * 250 for i in range(6)}
# Chosen so that the order of texts is not the order of asking.
TEXTS = [TASK + PEOPLE[name] + f"Question {i}?" for i in range(5) for name in sorted(PEOPLE)]


def tokens(text):
    return len(text) // 4


ONCE = tokens(TASK + PEOPLE["Person 00"]) + 5 * tokens(PEOPLE["Person 00"])


def assert_firsts_go_first(prompts):
    """The very first goes alone, to learn how the model wants to be asked; then six are sent at
    once, which may arrive in any order: the others' firsts, and the second of its own person."""
    people = [prompt[len(TASK) : len(TASK) + 9] for prompt in prompts]
    assert people[0] == "Person 00"
    assert sorted(people[:7]) == sorted([*PEOPLE, "Person 00"])


@pytest.fixture
def ask(state, note):
    """Return a function that asks texts, in a gateway of its own."""
    gateways = []

    def ask(texts=TEXTS, **settings):
        gateway = Gateway(state, {"default": llm_settings(**settings)}, backoff=0.001)
        gateways.append(gateway)
        calls = [Call(user(text), note.for_row({})) for text in texts]
        answers = gateway.ask("default", calls, node="notes", run_id="r")
        assert {answer.status for answer in answers} == {"ok"}
        return answers

    yield ask
    for gateway in gateways:
        gateway.close()


def test_what_all_share_and_what_a_person_s_calls_share_is_written_once(ask, bedrock, state):
    bedrock.cached_from = 1024
    bedrock.latency = 0.02
    ask(provider="bedrock", model=SONNET, timeout=5, concurrency=8)
    assert all(len(points(body)) == 2 for body in bedrock.bodies)
    rows = state.calls_since(0)
    written = sum(row["tokens_written"] for row in rows)
    # The task is written by the first request of all, and by firsts sent before it was answered.
    assert written <= ONCE + 8 * tokens(TASK)
    assert written >= ONCE - len(TEXTS)
    readers = [row for row in rows if row["tokens_cached"] >= tokens(TASK + PEOPLE["Person 00"])]
    assert len(readers) == len(TEXTS) - len(PEOPLE)
    assert bedrock.max_in_flight <= 8


def test_firsts_of_many_people_are_asked_at_once(ask, bedrock):
    bedrock.latency = 0.4
    ask(TEXTS[:12], provider="bedrock", model=SONNET, timeout=5, concurrency=6)
    assert_firsts_go_first(
        "".join(block.get("text", "") for block in body["messages"][0]["content"])
        for body in bedrock.bodies
    )


def test_the_messages_interface_has_the_same_points(ask, state, monkeypatch):
    monkeypatch.delenv("ANTHROPIC_API_KEY", raising=False)
    with AnthropicServer() as server:
        server.cached_from = 1024
        ask(provider="anthropic", model="claude-sonnet-4-5", base_url=server.url, concurrency=8)
        marked = [
            sum("cache_control" in block for block in body["messages"][0]["content"])
            for body in server.bodies
        ]
    assert marked == [2] * len(TEXTS)
    rows = state.calls_since(0)
    assert sum(row["tokens_cached"] > tokens(PEOPLE["Person 00"]) for row in rows) >= 24


def test_where_caches_need_no_points_nobody_waits_but_firsts_go_first(ask, server):
    server.latency = 0.4
    ask(TEXTS[:12], provider="openai", base_url=server.base_url, model="test-model", concurrency=6)
    assert_firsts_go_first(server.prompts)
    server.reset()
    one = [text for text in TEXTS if "Person 00 " in text]
    server.latency = 2.0
    one = [text + "!" for text in one]
    ask(one, provider="openai", base_url=server.base_url, model="test-model", concurrency=6)
    assert server.max_in_flight == len(one)


def test_a_prompt_s_draws_are_read_from_the_cache_whole(bedrock, state, note):
    bedrock.cached_from = 1024
    settings = llm_settings(provider="bedrock", model=SONNET, timeout=5, temperature=1)
    with Gateway(state, {"default": settings}, backoff=0.001) as gateway:
        calls = [Call(user(TASK), note.for_row({}), draw) for draw in range(5)]
        gateway.ask("default", calls, node="notes", run_id="r")
    rows = state.calls_since(0)
    assert [row["tokens_cached"] for row in rows] == [0] + [tokens(TASK)] * 4
