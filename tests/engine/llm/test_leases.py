"""Several processes that ask from one ledger: each call is asked by one of them.

A state of its own, with its own writer, is what another process is to the ledger.
"""

from __future__ import annotations

import asyncio
import threading
import time
from pathlib import Path

import pytest

from lupom.engine.errors import BudgetError, LLMError
from lupom.engine.llm import embeddings
from lupom.engine.llm.adaptive_rate_limiter import AdaptiveRateLimiter, Halted
from lupom.engine.llm.budget import Budget, SharedPot
from lupom.engine.llm.gateway import Call
from lupom.engine.project.providers import embedding_settings
from lupom.engine.state import Location, State, location_of
from tests.support.gateways import make_gateway, user
from tests.support.llm_server import Fault

TEXTS = [f"Question {i:03d} with some words to it" for i in range(40)]


@pytest.fixture(params=["sqlite", "postgresql"])
def where(request, tmp_path: Path) -> Path | Location:
    if request.param == "sqlite":
        return tmp_path / "shared.db"
    return location_of(request.getfixturevalue("postgres").database(), tmp_path)


@pytest.fixture
def join(where, server):
    """Return a function that makes a gateway of another process, so to speak."""
    opened = []

    def join(folder=None, **settings):
        state = State(where, folder=folder)
        opened.append((state, make_gateway(server.base_url, state, **settings)))
        return opened[-1]

    yield join
    for state, gateway in opened:
        gateway.close()
        state.close()


def ask(gateway, spec, texts=TEXTS, **options):
    calls = [Call(user(text), spec.for_row({})) for text in texts]
    return gateway.ask("default", calls, node="notes", run_id="r", **options)


def at_once(*works):
    """Run functions in threads; return what they returned or raised."""
    out: list = [None] * len(works)

    def run(i, work):
        try:
            out[i] = work()
        except Exception as error:
            out[i] = error

    threads = [threading.Thread(target=run, args=pair) for pair in enumerate(works)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return out


def expire(state: State) -> None:
    """Let a process be dead as far as the others can tell."""
    owner = state.owner
    statement = state.dialect.driver("update members set until = 0 where owner = :owner")
    state.write(lambda connection: connection.exec_driver_sql(statement, {"owner": owner}))


def test_runs_at_once_share_their_calls_and_have_the_same_answers(join, note, server):
    server.latency = 0.005
    gateways = [join(concurrency=4)[1] for _ in range(3)]
    found = at_once(*(lambda g=g: ask(g, note) for g in gateways))
    assert server.requests == len(TEXTS)
    values = [[answer.value for answer in answers] for answers in found]
    assert values[0] == values[1] == values[2]
    assert sum(not a.cached for answers in found for a in answers) == len(TEXTS)


def test_what_another_has_in_flight_is_waited_for(join, note, server):
    (state, gateway), (_, other) = join(), join(concurrency=4)
    keys = [gateway.key("default", Call(user(t), note.for_row({}))) for t in TEXTS[:2]]
    taken = asyncio.run(state.members.take(keys, {}))
    assert taken.held == set(keys)
    seen = []

    def progress(now):
        # All others are done while these two are waited for, and only then they are given back.
        seen.append(now.done)
        if now.done == 8 and seen.count(8) == 2:
            assert server.requests == 8
            asyncio.run(state.members.release(keys))

    answers = ask(other, note, TEXTS[:10], progress=progress)
    assert [answer.status for answer in answers] == ["ok"] * 10
    assert server.requests == 10


def test_what_a_dead_one_had_in_flight_is_asked_by_another(join, note, server):
    (state, gateway), (_, other) = join(), join()
    keys = [gateway.key("default", Call(user(t), note.for_row({}))) for t in TEXTS[:3]]
    asyncio.run(state.members.take(keys, {}))
    expire(state)
    assert len(ask(other, note, TEXTS[:3])) == 3
    assert server.requests == 3


def test_attempts_of_another_are_gone_on_with(join, note, server):
    """The first one gives up after an invalid answer; the next one corrects that."""
    replies = iter([{"text": ["no", "text"]}, Fault(status=401)])
    server.answers = lambda _body: next(replies, None)
    (_, first), (_, second) = join(), join()
    with pytest.raises(LLMError):
        ask(first, note, TEXTS[:1])
    (answer,) = ask(second, note, TEXTS[:1])
    assert answer.status == "ok"
    assert len(server.bodies[-1]["messages"]) == 3


def test_what_is_stopped_is_free_for_others(join, note, server):
    stop = threading.Event()
    (state, first), (_, second) = join(concurrency=2), join()
    server.answers = lambda _body: stop.set()
    assert None in ask(first, note, stop=stop)
    assert (
        state.members.still_busy(
            [first.key("default", Call(user(t), note.for_row({}))) for t in TEXTS]
        )
        == set()
    )
    server.answers = None
    assert all(answer.status == "ok" for answer in ask(second, note))
    assert server.requests == len(TEXTS)


def test_an_invalid_answer_is_asked_again_once_by_all_who_want_to(join, note, server):
    server.answers = lambda _body: {"text": ["no", "text"]}
    (_, first), (_, second) = join(attempts=1), join(attempts=1)
    ask(first, note, TEXTS[:4])
    server.answers, server.latency = None, 0.005
    at_once(*(lambda g=g: ask(g, note, TEXTS[:4], retry_invalid=True) for g in (first, second)))
    assert 8 <= server.requests <= 12
    assert all(answer.status == "ok" for answer in ask(second, note, TEXTS[:4]))


# Limits a minute that all of them share


def test_requests_a_minute_are_those_of_all_together(where, note, server, tmp_path):
    """40 a second: the twenty requests of two processes take 19 intervals, but for what is lost."""
    times = []
    server.answers = lambda _body: times.append(time.monotonic())
    states = [State(where, folder=tmp_path / name / ".lupom") for name in ("one", "two")]
    gateways = [make_gateway(server.base_url, s, requests_per_minute=2400) for s in states]
    texts = [TEXTS[:10], TEXTS[10:20]]
    begun = time.monotonic()
    at_once(*(lambda g=g, t=t: ask(g, note, t) for g, t in zip(gateways, texts, strict=True)))
    for gateway, state in zip(gateways, states, strict=True):
        gateway.close()
        state.close()
    assert len(times) == 20
    # Late wake-ups are made up for within .05 s.
    assert max(times) - begun >= 19 * 0.025 - 0.05


def test_tokens_a_minute_that_were_not_taken_are_given_back(where, note, server, tmp_path):
    """400 tokens a second. Each request may take some 80, takes 17, and returns the others."""
    times = []
    server.answers = lambda _body: times.append(time.monotonic())
    with State(where, folder=tmp_path / ".lupom") as state:
        begun = time.monotonic()
        gateway = make_gateway(
            server.base_url, state, tokens_per_minute=24_000, max_tokens=40, concurrency=1
        )
        ask(gateway, note, TEXTS[:6])
        gateway.close()
        taken = [row["tokens_in"] + row["tokens_out"] for row in state.calls_since(0)]
    assert times[-1] - begun >= sum(taken[:-1]) / 400 - 0.05


# A budget that all of them spend from


def pot(state: State, tokens: int) -> Budget:
    shared = SharedPot(state, "project", "the project's budget", None, tokens)
    return Budget(shared=[shared])


def test_a_team_s_budget_is_never_passed_and_little_is_left(join, note, server):
    server.latency = 0.002
    members = [join(concurrency=4, max_tokens=20) for _ in range(3)]
    for state, gateway in members:
        gateway.budget = pot(state, 900)
    # Each has its own calls, so that only the budget is shared: twice what the budget pays for,
    # so that also who asks before the others have begun comes to its end.
    texts = [[f"{i}{part} {text}" for part in "ab" for text in TEXTS] for i in range(3)]
    found = at_once(
        *(lambda g=g, t=t: ask(g, note, t) for (_, g), t in zip(members, texts, strict=True))
    )
    assert [type(error) for error in found] == [BudgetError] * 3
    assert "the project's budget of 900 tokens is reached: " in found[0].message
    tokens, _ = members[0][0].ledger.spent()
    # What one request may take: a third of its bytes, 16 tokens around it, 20 tokens of answer.
    assert 900 - 130 < tokens <= 900


def test_what_a_dead_one_had_reserved_is_free(join, note, server):
    (dead, _), (state, gateway) = join(), join(max_tokens=20)
    asyncio.run(dead.members.grant("project", (1000, None), (0, 0.0), (950, 0.0), 0))
    gateway.budget = pot(state, 1000)
    found: list = []
    waiting = threading.Thread(target=lambda: found.append(ask(gateway, note, TEXTS[:2])))
    waiting.start()
    assert server.requests == 0
    expire(dead)
    waiting.join(60)
    assert [answer.status for answer in found[0]] == ["ok", "ok"]


def test_what_is_reserved_and_not_needed_is_given_back(join, note):
    (one, first), (two, second) = join(max_tokens=20), join(max_tokens=20)
    first.budget, second.budget = pot(one, 400), pot(two, 400)
    ask(first, note, TEXTS[:1])
    # Two of the four requests that fit are left, and the first process holds on to none of them.
    ask(second, note, TEXTS[1:3])
    with pytest.raises(BudgetError):
        ask(second, note, TEXTS[3:])


def test_those_who_want_the_same_calls_and_the_same_money_come_to_an_end(join, note, server):
    """Each waits for calls that the other has leased, which waits for what the first reserved."""
    server.latency = 0.002
    members = [join(concurrency=4, max_tokens=20) for _ in range(2)]
    for state, gateway in members:
        gateway.budget = pot(state, 400)
    found = at_once(*(lambda g=g: ask(g, note) for _, g in members))
    assert all(isinstance(error, BudgetError) for error in found)
    tokens, _ = members[0][0].ledger.spent()
    assert 400 - 130 < tokens <= 400
    assert server.requests == len(members[0][0].calls_since(0))


def test_texts_that_two_processes_embed_at_once_are_paid_for_once(join, server):
    endpoint = embedding_settings(
        provider="openai", base_url=server.base_url, model="embed", dimensions=16
    )
    texts = [f"text {i}" for i in range(600)]
    (_, one), (_, other) = join(), join()
    server.latency = 0.02
    found = at_once(
        lambda: one.embed(endpoint, texts),
        lambda: other.embed(endpoint, [*texts, "one more"]),
        # Another thread of the same process.
        lambda: other.embed(endpoint, texts[::-1]),
    )
    assert server.embedded == 601
    assert (found[0] == found[1][:600]).all()
    assert (found[0] == found[2][::-1]).all()


def test_what_is_given_up_in_the_middle_is_embedded_by_another(join, server):
    endpoint = embedding_settings(
        provider="openai", base_url=server.base_url, model="embed", dimensions=16
    )
    (_, one), (_, other) = join(), join()
    server.faults = lambda number, _body: Fault(status=404) if number == 1 else None
    with pytest.raises(LLMError, match="404"):
        one.embed(endpoint, ["text"])
    assert other.embed(endpoint, ["text"]).shape == (1, 16)


def test_a_stop_ends_the_wait_for_what_another_embeds(join, server, monkeypatch):
    """Ctrl-C once: another process may have the text in flight for minutes."""
    endpoint = embedding_settings(
        provider="openai", base_url=server.base_url, model="embed", dimensions=16
    )
    (state, _), (other, gateway) = join(), join()
    taken = asyncio.run(state.members.take(embeddings.keys(endpoint, ["text"]), {}))
    stop, look = threading.Event(), other.members.still_busy

    def looks(waiting):
        stop.set()
        return look(waiting)

    monkeypatch.setattr(other.members, "still_busy", looks)
    with pytest.raises(Halted):
        gateway.embed(endpoint, ["text"], stop=stop)
    assert server.embedded == 0
    asyncio.run(state.members.release(taken.held))
    assert gateway.embed(endpoint, ["text"]).shape == (1, 16)


def test_a_pause_that_a_provider_asks_of_one_process_is_kept_by_all(
    join, note, server, tmp_path, monkeypatch
):
    (_, first), (state, other) = join(tmp_path / "a", max_retries=0), join(tmp_path / "b")
    endpoint = first._client("default").endpoint
    server.faults = lambda number, _body: Fault(status=429, retry_after=60.0)
    with pytest.raises(LLMError, match="429"):
        ask(first, note, TEXTS[:1])
    while not asyncio.run(state.members.take(["other"], {}, endpoint)).paused:
        pass
    server.faults, before = None, server.requests
    stop, heard = threading.Event(), []
    hear = AdaptiveRateLimiter.heard

    def hears(limiter, seconds):
        hear(limiter, seconds)
        heard.append(seconds)
        stop.set()

    monkeypatch.setattr(AdaptiveRateLimiter, "heard", hears)
    ask(other, note, TEXTS[1:2], stop=stop)
    assert 0 < heard[0] <= 60
    assert server.requests == before
