"""Odd replies as Anthropic and Converse write them: alike on LUPoM's own ways and instructor's."""

from __future__ import annotations

import gzip
import json

import pytest

from lupom.engine.errors import LLMError
from lupom.engine.llm.gateway import Call, Gateway
from lupom.engine.project.providers import llm_settings
from tests.support.formats import clean
from tests.support.gateways import user
from tests.support.raw_server import HEAD, RawServer

__all__ = ["clean"]

GOOD = '{"text": "fine"}'
ANTHROPIC = ({"provider": "anthropic", "model": "claude-sonnet-4-6"}, "anthropic/claude-haiku-4-5")
BEDROCK = (
    {"provider": "bedrock", "model": "anthropic.claude-sonnet-4-6"},
    "bedrock/anthropic.claude-haiku-4-5",
)


def ways(both):
    own, model = both
    return [own, {"provider": "instructor", "model": model}]


def response(body):
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return HEAD % b"200 OK" + b"content-length: %d\r\n\r\n%s" % (len(content), content)


def claude(*content, stop="end_turn"):
    message = {"id": "x", "type": "message", "role": "assistant", "model": "m"}
    usage = {"input_tokens": 5, "output_tokens": 2}
    return {**message, "content": list(content), "stop_reason": stop, "usage": usage}


def converse(*content, stop="end_turn"):
    message = {"role": "assistant", "content": list(content)}
    usage = {"inputTokens": 5, "outputTokens": 2, "totalTokens": 7}
    return {"output": {"message": message}, "stopReason": stop, "usage": usage}


THOUGHT = f"They are old. So:\n{GOOD}"
SEARCH = {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {"query": "x"}}
# What comes back, and what becomes of the row: its status, and requests.
OF_ANTHROPIC = {
    "a refusal without a word": (claude(stop="refusal"), "invalid", 1),
    "nothing": (claude(), "invalid", 2),
    "all of it in the thought": (claude({"type": "thinking", "thinking": THOUGHT}), "ok", 1),
    "a tool of the provider's own": (claude(SEARCH, {"type": "text", "text": GOOD}), "ok", 1),
}
OF_BEDROCK = {
    "a guardrail": (converse({"text": "Sorry."}, stop="guardrail_intervened"), "invalid", 1),
    "nothing": (converse(), "invalid", 2),
    "all of it in the thought": (
        converse({"reasoningContent": {"reasoningText": {"text": THOUGHT}}}),
        *("ok", 1),
    ),
}
CASES = [
    pytest.param(way, *case, id=f"{way['provider']}: {name}")
    for both, cases in ((ANTHROPIC, OF_ANTHROPIC), (BEDROCK, OF_BEDROCK))
    for way in ways(both)
    for name, case in cases.items()
]


@pytest.fixture
def ask(clean, state, note):
    """Return a function that asks one row of a server that always answers the same."""
    clean.setenv("ANTHROPIC_API_KEY", "sk-nobody-knows")

    def ask(way, body):
        with RawServer(response(body)) as server:
            base = f"http://127.0.0.1:{server.port}"
            given = {**way, "base_url": base, "attempts": 2, "max_retries": 1}
            alias = llm_settings(**given)
            with Gateway(state, {"default": alias}, backoff=0.001) as gateway:
                calls = [Call(user("Question"), note.for_row({}))]
                (answer,) = gateway.ask("default", calls, node="notes", run_id="r")
            return answer, server.requests

    return ask


@pytest.mark.parametrize(("way", "body", "status", "requests"), CASES)
def test_what_becomes_of_it_and_what_it_takes(ask, state, way, body, status, requests):
    answer, made = ask(way, body)
    assert (answer.status, made) == (status, requests)
    (row,) = state.calls_since(0)
    assert (row["tokens_in"], row["tokens_out"]) == (5 * requests, 2 * requests)


CHAT = {
    "id": "x",
    "object": "chat.completion",
    "created": 1,
    "model": "m",
    "choices": [
        {"index": 0, "message": {"role": "assistant", "content": GOOD}, "finish_reason": "stop"}
    ],
    "usage": {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7},
}
PARTS = [
    {"choices": [{"index": 0, "delta": {"content": GOOD}, "finish_reason": "stop"}]},
    {"choices": [], "usage": {"prompt_tokens": 5, "completion_tokens": 2}},
]
BODIES = {
    "comments before it": b": WAITING\n\n" + json.dumps(CHAT).encode(),
    "a stream": "".join(f"data: {json.dumps(one)}\n\n" for one in PARTS).encode(),
    "lines": "".join(f"{json.dumps(one)}\n" for one in PARTS).encode(),
    "packed": gzip.compress(json.dumps(CHAT).encode()),
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
@pytest.mark.parametrize("provider", ["openai", "groq", "mistral"])
def test_a_body_in_another_form_is_read_by_every_package(ask, state, provider, body):
    answer, made = ask({"provider": "instructor", "model": f"{provider}/m"}, body)
    assert (answer.value, made) == ({"text": "fine"}, 1)
    (row,) = state.calls_since(0)
    assert (row["tokens_in"], row["tokens_out"]) == (5, 2)


@pytest.mark.parametrize("way", ways(BEDROCK), ids=lambda way: way["provider"])
def test_an_error_that_a_gateway_puts_under_status_200_is_said(ask, way):
    with pytest.raises(LLMError, match="Missing Authentication Token"):
        ask(way, {"message": "Missing Authentication Token"})
