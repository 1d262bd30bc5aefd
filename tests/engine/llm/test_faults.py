"""Transport: what is retried, what is not, how long it takes, and what is left of it."""

from __future__ import annotations

import socket
import threading
import time

import pytest

from lupom.engine.errors import LLMError
from lupom.engine.llm.gateway import Call
from tests.support.gateways import make_gateway, user
from tests.support.llm_server import Fault, fail_always, fail_every, fail_first

TEXTS = [f"Question {i:03d}" for i in range(20)]
SECRET = "sk-very-secret-0123456789"


@pytest.fixture
def dead_url() -> str:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{free.getsockname()[1]}/v1"


@pytest.mark.parametrize(
    "fault",
    [
        Fault(status=500),
        Fault(status=503, retry_after=0.01),
        Fault(status=408),
        Fault("bad_json"),
        Fault("wrong_shape"),
        Fault("truncated"),
        Fault("reset"),
    ],
    ids=lambda fault: fault.kind if fault.kind != "status" else str(fault.status),
)
def test_a_passing_failure_is_asked_again(ask, note, server, fault):
    server.faults = fail_every(3, fault)
    answers = ask(note, TEXTS, concurrency=4)
    assert {a.status for a in answers} == {"ok"}
    assert server.answered == len(TEXTS)
    assert server.requests > server.answered


def test_a_request_that_is_never_answered_is_given_up_and_sent_again(ask, note, server):
    server.faults = fail_first(1, Fault("hang"))
    (answer,) = ask(note, ["Question"], timeout=0.3)
    assert answer.status == "ok"
    assert server.requests == 2


def test_a_storm_of_429_finishes_with_few_requests_too_many(ask, note, server):
    server.rate_limit, server.retry_after = 200, 0.2
    texts = [f"Question {i:04d}" for i in range(600)]
    answers = ask(note, texts, concurrency=100, max_retries=3)
    assert {a.status for a in answers} == {"ok"}
    assert server.answered == len(texts)
    assert server.requests <= 1.3 * len(texts)


def test_a_429_pauses_the_whole_alias(ask, note, server):
    server.faults = fail_first(1, Fault(status=429, retry_after=0.3))
    times = []
    server.answers = lambda _body: times.append(time.monotonic())
    begun = time.monotonic()
    ask(note, TEXTS[:4], concurrency=1)
    assert server.requests == 5
    assert times[0] - begun >= 0.3


def test_a_429_for_ever_ends(ask, note, server):
    server.faults = fail_always(Fault(status=429, message="slow down", retry_after=0.001))
    with pytest.raises(LLMError, match="429: slow down"):
        ask(note, TEXTS, concurrency=2, max_retries=1)
    assert server.requests <= 4


def test_a_wait_of_a_day_is_not_waited(ask, note, server):
    server.faults = fail_always(Fault(status=429, message="daily quota", retry_after=86_400))
    with pytest.raises(LLMError, match="1440 minutes"):
        ask(note, TEXTS, concurrency=1)
    assert server.requests == 1


def test_an_empty_account_is_not_asked_again(ask, note, server):
    server.faults = fail_always(Fault(status=429, code="insufficient_quota"))
    with pytest.raises(LLMError, match="no credit"):
        ask(note, TEXTS, concurrency=1)
    assert server.requests == 1


def test_an_endpoint_that_dies_ends_the_asking_and_keeps_what_came_back(ask, note, server, state):
    server.faults = lambda number, _body: Fault(status=500) if number > 8 else None
    with pytest.raises(LLMError) as caught:
        ask(note, TEXTS, concurrency=4, max_retries=2)
    text = str(caught.value)
    assert "llm 'default'" in text
    assert server.base_url in text
    assert "status 500: injected" in text
    assert "8 of 20 answers are in the ledger" in text
    # Four places, three tries each: the other rows are not tried one by one.
    assert server.requests <= 8 + 4 * 3
    server.faults = None
    server.reset()
    answers = ask(note, TEXTS)
    assert server.requests == 12
    assert sum(a.cached for a in answers) == 8


def test_an_address_where_nobody_listens_is_one_error(state, note, dead_url):
    gateway = make_gateway(dead_url, state, max_retries=2)
    calls = [Call(user(text), note.for_row({})) for text in TEXTS]
    with pytest.raises(LLMError, match=r"0 of 20 answers"):
        gateway.ask("default", calls, node="n", run_id="r")
    gateway.close()


@pytest.mark.parametrize(
    ("fault", "hint"),
    [
        (Fault(status=401, message="no"), "under api_key_env"),
        (Fault(status=403, message="no"), "under api_key_env"),
        (Fault(status=404, message="no"), "is the model 'test-model' there"),
        (Fault(status=400, message="unknown parameter 'foo'"), "unknown parameter 'foo'"),
    ],
    ids=lambda value: getattr(value, "status", None),
)
def test_what_cannot_get_better_fails_at_once(ask, note, server, fault, hint):
    server.faults = fail_always(fault)
    with pytest.raises(LLMError, match=hint):
        ask(note, TEXTS, concurrency=1)
    assert server.requests == 1


def test_in_flight_requests_are_recorded_when_another_fails(ask, note, server, state):
    server.latency = 0.1
    server.faults = lambda number, _body: Fault(status=404) if number == 1 else None
    with pytest.raises(LLMError):
        ask(note, TEXTS, concurrency=4)
    assert server.requests == 4
    assert len(state.calls_since(0)) == 3


def test_a_row_that_is_too_long_is_quarantined_and_the_rest_goes_on(ask, note, server):
    def faults(_number, body):
        long = len(body["messages"][0]["content"]) > 1000
        message = "This model's maximum context length is 1000 tokens"
        return Fault(status=400, message=message, code="context_length_exceeded") if long else None

    server.faults = faults
    answers = ask(note, ["short", "long " * 1000])
    assert [a.status for a in answers] == ["ok", "invalid"]
    assert "maximum context length" in answers[1].error
    ask(note, ["short", "long " * 1000])
    assert server.requests == 2


def test_two_asks_of_a_dead_alias_both_end(state, note, dead_url):
    gateway = make_gateway(dead_url, state, max_retries=1)
    calls = [Call(user(text), note.for_row({})) for text in TEXTS]
    errors = []

    def work():
        try:
            gateway.ask("default", calls, node="n", run_id="r")
        except LLMError as error:
            errors.append(error)

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    gateway.close()
    assert len(errors) == 2


# Keys


def test_the_key_comes_from_the_variable_the_alias_names(ask, note, server, monkeypatch):
    monkeypatch.setenv("SURVEY_KEY", SECRET)
    server.api_key = SECRET
    assert ask(note, ["Question"], api_key_env="SURVEY_KEY")[0].status == "ok"


def test_an_address_of_ones_own_needs_no_key_and_is_not_given_another_s(
    ask, note, server, monkeypatch
):
    monkeypatch.setenv("OPENAI_API_KEY", SECRET)
    ask(note, ["Question"])
    assert SECRET not in str(server.headers)


def test_without_a_key_openai_itself_is_not_asked(state, note, monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    gateway = make_gateway(None, state)
    with pytest.raises(LLMError, match="OPENAI_API_KEY"):
        gateway.ask("default", [Call(user("q"), note.for_row({}))], node="n", run_id="r")
    gateway.close()


def test_a_variable_that_is_not_set_is_named(ask, note, server, monkeypatch):
    monkeypatch.delenv("SURVEY_KEY", raising=False)
    server.api_key = SECRET
    with pytest.raises(LLMError, match="SURVEY_KEY is not set"):
        ask(note, ["Question"], api_key_env="SURVEY_KEY")


def test_no_secret_is_in_an_error_or_in_the_database(ask, note, server, state, monkeypatch, caplog):
    caplog.set_level("DEBUG")
    monkeypatch.setenv("SURVEY_KEY", SECRET)
    settings = {"api_key_env": "SURVEY_KEY", "headers": {"x-token": "token-9876543210"}}
    ask(note, ["Question"], **settings)
    # A server that says back what it was sent.
    server.faults = lambda _n, _b: Fault(
        status=401, message=f"bad: Bearer {SECRET} and {server.headers[-1]['x-token']}"
    )
    with pytest.raises(LLMError) as caught:
        ask(note, ["Another"], **settings)
    shown = f"{caught.value} {caught.value!r} {caught.value.__cause__!r} {caplog.text}"
    state.close()
    kept = b"".join(path.read_bytes() for path in state.path.parent.glob("state.db*"))
    for secret in (SECRET, "token-9876543210"):
        assert secret not in shown
        assert secret.encode() not in kept
    assert "SURVEY_KEY" in str(caught.value)
