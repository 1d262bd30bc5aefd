"""Rate limits an alias sets itself: lower bounds of the time between requests."""

from __future__ import annotations

import threading
import time

import pytest

from lupom.engine.llm.gateway import Call
from tests.support.gateways import make_gateway, user

TEXTS = [f"Question {i:02d}" for i in range(8)]


@pytest.fixture
def times(server):
    """When requests came."""
    seen = []
    server.answers = lambda _body: seen.append(time.monotonic())
    return seen


def test_requests_a_minute_are_spread_out(ask, note, times):
    # 20 a second, wherever they are in flight; a late one is made up for within 0.05 s.
    begun = time.monotonic()
    ask(note, TEXTS, concurrency=8, requests_per_minute=1200)
    assert times[-1] - begun >= 7 * 0.05 - 0.05


def test_two_nodes_share_the_limits_of_an_alias(server, state, note, times):
    gateway = make_gateway(server.base_url, state, requests_per_minute=1200)
    calls = [Call(user(text), note.for_row({})) for text in TEXTS]
    threads = [
        threading.Thread(
            target=lambda part=part: gateway.ask("default", part, node="n", run_id="r")
        )
        for part in (calls[:4], calls[4:])
    ]
    begun = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    gateway.close()
    assert len(times) == 8
    assert max(times) - begun >= 7 * 0.05 - 0.05


def test_tokens_a_minute_count_as_they_were_taken(ask, note, times, state):
    # 400 tokens a second. Each request may take 19 + 16 + 40; what it did not take is given back.
    begun = time.monotonic()
    ask(note, TEXTS, concurrency=1, tokens_per_minute=24_000, max_tokens=40)
    taken = [row["tokens_in"] + row["tokens_out"] for row in state.calls_since(0)]
    assert times[-1] - begun >= sum(taken[:-1]) / 400 - 0.05


def test_corrective_attempts_count(ask, note, server):
    times = []

    def answers(_body):
        times.append(time.monotonic())
        return {"text": ["no", "text"]}

    server.answers = answers
    begun = time.monotonic()
    ask(note, TEXTS[:2], concurrency=2, attempts=3, requests_per_minute=1200)
    assert len(times) == 6
    assert times[-1] - begun >= 5 * 0.05 - 0.05


def test_an_ask_that_is_stopped_does_not_wait_its_turn(ask, note, server):
    stop = threading.Event()
    server.answers = lambda _body: stop.set()
    answers = ask(note, TEXTS, concurrency=2, requests_per_minute=1, options={"stop": stop})
    assert sum(answer is not None for answer in answers) == 1
    assert server.requests == 1


def test_a_limit_is_not_part_of_a_key(ask, note, server):
    ask(note, TEXTS[:1])
    ask(note, TEXTS[:1], requests_per_minute=600, tokens_per_minute=100_000)
    assert server.requests == 1
