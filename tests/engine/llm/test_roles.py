"""Endpoints that take fewer kinds of messages, spoken to as each provider speaks."""

from __future__ import annotations

import json

import pytest

from lupom.engine.errors import LLMError
from lupom.engine.llm.gateway import Call, Gateway
from lupom.engine.project.providers import llm_settings
from tests.support.formats import FORMATS, clean
from tests.support.gateways import user
from tests.support.refusals import PARTS, TEXTS

__all__ = ["clean"]

GOOD, BAD, SYSTEM = '{"text": "fine"}', "no idea", "Be a person."
# Each provider on its own way and through instructor: its format, and the alias's settings.
WAYS = {
    "anthropic": ("anthropic", {"provider": "anthropic", "model": "claude-sonnet-4-6"}),
    "bedrock": ("bedrock", {"provider": "bedrock", "model": "anthropic.claude-sonnet-4-6"}),
    **{
        f"{name} through instructor": (name, {"provider": "instructor", "model": spoken.model})
        for name, spoken in FORMATS.items()
    },
}


@pytest.fixture
def ask(clean, state):
    """Return a function that asks three rows in one way, of a server that refuses and answers."""
    opened = []

    def ask(way, refuses, answers, spec, **settings):
        name, alias = WAYS[way]
        spoken = FORMATS[name]
        server = spoken.server()
        server.__enter__()
        opened.append(lambda: server.__exit__(None, None, None))
        server.faults = lambda _number, body: (
            None if (why := refuses(sent_in(body))) is None else spoken.fault("long", why)
        )
        server.answers = lambda body: answers(sent_in(body))
        given = {**alias, "base_url": f"http://127.0.0.1:{server.port}{spoken.path}", "timeout": 10}
        given = llm_settings(**{**given, "concurrency": 1, "attempts": 2, **settings})
        gateway = Gateway(state, {"default": given}, backoff=0.001)
        opened.append(gateway.close)
        before = [{"role": "system", "content": SYSTEM}]
        calls = [Call([*before, *user(text)], spec.for_row({})) for text in TEXTS]
        return server, gateway.ask("default", calls, node="notes", run_id="r")

    yield ask
    for close in reversed(opened):
        close()


def sent_in(body):
    """Return the roles of a request and all that it says, in whichever format it is."""
    turns = body.get("contents") or body["messages"]
    system = body.get("system") or (body.get("systemInstruction") or {}).get("parts")
    roles = [*(["system"] if system else []), *(turn["role"] for turn in turns)]
    return roles, json.dumps(body)


def no_system(sent):
    return "System role not supported" if "system" in sent[0] else None


def one_turn(sent):
    return "Conversation roles must alternate user/assistant" if len(sent[0]) > 1 else None


@pytest.mark.parametrize("way", WAYS)
def test_the_system_s_text_is_put_before_the_user_s(ask, note, way):
    server, answers = ask(way, no_system, lambda _sent: GOOD, note)
    assert [answer.value for answer in answers] == [{"text": "fine"}] * 3
    assert server.requests == PARTS["system role not supported"][2]
    roles, said = sent_in(server.bodies[-1])
    assert roles == ["user"]
    assert said.index(SYSTEM) < said.index(TEXTS[-1])


@pytest.mark.parametrize("way", WAYS)
def test_a_conversation_is_put_into_one_message(ask, note, way):
    corrected = lambda sent: GOOD if "You answered" in sent[1] else BAD  # noqa: E731
    server, answers = ask(way, one_turn, corrected, note)
    assert {answer.status for answer in answers} == {"ok"}
    assert server.requests == PARTS["roles must alternate"][2]
    assert sent_in(server.bodies[-1])[0] == ["user"]


def test_a_schema_in_words_needs_no_message_of_the_system(ask, note):
    way = "openai through instructor"
    server, answers = ask(way, no_system, lambda _sent: GOOD, note, mode="json")
    assert {answer.status for answer in answers} == {"ok"}
    assert server.requests == 4
    assert "JSON schema" in server.bodies[-1]["messages"][0]["content"]


def test_gemma_at_google_has_its_own_words_for_it(ask, note):
    def gemma(sent):
        said = "Developer instruction is not enabled for models/gemma-3-27b-it"
        return said if "system" in sent[0] else None

    server, answers = ask("google through instructor", gemma, lambda _sent: GOOD, note)
    assert {answer.status for answer in answers} == {"ok"}
    assert server.requests == 4


def test_a_complaint_that_stays_is_an_error_once_all_of_it_is_given_up(ask, note):
    sent_roles = []

    def picky(sent):
        sent_roles.append(sent[0])
        return "roles must alternate"

    with pytest.raises(LLMError, match="alternate"):
        ask("anthropic", picky, lambda _sent: GOOD, note)
    # Rows from three places are tried, as one of them may have been refused for its own sake.
    assert sent_roles == [["system", "user"], *[["user"]] * 3]
