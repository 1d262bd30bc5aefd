"""Ways to get an answer that fits a schema: chosen, or found out once and remembered."""

from __future__ import annotations

import asyncio
import sqlite3

import pytest

from lupom.engine.errors import LLMError
from lupom.engine.llm.gateway import Call
from lupom.engine.llm.providers.capabilities import Capabilities
from lupom.engine.state import State
from tests.support.gateways import make_gateway, user
from tests.support.llm_server import Fault

TEXTS = [f"Question {i}" for i in range(12)]
OPTIONS = {"options": ["Yes", "No"]}


def way(body):
    """How a request asked for its answer."""
    if "tools" in body:
        return "tools"
    kind = (body.get("response_format") or {}).get("type")
    return kind or ("told" if "JSON schema" in body["messages"][-1]["content"] else "plain")


def ways(server):
    return [way(body) for body in server.bodies]


@pytest.mark.parametrize(
    ("offered", "expected"),
    [
        ({}, "json_schema"),
        ({"json_schema": "reject"}, "tools"),
        ({"json_schema": "reject", "tools": "reject"}, "json_object"),
        ({"json_schema": "reject", "tools": "reject", "json_object": "reject"}, "told"),
        ({"json_schema": "ignore"}, "tools"),
        ({"json_schema": "ignore", "tools": "ignore"}, "json_object"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else value,
)
def test_what_an_endpoint_offers_is_found_out_by_its_first_request(
    ask, note, server, state, offered, expected
):
    for name, does in offered.items():
        setattr(server, name, does)
    answers = ask(note, TEXTS, concurrency=6)
    assert {a.status for a in answers} == {"ok"}
    # The others were not sent before it was known.
    found_out = len(offered)
    assert ways(server)[found_out:] == [expected] * len(TEXTS)
    # Another process knows it from the start.
    server.reset()
    ask(note, ["a new question"], concurrency=6)
    assert ways(server) == [expected]


@pytest.mark.parametrize(
    ("mode", "expected"),
    [("json_schema", "json_schema"), ("tools", "tools"), ("json", "json_object")],
)
def test_a_mode_may_be_set(ask, note, server, mode, expected):
    answers = ask(note, TEXTS[:3], mode=mode)
    assert {a.status for a in answers} == {"ok"}
    assert ways(server) == [expected] * 3


def test_a_mode_that_is_set_is_not_given_up(ask, note, server):
    server.json_schema = "reject"
    with pytest.raises(LLMError, match="'json_schema' is not supported"):
        ask(note, TEXTS, mode="json_schema", concurrency=1)
    assert server.requests == 1


def test_a_mode_is_in_no_key(ask, note, server):
    ask(note, ["Question"])
    ask(note, ["Question"], mode="tools")
    assert server.requests == 1


def test_the_tool_is_demanded_by_its_name_with_the_row_s_schema(ask, note, server):
    (answer,) = ask(note, ["Question"], mode="tools")
    (body,) = server.bodies
    assert body["tools"][0]["function"]["parameters"] == note.for_row({}).schema
    assert body["tool_choice"] == {"type": "function", "function": {"name": "Note"}}
    assert answer.value == {"text": answer.value["text"]}


def test_a_tool_is_demanded_as_firmly_as_the_endpoint_takes_it(ask, note, server):
    def faults(_number, body):
        if body.get("tool_choice", "auto") != "auto":
            return Fault(status=400, message="tool_choice must be auto", param="tool_choice")
        return None

    server.faults = faults
    answers = ask(note, TEXTS[:3], mode="tools", concurrency=1)
    assert {a.status for a in answers} == {"ok"}
    assert [body["tool_choice"] for body in server.bodies][1:] == ["required", *["auto"] * 3]


def test_a_choice_is_asked_where_its_distribution_comes_with_it(ask, choice, server):
    server.json_schema = "reject"
    server.distribution = lambda labels: {"A": 0.25, "B": 0.75}
    (answer,) = ask(choice, ["Question"], values=OPTIONS)
    assert ways(server) == ["json_schema", "json_object"]
    assert answer.probabilities == pytest.approx({"Yes": 0.25, "No": 0.75})
    # Without log-probabilities there is nothing to lose.
    (answer,) = ask(choice, ["Another"], values=OPTIONS, logprobs=False)
    assert ways(server)[-1] == "tools"
    assert answer.probabilities is None


def test_that_there_are_no_log_probabilities_is_remembered_too(ask, choice, server):
    server.logprobs = "reject"
    ask(choice, ["Question"], values=OPTIONS)
    assert server.requests == 2
    ask(choice, ["Another"], values=OPTIONS)
    assert server.requests == 3


def test_one_bad_answer_of_an_endpoint_that_is_known_changes_nothing(ask, note, server):
    ask(note, ["Question"])
    server.answers = lambda body: "I would rather not." if len(body["messages"]) == 1 else None
    (answer,) = ask(note, ["Another"])
    assert answer.status == "ok"
    assert ways(server) == ["json_schema"] * 3


def test_the_first_request_may_fail_without_holding_up_the_others(server, state, note):
    server.faults = lambda number, _body: Fault(status=404) if number == 1 else None
    server.latency = 0.02
    gateway = make_gateway(server.base_url, state, concurrency=4)
    calls = [Call(user(text), note.for_row({})) for text in TEXTS]
    with pytest.raises(LLMError):
        gateway.ask("default", calls, node="n", run_id="r")
    gateway.close()
    assert server.requests == 4


def test_what_is_remembered_is_forgotten_after_a_month(tmp_path):
    capabilities = {"mode": "tools"}
    with State(tmp_path / "state.db") as state:
        asyncio.run(state.record_capabilities("endpoint", capabilities))
        assert state.capabilities("endpoint") == capabilities
        assert state.capabilities("another") is None
        asyncio.run(state.record_capabilities("endpoint", {"mode": "json"}))
        assert state.capabilities("endpoint") == {"mode": "json"}
    with sqlite3.connect(tmp_path / "state.db") as database:
        database.execute("update manners set updated_at = '2020-01-01T00:00:00.000+00:00'")
    with State(tmp_path / "state.db") as state:
        assert state.capabilities("endpoint") is None


def test_debug_says_how_an_endpoint_is_asked(server, state, note):
    gateway = make_gateway(server.base_url, state)
    assert "answers by" not in gateway.check("default")
    gateway.ask("default", [Call(user("q"), note.for_row({}))], node="n", run_id="r")
    assert gateway.check("default").endswith("; answers by JSON schema, log-probabilities")
    gateway.close()


def test_modes_go_from_the_strictest_to_words():
    capabilities = Capabilities()
    seen = [capabilities.mode]
    while capabilities.weaken():
        seen.append(capabilities.mode)
    assert seen == ["json_schema", "tools", "json"]
