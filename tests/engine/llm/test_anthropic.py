"""Anthropic's Messages: the official client against an endpoint on loopback."""

from __future__ import annotations

import pytest

from lupom.engine.errors import LLMError
from lupom.engine.llm.gateway import Call, Gateway
from lupom.engine.project.providers import llm_settings
from tests.support.anthropic_server import AnthropicServer
from tests.support.bedrock_server import Fault, Model
from tests.support.gateways import user

pytest.importorskip("anthropic")

SECRET = "sk-ant-very-secret-0123456789"
TEXTS = [f"Question {i:02d}" for i in range(8)]
# Models cache from 1,024, 2,048 or 4,096 tokens on.
LONG = "What is the same for all.\n" * 800


@pytest.fixture
def server(monkeypatch):
    import os

    for name in list(os.environ):
        if name.startswith("ANTHROPIC_"):
            monkeypatch.delenv(name)
    with AnthropicServer() as running:
        yield running


@pytest.fixture
def ask(server, state):
    """Return a function that asks texts of a model, in a gateway of its own."""
    gateways = []

    def ask(spec, texts, *, values=None, system=None, **settings):
        given = {"provider": "anthropic", "model": "claude-sonnet-4-6", "base_url": server.url}
        gateway = Gateway(state, {"default": llm_settings(**{**given, **settings})}, backoff=0.001)
        gateways.append(gateway)
        before = [{"role": "system", "content": system}] if system else []
        calls = [Call([*before, *user(text)], spec.for_row(values or {})) for text in texts]
        return gateway.ask("default", calls, node="notes", run_id="r")

    yield ask
    for gateway in gateways:
        gateway.close()


def way(body):
    """How a request asked for its answer."""
    if "output_config" in body:
        return "json_schema"
    return body["tool_choice"]["type"] if "tools" in body else "json"


def test_a_request_says_what_is_wanted_and_no_more(ask, note, server):
    effort = {"output_config": {"effort": "low"}}
    (answer,) = ask(note, ["Question"], system="You answer.", max_tokens=99, extra=effort)
    assert answer.status == "ok"
    schema = {
        "type": "object",
        "properties": {"text": {"type": "string", "description": "At most 20 characters."}},
        "required": ["text"],
        "additionalProperties": False,
    }
    assert server.bodies == [
        {
            "model": "claude-sonnet-4-6",
            "max_tokens": 99,
            "temperature": 0.0,
            "output_config": {
                "format": {"type": "json_schema", "schema": schema},
                "effort": "low",
            },
            "system": [{"type": "text", "text": "You answer."}],
            "messages": [{"role": "user", "content": [{"type": "text", "text": "Question"}]}],
        }
    ]


def test_an_older_model_is_given_a_tool(ask, note, server):
    answers = ask(note, TEXTS, model="claude-3-haiku-20240307")
    assert {a.status for a in answers} == {"ok"}
    assert {way(body) for body in server.bodies} == {"tool"}


@pytest.mark.parametrize(
    ("able", "expected"),
    [
        (Model(json_schema=False), ["json_schema", "tool"]),
        (Model(json_schema=False, choices=("auto",)), ["json_schema", "tool", "any", "auto"]),
        (Model(json_schema=False, choices=()), ["json_schema", "tool", "json"]),
        (Model(temperature=False), ["json_schema", "json_schema"]),
    ],
    ids=["a forced tool", "an offered tool", "words", "no temperature"],
)
def test_what_a_model_cannot_do_is_found_out_once(ask, note, server, able, expected):
    server.model = able
    answers = ask(note, TEXTS)
    assert {a.status for a in answers} == {"ok"}
    assert [way(body) for body in server.bodies][: len(expected)] == expected
    assert server.requests == len(TEXTS) + len(expected) - 1
    server.reset()
    ask(note, ["another process"])
    assert [way(body) for body in server.bodies] == expected[-1:]


def test_what_all_prompts_begin_with_is_cached_and_counted(ask, note, server, state):
    price = {"input": 100, "output": 0, "cache_read": 10, "cache_write": 125}
    ask(note, [LONG + text for text in TEXTS], price=price, concurrency=1, prompt_cache="1h")
    first, last = server.bodies[-1]["messages"][0]["content"]
    assert first["text"] == LONG
    assert first["cache_control"] == {"type": "ephemeral", "ttl": "1h"}
    assert last == {"type": "text", "text": TEXTS[-1]}
    rows = state.calls_since(0)
    assert [row["tokens_written"] > 0 for row in rows] == [True] + [False] * 7
    assert [row["tokens_cached"] > 0 for row in rows] == [False] + [True] * 7
    assert rows[1]["cost"] < rows[0]["cost"] / 5


@pytest.mark.parametrize(
    "fault",
    [
        Fault(code="api_error"),
        Fault(code="overloaded_error"),
        Fault(code="rate_limit_error", retry_after=0.01),
        Fault("bad_json"),
        Fault("wrong_shape"),
        Fault("reset"),
    ],
    ids=lambda fault: fault.code if fault.kind == "error" else fault.kind,
)
def test_a_passing_failure_is_asked_again(ask, note, server, fault):
    server.faults = lambda number, _body: fault if number % 3 == 0 else None
    answers = ask(note, TEXTS, concurrency=4)
    assert {a.status for a in answers} == {"ok"}
    assert server.answered == len(TEXTS)


def test_a_row_that_is_too_long_is_quarantined_and_the_rest_goes_on(ask, note, server):
    def faults(_number, body):
        if len(str(body["messages"])) > 1000:
            return Fault(code="invalid_request_error", message="prompt is too long: 9 > 8 tokens")
        return None

    server.faults = faults
    assert [a.status for a in ask(note, ["short", "long " * 1000])] == ["ok", "invalid"]


@pytest.mark.parametrize(
    ("code", "hint"),
    [
        ("authentication_error", "ANTHROPIC_API_KEY"),
        ("permission_error", "may it use the model 'claude-sonnet-4-6'"),
        ("not_found_error", "is the model 'claude-sonnet-4-6' there"),
    ],
)
def test_what_cannot_get_better_fails_at_once(ask, note, server, monkeypatch, code, hint):
    monkeypatch.setenv("ANTHROPIC_API_KEY", SECRET)
    server.faults = lambda _number, _body: Fault(code=code, message="no")
    with pytest.raises(LLMError) as caught:
        ask(note, TEXTS, concurrency=1, api_key_env="ANTHROPIC_API_KEY")
    assert hint in str(caught.value)
    assert server.requests == 1


def test_the_key_goes_to_anthropic_or_where_it_is_sent_by_name_and_into_no_error(
    ask, note, server, monkeypatch
):
    monkeypatch.setenv("ANTHROPIC_API_KEY", SECRET)
    monkeypatch.setenv("ANTHROPIC_AUTH_TOKEN", "token-9876543210")
    ask(note, ["Question"])
    assert SECRET not in str(server.headers)
    assert "token-9876543210" not in str(server.headers)
    server.api_key = "another"
    with pytest.raises(LLMError) as caught:
        ask(note, ["Another"], api_key_env="ANTHROPIC_API_KEY")
    assert SECRET in str(server.headers[-1])
    assert SECRET not in str(caught.value)


def test_without_a_key_anthropic_itself_is_not_asked(ask, note):
    with pytest.raises(LLMError, match="no API key in the environment variable ANTHROPIC_API_KEY"):
        ask(note, ["Question"], base_url=None)


def test_check_looks_for_the_model(state, server):
    settings = {"provider": "anthropic", "model": "claude-x", "base_url": server.url}
    gateway = Gateway(state, {"default": llm_settings(**settings)})
    assert gateway.check("default") == f"{server.url}, model 'claude-x': reachable"
    server.api_key = "some"
    with pytest.raises(LLMError, match="invalid x-api-key"):
        gateway.check("default")
    gateway.close()
