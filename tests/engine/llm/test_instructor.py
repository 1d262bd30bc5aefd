"""Providers through instructor: their own packages against endpoints on loopback."""

from __future__ import annotations

import json
import sys

import pytest

from lupom.engine.errors import LLMError
from lupom.engine.llm.gateway import Call, Gateway
from lupom.engine.llm.keys import llm_identity
from lupom.engine.project.providers import llm_settings
from tests.support import bedrock_server
from tests.support.formats import FORMATS, clean
from tests.support.gateways import user

__all__ = ["clean"]

SECRET = "sk-very-secret-0123456789"
TEXTS = [f"Question {i:02d}" for i in range(8)]


@pytest.fixture(params=FORMATS)
def spoken(request):
    return FORMATS[request.param]


@pytest.fixture
def google():
    return FORMATS["google"]


@pytest.fixture
def speak(clean, state):
    """Return a function that starts a provider's server, and one that asks texts there."""
    opened = []

    def speak(spoken):
        server = spoken.server()
        server.__enter__()
        opened.append(lambda: server.__exit__(None, None, None))
        base = f"http://127.0.0.1:{server.port}{spoken.path}"

        def ask(spec, texts, *, values=None, system=None, **settings):
            given = {"provider": "instructor", "model": spoken.model, "base_url": base}
            alias = llm_settings(**{**given, "timeout": 10, **settings})
            gateway = Gateway(state, {"default": alias}, backoff=0.001)
            opened.append(gateway.close)
            before = [{"role": "system", "content": system}] if system else []
            calls = [Call([*before, *user(text)], spec.for_row(values or {})) for text in texts]
            return gateway.ask("default", calls, node="notes", run_id="r")

        return server, ask

    yield speak
    for close in reversed(opened):
        close()


# Answers


def test_an_answer_is_asked_for_read_and_paid(spoken, speak, note, state):
    server, ask = speak(spoken)
    price = {"input": 1_000_000, "output": 0}
    answers = ask(note, TEXTS, system="You answer.", temperature=0.5, price=price)
    assert {a.status for a in answers} == {"ok"}
    assert all(a.value["text"].startswith("word ") for a in answers)
    assert server.requests == len(TEXTS)
    assert "You answer." in json.dumps(server.bodies[0])
    rows = state.calls_since(0)
    assert {row["provider"] for row in rows} == {"instructor"}
    assert {row["model"] for row in rows} == {spoken.model}
    assert all(row["tokens_in"] > 0 and row["tokens_out"] > 0 for row in rows)
    assert [row["cost"] for row in rows] == [row["tokens_in"] for row in rows]
    # Nothing of it is asked again.
    ask(note, TEXTS, system="You answer.", temperature=0.5)
    assert server.requests == len(TEXTS)


def test_an_answer_is_limited_to_the_row_s_own_options(spoken, speak, choice):
    server, ask = speak(spoken)
    (answer,) = ask(choice, ["Question"], values={"options": ["Yes", "No"]})
    assert answer.value["answer"] in ("Yes", "No")
    assert '"enum": ["A", "B"]' in json.dumps(server.bodies[0]).replace("\\", "")


@pytest.mark.parametrize("mode", ["json_schema", "tools", "json"])
def test_a_mode_may_be_set(spoken, speak, note, mode):
    server, ask = speak(spoken)
    impossible = {("google", "json"), ("anthropic", "json_schema")}
    name = spoken.model.partition("/")[0]
    if (name, mode) in impossible:
        with pytest.raises(LLMError, match=f"'{name}' is not asked by mode '{mode}'"):
            ask(note, TEXTS, mode=mode)
        return
    assert {a.status for a in ask(note, TEXTS, mode=mode)} == {"ok"}
    sent = json.dumps(server.bodies[-1])
    tools = "tools" in server.bodies[-1] or "toolConfig" in server.bodies[-1]
    assert tools == (mode == "tools")
    assert ("json_schema:" in sent) == (mode == "json")


@pytest.mark.parametrize("name", ["google", "openai"])
def test_what_a_provider_refuses_is_given_up_and_remembered(name, speak, note):
    spoken = FORMATS[name]
    server, ask = speak(spoken)
    if name == "google":
        server.model = bedrock_server.Model(json_schema=False, temperature=False)
    else:
        server.json_schema = "reject"
    assert {a.status for a in ask(note, TEXTS)} == {"ok"}
    refused = server.requests - len(TEXTS)
    assert refused == (2 if name == "google" else 1)
    server.reset()
    ask(note, ["another process"])
    assert server.requests == 1
    assert "tools" in server.bodies[0]


def test_requests_are_in_flight_together(spoken, speak, note):
    server, ask = speak(spoken)
    ask(note, ["the first goes alone"])
    server.latency = 0.2
    ask(note, TEXTS, concurrency=8)
    assert server.max_in_flight > 1


# What is not an answer


def test_an_invalid_answer_is_corrected_in_the_conversation(spoken, speak, note, state):
    server, ask = speak(spoken)
    wrong = {"text": ["no", "text"]}
    server.answers = lambda body: wrong if len(spoken.messages(body)) == 1 else None
    (answer,) = ask(note, ["Question"], mode="tools")
    assert answer.status == "ok"
    assert server.requests == 2
    said, mine, correction = spoken.messages(server.bodies[1])
    assert said == ("user", "Question")
    assert mine == ("model" if "google" in spoken.model else "assistant", json.dumps(wrong))
    assert "should be a valid string" in correction[1]
    (row,) = state.calls_since(0)
    assert row["attempts"] == 2
    assert [tried["text"] for tried in json.loads(row["history"])] == [json.dumps(wrong)]
    assert row["tokens_in"] > 0


@pytest.mark.parametrize("mode", ["tools", None])
def test_what_a_model_wrote_instead_is_in_the_ledger(spoken, speak, note, state, mode):
    server, ask = speak(spoken)
    server.answers = lambda _body: "I would rather talk about the weather."
    (answer,) = ask(note, ["Question"], attempts=2, mode=mode or "auto")
    assert answer.status == "invalid"
    assert answer.text == "I would rather talk about the weather."
    assert server.requests == 2
    (row,) = state.calls_since(0)
    assert row["attempts"] == 2
    assert row["tokens_out"] > 0


def test_what_groq_s_own_check_refuses_is_a_reply(clean, state, note):
    from tests.support.odd_server import OddServer, complaint

    refused = complaint(
        400,
        "Failed to generate JSON. See 'failed_generation' for more details.",
        code="json_validate_failed",
        failed_generation='{"text": "fine"',
    )
    with OddServer(reply=lambda _number, _body: refused) as server:
        settings = llm_settings(
            provider="instructor",
            model="groq/llama-3.3-70b-versatile",
            base_url=f"http://127.0.0.1:{server.port}",
        )
        with Gateway(state, {"default": settings}, backoff=0.001) as gateway:
            calls = [Call(user("a"), note.for_row({}))]
            (answer,) = gateway.ask("default", calls, node="notes", run_id="r")
        assert server.requests == 1
    assert answer.value == {"text": "fine"}
    (row,) = state.calls_since(0)
    assert (row["tokens_in"], row["cost"], row["repaired"]) == (None, None, 1)


def test_an_answer_in_a_fence_is_read(spoken, speak, note):
    server, ask = speak(spoken)
    server.answers = lambda _body: 'Here you are:\n```json\n{"text": "fine"}\n```\nAnything else?'
    assert [a.value for a in ask(note, TEXTS)] == [{"text": "fine"}] * len(TEXTS)
    assert server.requests == len(TEXTS)


def test_a_withheld_answer_says_so(google, speak, note, state):
    server, ask = speak(google)
    server.blocked = True
    (answer,) = ask(note, ["Question"], attempts=1)
    assert answer.status == "invalid"
    assert "content_filter" in answer.error
    assert state.calls_since(0)[0]["tokens_in"] > 0


def test_a_refusal_says_so(speak, note):
    server, ask = speak(FORMATS["openai"])
    made = server._completion

    def refusing(number, body, content):
        whole = made(number, body, content)
        whole["choices"][0]["message"] |= {"content": None, "refusal": "I cannot help with that."}
        return whole

    server._completion = refusing
    (answer,) = ask(note, ["Question"], attempts=1)
    assert answer.text == "I cannot help with that."
    assert "refusal" in answer.error


def test_an_answer_cut_off_says_so(google, speak, note):
    server, ask = speak(google)
    made = server._message

    def cut(body):
        whole = made(body)
        whole["candidates"][0]["finishReason"] = "MAX_TOKENS"
        return whole

    server._message = cut
    server.answers = lambda _body: '{"text": "half'
    (answer,) = ask(note, ["Question"], attempts=1)
    assert "cut off at max_tokens=2048" in answer.error
    assert answer.text == '{"text": "half'


def test_thoughts_are_counted_and_no_part_of_an_answer(google, speak, note, state):
    _, ask = speak(google)
    (answer,) = ask(note, ["Question"])
    (row,) = state.calls_since(0)
    assert row["tokens_out"] == len(json.dumps(answer.value)) // 4 + 7
    assert row["tokens_cached"] == 1


# Failures


@pytest.mark.parametrize("kind", ["busy", "limit", "bad_json", "wrong_shape", "reset"])
def test_a_passing_failure_is_asked_again_by_nobody_else(spoken, speak, note, kind):
    server, ask = speak(spoken)
    # The first request goes alone; two of the others fail.
    fault = spoken.fault(kind, retry_after=0.01)
    server.faults = lambda number, _body: fault if number in (3, 5) else None
    answers = ask(note, TEXTS, concurrency=4)
    assert {a.status for a in answers} == {"ok"}
    # Were instructor or the package to try again by itself, there would be more.
    assert server.requests == len(TEXTS) + 2


def test_the_wait_a_provider_asks_for_is_kept(spoken, speak, note, monkeypatch):
    from lupom.engine.llm import adaptive_rate_limiter

    waits = []
    refused = adaptive_rate_limiter.AdaptiveRateLimiter.refused

    def noting(self, sent, retry_after):
        waits.append(retry_after)
        refused(self, sent, retry_after)

    monkeypatch.setattr(adaptive_rate_limiter.AdaptiveRateLimiter, "refused", noting)
    server, ask = speak(spoken)
    fault = spoken.fault("limit", retry_after=0.25)
    server.faults = lambda number, _body: fault if number == 1 else None
    ask(note, ["Question"])
    assert waits == [0.25]


def test_an_answer_that_does_not_come_is_asked_for_again(spoken, speak, note):
    server, ask = speak(spoken)
    # What is loaded for the first request is no part of how long the others take.
    ask(note, ["To begin with"])
    server.faults = lambda number, _body: spoken.fault("hang") if number == 2 else None
    (answer,) = ask(note, ["Question"], timeout=1)
    assert answer.status == "ok"
    assert server.requests == 3


def test_a_row_that_is_too_long_is_quarantined_and_the_rest_goes_on(spoken, speak, note):
    server, ask = speak(spoken)
    fault = spoken.fault("long", "the prompt is too long: 9 > 8 tokens")
    server.faults = lambda _number, body: fault if len(json.dumps(body)) > 4000 else None
    assert [a.status for a in ask(note, ["short", "long " * 1000])] == ["ok", "invalid"]


@pytest.mark.parametrize("kind", ["key", "gone"])
def test_what_cannot_get_better_fails_at_once(spoken, speak, note, kind):
    server, ask = speak(spoken)
    server.faults = lambda _number, _body: spoken.fault(kind, "not for you")
    with pytest.raises(LLMError, match="not for you") as caught:
        ask(note, TEXTS, concurrency=1)
    assert server.requests == 1
    assert caught.value.hint


def test_a_run_that_fails_goes_on_where_it_ended(spoken, speak, note):
    server, ask = speak(spoken)
    server.faults = lambda number, _body: spoken.fault("key") if number == 4 else None
    with pytest.raises(LLMError, match="3 of 8 answers are in the ledger"):
        ask(note, TEXTS, concurrency=1)
    assert {a.status for a in ask(note, TEXTS, concurrency=1)} == {"ok"}
    assert server.requests == len(TEXTS) + 1


# Keys, packages, names


@pytest.mark.parametrize(
    ("name", "variable"),
    [
        ("google", "GOOGLE_API_KEY"),
        ("anthropic", "ANTHROPIC_API_KEY"),
        ("mistral", "MISTRAL_API_KEY"),
        ("groq", "GROQ_API_KEY"),
        ("openai", "OPENAI_API_KEY"),
    ],
)
def test_a_key_comes_from_the_environment_and_goes_into_no_error(
    name, variable, speak, note, monkeypatch
):
    spoken = FORMATS[name]
    server, ask = speak(spoken)
    server.api_key = "another"
    monkeypatch.setenv(variable, SECRET)
    # To an address of one's own it goes when it is named.
    with pytest.raises(LLMError):
        ask(note, ["Question"])
    assert SECRET not in str(server.headers)
    with pytest.raises(LLMError) as caught:
        ask(note, ["Question"], api_key_env=variable)
    assert SECRET not in str(caught.value)
    server.api_key = SECRET
    assert [a.status for a in ask(note, ["Question"], api_key_env=variable)] == ["ok"]
    monkeypatch.delenv(variable)
    with pytest.raises(LLMError, match=f"no API key in the environment variable {variable}"):
        ask(note, ["Question"], base_url=None)


def test_headers_are_sent(spoken, speak, note):
    server, ask = speak(spoken)
    if "bedrock" in spoken.model:
        return
    assert [a.status for a in ask(note, ["Q"], headers={"X-Study": "GSS-1972"})] == ["ok"]
    assert {k.lower(): v for k, v in server.headers[-1].items()}["x-study"] == "GSS-1972"


@pytest.mark.parametrize(
    ("module", "model", "command"),
    [
        ("groq", "groq/llama", "pip install groq"),
        ("google.genai", "google/gemini", "pip install google-genai jsonref"),
        ("jsonref", "google/gemini", "pip install google-genai jsonref"),
        ("mistralai", "mistral/large", "pip install mistralai"),
        ("xai_sdk", "xai/grok-4", "pip install xai-sdk"),
    ],
)
def test_a_package_that_is_missing_is_named(module, model, command, note, state, monkeypatch):
    monkeypatch.setitem(sys.modules, module, None)
    settings = llm_settings(provider="instructor", model=model)
    with Gateway(state, {"default": settings}) as gateway:
        with pytest.raises(LLMError, match="cannot be imported") as caught:
            gateway.ask("default", [Call(user("?"), note.for_row({}))], node="n", run_id="r")
        assert caught.value.hint == command
        with pytest.raises(LLMError, match="cannot be imported"):
            gateway.check("default")


@pytest.mark.parametrize(
    ("model", "complaint", "hint"),
    [
        ("gemini-2.5-flash", "does not say whose it is", "google/gemini-2.5-flash"),
        ("gogle/gemini-2.5-flash", "does not speak to 'gogle'", "did you mean 'google'?"),
        ("gemini/gemini-2.5-flash", "'gemini' is gone", "google/gemini-2.5-flash"),
    ],
)
def test_a_model_nobody_has_is_refused_with_the_settings(model, complaint, hint):
    with pytest.raises(ValueError, match=complaint) as caught:
        llm_settings(provider="instructor", model=model)
    assert hint in str(caught.value)


def test_an_identity_needs_neither_instructor_nor_a_network(monkeypatch, clean):
    monkeypatch.setitem(sys.modules, "instructor", None)
    settings = llm_settings(provider="instructor", model="google/gemini-2.5-flash")
    identity = llm_identity("default", settings)
    assert (identity["provider"], identity["model"]) == ("instructor", settings.model)
    monkeypatch.setenv("GOOGLE_GEMINI_BASE_URL", "http://127.0.0.1:9")
    assert llm_identity("default", settings)["base_url"] == "http://127.0.0.1:9"


def test_check_says_what_it_could_find_out(speak, state, clean):
    server, _ = speak(FORMATS["openai"])
    base = f"http://127.0.0.1:{server.port}/v1"
    settings = llm_settings(provider="instructor", model="openai/gpt-5-mini", base_url=base)
    clean.setenv("MISTRAL_API_KEY", SECRET)
    mistral = llm_settings(provider="instructor", model="mistral/large")
    with Gateway(state, {"default": settings, "mistral": mistral}) as gateway:
        assert gateway.check("default") == (
            "openai through instructor, model 'gpt-5-mini': reachable"
        )
        assert "nothing was asked" in gateway.check("mistral")
        server.api_key = "some"
        with pytest.raises(LLMError, match="Incorrect API key"):
            gateway.check("default")
    assert server.requests == 0


def test_what_a_respondent_wrote_stays_text(spoken, speak, note, tmp_path):
    """instructor fills templates and fetches what looks like an image, where it is told to."""
    server, ask = speak(spoken)
    (tmp_path / "x.png").write_bytes(b"\x89PNG")
    texts = ["{{ 7 * 6 }} {% for x in y %}", "https://example.org/x.png", str(tmp_path / "x.png")]
    ask(note, texts)
    assert sorted(spoken.messages(body)[-1][1] for body in server.bodies) == sorted(texts)
