"""Answers that break off: on every way to a model it is said what happened, and asked again."""

from __future__ import annotations

import asyncio
import json

import pytest

from lupom.engine.errors import LLMError
from lupom.engine.llm.providers import make_provider
from lupom.engine.llm.providers.base import ProviderError, ProviderRequest
from lupom.engine.llm.providers.replies import NoReplyError, body_of
from lupom.engine.project.providers import embedding_settings, llm_settings
from tests.support.formats import FORMATS, clean
from tests.support.gateways import user
from tests.support.raw_server import HEAD, RawServer, cut_at, cut_chunks

__all__ = ["clean"]

PART = b'{"id": "x", "choices": [{"mess'
MIDDLE = "the connection broke off in the middle of the answer"
CLOSED = "the connection was closed before an answer came"
# What goes over the wire, and what is said of it.
CUT = {
    "fewer bytes than announced": (cut_at(b"200 OK", PART), MIDDLE),
    "no last chunk": (cut_chunks(PART), MIDDLE),
    "fewer bytes under status 400": (cut_at(b"400 Bad Request", b'{"error": {"mess'), MIDDLE),
    "nothing": (b"", CLOSED),
    "half a header": (b"HTTP/1.1 200 OK\r\ncontent-ty", CLOSED),
    "no HTTP": (b"\x16\x03\x01 hello\r\n\r\n", "what came back is not HTTP"),
}
# botocore takes what it cannot parse for an empty object, and does not count bytes.
OF_BOTO = {
    "fewer bytes than announced": "the body is empty or breaks off before its end",
    "fewer bytes under status 400": 'status 400, and the body breaks off: \'{"error": {"mess\'',
    "half a header": "the body is empty or breaks off before its end",
}
WAYS = {
    "openai": {"provider": "openai", "model": "m"},
    "anthropic": {"provider": "anthropic", "model": "claude-sonnet-4-6"},
    "bedrock": {"provider": "bedrock", "model": "anthropic.claude-sonnet-4-6"},
    **{
        spoken.model: {"provider": "instructor", "model": spoken.model}
        for spoken in FORMATS.values()
    },
}


CHAT = {
    "id": "x",
    "object": "chat.completion",
    "created": 1,
    "model": "m",
    "choices": [
        {"index": 0, "message": {"role": "assistant", "content": "fine"}, "finish_reason": "stop"}
    ],
    "usage": {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7},
}
CLAUDE = {
    **{"id": "x", "type": "message", "role": "assistant", "model": "m"},
    "content": [{"type": "text", "text": "fine"}],
    **{"stop_reason": "end_turn", "stop_sequence": None},
    "usage": {"input_tokens": 5, "output_tokens": 2},
}
CONVERSE = {
    "output": {"message": {"role": "assistant", "content": [{"text": "fine"}]}},
    "stopReason": "end_turn",
    "usage": {"inputTokens": 5, "outputTokens": 2, "totalTokens": 7},
}
GEMINI = {
    "candidates": [
        {"content": {"role": "model", "parts": [{"text": "fine"}]}, "finishReason": "STOP"}
    ],
    "usageMetadata": {"promptTokenCount": 5, "candidatesTokenCount": 2},
}


def whole(way):
    """Return the body of an answer as the server of a way writes it."""
    of = {"bedrock": CONVERSE, "anthropic": CLAUDE, "google": GEMINI}
    return json.dumps(next((body for name, body in of.items() if name in way), CHAT)).encode()


def failures(settings, responses):
    """Ask once for each response, with one client; returns the errors."""

    async def ask(server):
        path = "/v1" if "openai" in settings["provider"] + settings["model"] else ""
        base = f"http://127.0.0.1:{server.port}{path}"
        given = llm_settings(**{**settings, "base_url": base, "timeout": 10})
        provider = make_provider("default", given)
        found = []
        for response in responses:
            server.response = response
            with pytest.raises(ProviderError) as caught:
                await provider.complete(ProviderRequest(user("Question")))
            found.append(caught.value)
        await provider.close()
        return found

    with RawServer(b"") as server:
        found = asyncio.run(ask(server))
        # No package tries once more by itself.
        assert server.requests == len(responses)
    return found


@pytest.mark.parametrize("way", WAYS)
def test_it_is_said_what_happened_and_the_same_may_be_asked_again(clean, way):
    errors = failures(WAYS[way], [response for response, _ in CUT.values()])
    for (case, (_, words)), error in zip(CUT.items(), errors, strict=True):
        told = OF_BOTO.get(case, words) if "bedrock" in way else words
        assert error.message.startswith(told), case
        assert error.retryable, case
        assert not error.refused | error.alone, case


def test_how_much_came_is_said_and_that_no_reason_was_given(clean):
    empty = HEAD % b"400 Bad Request" + b"content-length: 0\r\n\r\n"
    cut, none = failures(WAYS["openai"], [cut_at(b"200 OK", PART), empty])
    assert cut.message == f"{MIDDLE} (30 of 500 bytes came)"
    assert none.message == "status 400: no reason given"


def test_an_embedding_that_breaks_off_is_said_in_the_same_words(state, clean):
    from lupom.engine.llm.gateway import Gateway

    with RawServer(cut_at(b"200 OK", b'{"data": [{"emb')) as server:
        base = f"http://127.0.0.1:{server.port}/v1"
        settings = embedding_settings(provider="openai", model="m", base_url=base)
        with Gateway(state, {}, backoff=0.001) as gateway, pytest.raises(LLMError, match=MIDDLE):
            gateway.embed(settings, ["a text"])


# Bodies that came whole over the wire and are not.

CHUNK = 'data: {"choices": [{"delta": {"content": "%s"}}]}\n\n'
EVENTS = (
    'event: message_start\ndata: {"type": "message_start", "message": {}}\n\n'
    'data: {"type": "content_block_delta", "index": 0, "delta": {"text": "{\\"a\\": "}}\n\n'
)


@pytest.mark.parametrize(
    "body",
    [
        CHUNK % "Hel",
        CHUNK % "Hel" + 'data: {"choices": [{"del',
        CHUNK % "Hel" + 'data: {"choices": [{"del\n\ndata: [DONE]\n\n',
        EVENTS,
        'data: {"choices": [{"del',
        ": keep-alive\n\n",
        PART.decode(),
        "",
    ],
)
def test_half_a_body_is_not_an_answer(body):
    with pytest.raises(NoReplyError) as caught:
        body_of(body.encode())
    assert caught.value.broke_off
    assert "breaks off" in str(caught.value) or str(caught.value) == "the body is empty"


@pytest.mark.parametrize(
    ("body", "finish"),
    [
        (CHUNK % "Hel" + "data: [DONE]\n\n", "stop"),
        (CHUNK % "Hel" + 'data: {"choices": [{"finish_reason": "length"}]}\n\n', "length"),
        (CHUNK % '{\\"a\\": 1}', "interrupted"),
        (CHUNK % '{\\"a\\": 1}' + 'data: {"choices": [{"del', "interrupted"),
    ],
)
def test_a_stream_that_says_it_is_done_or_has_an_object_is_one(body, finish):
    (choice,) = body_of(body.encode())["choices"]
    assert choice["finish_reason"] == finish


def answered(way, responses):
    """Ask once for each response, with one client; returns the replies."""

    async def ask(server):
        path = "/v1" if "openai" in WAYS[way]["provider"] + WAYS[way]["model"] else ""
        base = f"http://127.0.0.1:{server.port}{path}"
        provider = make_provider("default", llm_settings(**{**WAYS[way], "base_url": base}))
        found = []
        for server.response in responses:
            found.append(await provider.complete(ProviderRequest(user("Question"))))
        await provider.close()
        return found

    with RawServer(b"") as server:
        found = asyncio.run(ask(server))
        assert server.requests == len(responses)
    return found


def announced(body):
    """Return a response that ends where it says it does."""
    return HEAD % b"200 OK" + b"content-length: %d\r\n\r\n%s" % (len(body), body)


@pytest.mark.parametrize("way", WAYS)
def test_an_answer_that_came_whole_is_read_although_its_end_did_not(clean, way):
    body = whole(way)
    for reply in answered(way, [cut_chunks(body), cut_at(b"200 OK", body)]):
        assert (reply.text, reply.tokens_in, reply.tokens_out) == ("fine", 5, 2)


@pytest.mark.parametrize("way", WAYS)
def test_what_an_answer_took_is_not_known_where_its_usage_breaks_off(clean, way):
    cut = whole(way)[:-6]
    for reply in answered(way, [cut_chunks(cut), cut_at(b"200 OK", cut), announced(cut)]):
        assert (reply.text, reply.finish_reason) == ("fine", "stop")
        assert (reply.tokens_in, reply.tokens_out) == (None, None)


@pytest.mark.parametrize("way", WAYS)
def test_half_an_answer_is_none_wherever_it_breaks_off(clean, way):
    body = whole(way)
    half = body[: body.index(b"fine") + 2]
    for error in failures(WAYS[way], [cut_chunks(half), cut_at(b"200 OK", half), announced(half)]):
        assert error.retryable
        assert error.broke_off
