"""How an OpenAI-compatible address is spoken to, and what is learnt from its complaints."""

from __future__ import annotations

import pytest

from lupom.engine.llm.gateway import Call
from tests.support.gateways import make_gateway, user
from tests.support.llm_server import Fault, LLMServer

OPTIONS = {"options": ["Yes", "No"]}


def test_a_request_says_what_is_wanted_and_no_more(ask, note, server):
    ask(note, ["Question"], max_tokens=99, extra={"top_p": 0.9})
    assert server.bodies == [
        {
            "model": "test-model",
            "messages": user("Question"),
            "response_format": {
                "type": "json_schema",
                "json_schema": {
                    "name": "Note",
                    "schema": note.for_row({}).schema,
                    "strict": True,
                },
            },
            "max_tokens": 99,
            "temperature": 0.0,
            "top_p": 0.9,
        }
    ]


def test_headers_of_the_alias_are_sent(ask, note, server):
    ask(note, ["Question"], headers={"X-Team": "survey"})
    assert server.headers[0]["x-team"] == "survey"


def test_log_probabilities_that_are_refused_are_done_without(server, state, choice):
    server.logprobs = "reject"
    gateway = make_gateway(server.base_url, state, concurrency=1)
    calls = [Call(user(f"Question {i}"), choice.for_row(OPTIONS)) for i in range(5)]
    answers = gateway.ask("default", calls, node="n", run_id="r")
    gateway.close()
    assert [a.status for a in answers] == ["ok"] * 5
    assert answers[0].probabilities is None
    # One refusal for the alias, not one for each row.
    assert (server.requests, server.answered) == (6, 5)


def test_schemas_that_are_refused_are_told_in_the_prompt(server, state, note):
    server.json_schema = server.tools = "reject"
    gateway = make_gateway(server.base_url, state, concurrency=1)
    calls = [Call(user(f"Question {i}"), note.for_row({})) for i in range(5)]
    answers = gateway.ask("default", calls, node="n", run_id="r")
    gateway.close()
    assert [a.status for a in answers] == ["ok"] * 5
    last = server.bodies[-1]
    assert last["response_format"] == {"type": "json_object"}
    assert '"maxLength": 20' in last["messages"][-1]["content"]
    # One refusal of a schema and one of a tool for the alias, not for each row.
    assert (server.requests, server.answered) == (7, 5)


def refusing(words, having):
    """Refuse requests that have a parameter, in these words."""
    return lambda _n, body: Fault(status=400, message=words) if having(body) else None


@pytest.mark.parametrize(
    ("words", "having", "kept"),
    [
        (
            "Unsupported parameter: 'max_tokens' is not supported with this model. Use"
            " 'max_completion_tokens' instead.",
            lambda body: "max_tokens" in body,
            "max_completion_tokens",
        ),
        (
            "'temperature' does not support 0.0 with this model",
            lambda body: "temperature" in body,
            "max_tokens",
        ),
        (
            "Invalid schema: 'maxLength' is not permitted",
            lambda body: "maxLength" in str(body["response_format"]),
            "temperature",
        ),
        (
            "response_format is not supported",
            lambda body: "response_format" in body,
            "temperature",
        ),
    ],
    ids=["max_tokens", "temperature", "lengths", "no structure at all"],
)
def test_a_parameter_that_is_refused_is_given_up(ask, note, server, words, having, kept):
    server.faults = refusing(words, having)
    (answer,) = ask(note, ["Question"])
    assert answer.status == "ok"
    assert kept in server.bodies[-1]
    assert not having(server.bodies[-1])


def test_requests_in_flight_together_all_come_through_a_change(ask, note, server):
    server.json_schema, server.latency = "reject", 0.02
    answers = ask(note, [f"Question {i}" for i in range(20)], concurrency=10)
    assert {a.status for a in answers} == {"ok"}
    assert server.answered == 20
    assert server.requests <= 20 + 10


def test_a_refusal_to_answer_is_an_invalid_answer(ask, note, server):
    server.answers = lambda _body: Fault("text", message="I cannot help with that.")
    (answer,) = ask(note, ["Question"], attempts=2)
    assert answer.status == "invalid"
    assert answer.text == "I cannot help with that."


def test_a_check_names_the_model_that_was_likely_meant(state):
    with LLMServer(models=["llama-3.3-70b", "qwen"]) as server:
        gateway = make_gateway(server.base_url, state, model="llama-3.3-70B")
        said = gateway.check("default")
        assert "(it does not list the model; did you mean 'llama-3.3-70b'?)" in said
        gateway.close()
        gateway = make_gateway(server.base_url.removesuffix("/v1"), state)
        assert gateway.check("default").endswith("(it lists no models). Most end in /v1")
        gateway.close()
