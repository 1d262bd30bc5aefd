"""Odd replies of Anthropic's Messages and Bedrock's Converse, and of a server of vectors."""

from __future__ import annotations

import json

import pytest

from lupom.engine.errors import LLMError
from lupom.engine.llm.gateway import Call
from lupom.engine.llm.providers.anthropic import _reply as of_anthropic
from lupom.engine.llm.providers.bedrock import _reply as of_converse
from lupom.engine.project.providers import embedding_settings
from tests.support.anthropic_server import AnthropicServer
from tests.support.gateways import make_gateway, user
from tests.support.llm_server import LLMServer

GOOD = '{"text": "fine"}'
THOUGHT = {"type": "thinking", "thinking": "{hm}"}


def message(*blocks, **more):
    return {"content": list(blocks), "stop_reason": "end_turn", **more}


def converse(*blocks, **more):
    return {"output": {"message": {"content": list(blocks)}}, "stopReason": "end_turn", **more}


@pytest.mark.parametrize("usage", [None, {}, [1], {"input_tokens": "many"}, {"input_tokens": -1}])
def test_usage_that_says_nothing_is_unknown_and_the_answer_kept(usage):
    of = message({"type": "text", "text": GOOD}, usage=usage)
    reply = of_anthropic(of, offered=False)
    assert (reply.text, reply.tokens_in, reply.tokens_out) == (GOOD, None, None)
    reply = of_converse(converse({"text": GOOD}, usage=usage), offered=False)
    assert (reply.text, reply.tokens_in, reply.tokens_out) == (GOOD, None, None)


def test_what_came_from_the_cache_is_part_of_what_went_in():
    usage = {"input_tokens": 0, "output_tokens": 2, "cache_read_input_tokens": 9}
    reply = of_anthropic(message({"type": "text", "text": GOOD}, usage=usage), offered=False)
    assert (reply.tokens_in, reply.tokens_cached, reply.tokens_out) == (9, 9, 2)


def test_a_tool_that_nobody_offered_is_not_the_answer():
    stray = {"type": "tool_use", "name": "f", "input": {}}
    reply = of_anthropic(message(THOUGHT, {"type": "text", "text": GOOD}, stray), offered=False)
    assert (reply.text, list(reply.otherwise)) == (GOOD, ["{}"])
    reply = of_converse(converse({"text": GOOD}, {"toolUse": {"input": {}}}), offered=False)
    assert (reply.text, list(reply.otherwise)) == (GOOD, ["{}"])


def test_of_a_tool_that_was_offered_the_arguments_are_the_answer():
    called = {"type": "tool_use", "name": "f", "input": {"text": "fine"}}
    reply = of_anthropic(message({"type": "text", "text": "Here:"}, called), offered=True)
    assert (reply.text, list(reply.otherwise)) == (GOOD, ["Here:"])


def test_reasoning_that_ends_with_it_is_the_answer_where_there_is_nothing_else():
    ends = f"So be it: {GOOD}"
    thought = {"type": "thinking", "thinking": ends}
    assert of_anthropic(message(thought), offered=False).text == ends
    reasoned = {"reasoningContent": {"reasoningText": {"text": ends}}}
    assert of_converse(converse(reasoned), offered=False).text == ends
    assert of_converse(converse(reasoned, stopReason="max_tokens"), offered=False).text == ""
    assert of_converse(converse(reasoned, {"text": "No."}), offered=False).text == "No."


def test_a_text_with_citations_and_a_message_without_blocks():
    cited = {"citationsContent": {"content": [{"text": GOOD}], "citations": []}}
    assert of_converse(converse(cited), offered=False).text == GOOD
    empty = {"output": {"message": {"content": None}}, "stopReason": "content_filtered"}
    assert of_converse(empty, offered=False).refused


@pytest.mark.parametrize("reason", ["refusal", "guardrail_intervened", "content_filtered"])
def test_a_refusal_is_told_from_other_ends(reason):
    assert of_anthropic(message(stop_reason=reason), offered=False).refused
    assert of_converse(converse(stopReason=reason), offered=False).refused


class Odd(AnthropicServer):
    """Answers with a body of its own."""

    reply = ""

    async def _converse(self, request):
        from aiohttp import web

        self.requests += 1
        return web.Response(text=self.reply, content_type="application/json")


def asked(state, note, reply, **settings):
    with Odd() as server:
        server.reply = reply
        gateway = make_gateway(
            f"http://127.0.0.1:{server.port}", state, provider="anthropic", **settings
        )
        try:
            calls = [Call(user("Question"), note.for_row({}))]
            return gateway.ask("default", calls, node="notes", run_id="r"), server.requests
        except LLMError as error:
            return error, server.requests
        finally:
            gateway.close()


def test_a_stream_of_events_is_put_together(state, note):
    events = [
        {"type": "message_start", "message": {"usage": {"input_tokens": 7}}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        *(
            {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": t}}
            for t in (GOOD[:6], GOOD[6:])
        ),
        {
            "type": "message_delta",
            "delta": {"stop_reason": "end_turn"},
            "usage": {"output_tokens": 3},
        },
    ]
    body = "".join(f"event: {e['type']}\ndata: {json.dumps(e)}\n\n" for e in events)
    (answer,), requests = asked(state, note, body)
    assert (answer.value, answer.tokens_in, answer.tokens_out) == ({"text": "fine"}, 7, 3)
    assert requests == 1


def test_an_error_under_status_200_is_the_error(state, note):
    error = {"type": "error", "error": {"type": "authentication_error", "message": "no key"}}
    found, requests = asked(state, note, json.dumps(error))
    assert "status 401: no key" in str(found)
    assert requests == 1


def test_vectors_without_usage_are_kept_and_counted_by_their_length(state):
    class Silent(LLMServer):
        async def _embeddings(self, request):
            from aiohttp import web

            self.requests += 1
            texts = (await request.json())["input"]
            data = [{"index": i, "embedding": [1.0, 0.0]} for i, _ in enumerate(texts)]
            return web.json_response({"data": data})

    with Silent() as server:
        gateway = make_gateway(server.base_url, state)
        settings = embedding_settings(
            provider="openai", base_url=server.base_url, model="e", price={"input": 1, "output": 0}
        )
        assert gateway.embed(settings, ["a text", "another"]).shape == (2, 2)
        assert gateway.embed(settings, ["a text"]).shape == (1, 2)
        gateway.close()
        assert server.requests == 1
    tokens, money = state.ledger.spent()
    assert tokens > 0
    assert money > 0
