"""Batches: submitted, found again by a later process, collected, and paid for at half the price."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from lupom.engine.errors import BudgetError, LLMError, WaitingError
from lupom.engine.llm.budget import Budget, Pot
from lupom.engine.llm.gateway import Call
from lupom.engine.project.providers import LLMSettings
from lupom.engine.state import State
from tests.support.gateways import make_gateway, user
from tests.support.llm_server import Fault, fail_first

TEXTS = [f"Question {i:02d}" for i in range(12)]
PRICE = {"input": 2.0, "output": 8.0}


@pytest.fixture
def go(server, state, note):
    """Return a function that asks texts as a process of its own would."""

    def go(texts=TEXTS, *, budget=None, spec=note, **settings):
        gateway = make_gateway(server.base_url, state, batch=True, **settings)
        gateway.budget = budget
        calls = [Call(user(text), spec.for_row({})) for text in texts]
        try:
            return gateway.ask("default", calls, node="notes", run_id="r")
        finally:
            gateway.close()

    return go


def test_calls_are_submitted_by_one_and_collected_by_the_next(go, server, state):
    with pytest.raises(WaitingError, match="12 calls are out in a batch"):
        go(price=PRICE)
    (batch,) = server.batched
    assert sorted(body["messages"][0]["content"] for body in batch) == TEXTS
    assert batch[0]["response_format"]["type"] == "json_schema"
    answers = go(price=PRICE)
    assert {a.status for a in answers} == {"ok"}
    assert not any(a.cached for a in answers)
    assert len(server.batched) == 1
    # No request but those for the batch was made.
    assert server.answered == 0
    rows = state.calls_since(0)
    taken = [(row["tokens_in"] * 2.0 + row["tokens_out"] * 8.0) / 1e6 for row in rows]
    assert [row["cost"] for row in rows] == pytest.approx([cost / 2 for cost in taken])
    assert all(a.cached for a in go())
    assert len(server.batched) == 1


def test_while_it_is_out_nothing_is_submitted_twice(go, server):
    server.batches = "wait"
    for _ in range(3):
        with pytest.raises(WaitingError):
            go()
    assert len(server.batched) == 1
    # What is new goes into a batch of its own.
    with pytest.raises(WaitingError, match="13 calls"):
        go([*TEXTS, "a new one"])
    assert [len(batch) for batch in server.batched] == [12, 1]
    server.batches = "complete"
    assert {a.status for a in go([*TEXTS, "a new one"])} == {"ok"}
    assert len(server.batched) == 2


def test_a_call_is_the_same_with_and_without_a_batch(go, server, ask, note):
    ask(note, TEXTS[:5])
    with pytest.raises(WaitingError, match="7 calls"):
        go()
    go()
    ask(note, TEXTS)
    assert server.answered == 5


def test_invalid_answers_are_asked_again_with_the_error_in_the_next_batch(go, server, state):
    server.answers = lambda body: (
        {"text": ["no", "text"]} if "03" in body["messages"][0]["content"] else None
    )
    with pytest.raises(WaitingError, match="12 calls"):
        go(attempts=2)
    with pytest.raises(WaitingError, match="1 calls"):
        go(attempts=2)
    (again,) = server.batched[1]
    assert [m["role"] for m in again["messages"]] == ["user", "assistant", "user"]
    answers = go(attempts=2)
    assert [a.status for a in answers].count("invalid") == 1
    assert len(server.batched) == 2
    (row,) = [row for row in state.calls_since(0) if row["status"] == "invalid"]
    assert row["attempts"] == 2


@pytest.mark.parametrize("words", ["maximum context length is 9 tokens", "Content Exists Risk"])
def test_what_the_provider_refuses_is_quarantined_and_the_rest_counts(go, server, words):
    long = Fault(status=400, message=words)
    server.answers = lambda body: long if "03" in body["messages"][0]["content"] else None
    with pytest.raises(WaitingError):
        go()
    answers = go()
    assert [a.status for a in answers].count("ok") == 11
    assert words in answers[3].error


def test_a_batch_none_of_which_got_through_is_an_error(go, server):
    server.answers = lambda _body: Fault(status=404, message="there is no such model")
    with pytest.raises(WaitingError):
        go()
    with pytest.raises(LLMError, match="there is no such model"):
        go()
    server.answers = None
    with pytest.raises(WaitingError):
        go()
    assert {a.status for a in go()} == {"ok"}


def test_a_batch_that_fails_as_a_whole_says_why(go, server):
    server.batches = "fail"
    with pytest.raises(WaitingError):
        go()
    with pytest.raises(LLMError, match="the batch batch-0 failed: the file is no good"):
        go()


def test_of_a_batch_that_expires_the_answers_are_kept_and_the_rest_goes_again(go, server):
    server.batches = "expire"
    with pytest.raises(WaitingError, match="12 calls"):
        go()
    with pytest.raises(WaitingError, match="6 calls"):
        go()
    server.batches = "complete"
    assert {a.status for a in go()} == {"ok"}
    assert [len(batch) for batch in server.batched] == [12, 6]


def test_a_prompt_changed_meanwhile_loses_no_answer(go, server):
    with pytest.raises(WaitingError):
        go(["before"])
    with pytest.raises(WaitingError, match="1 calls"):
        go(["after"])
    # Changed back: what the first batch brought is in the ledger.
    (answer,) = go(["before"])
    assert (answer.status, answer.cached) == ("ok", True)
    assert [len(batch) for batch in server.batched] == [1, 1]


@pytest.mark.parametrize("kind", ["status", "reset"])
def test_a_failure_while_it_is_created_makes_one_batch(go, server, kind):
    server.faults = fail_first(1, Fault(kind))
    with pytest.raises(WaitingError):
        go()
    assert len(server.batched) == 1
    server.faults = None
    assert {a.status for a in go()} == {"ok"}
    assert len(server.batched) == 1


def test_a_budget_is_asked_before_it_is_submitted(go, server, state):
    with pytest.raises(BudgetError):
        go(budget=Budget(Pot("b", tokens=1000)))
    assert server.batched == []
    with pytest.raises(WaitingError):
        go(budget=Budget(Pot("b", tokens=40_000)), price=PRICE)
    tokens, money = state.promised()
    assert 12 * 2048 < tokens < 40_000
    assert money > 0
    # To collect what was paid for takes nothing of a budget.
    go(budget=Budget(Pot("b", tokens=0)))
    assert state.promised() == (0, 0.0)


SCRIPT = """
import sys
from pathlib import Path
from lupom.engine.llm.gateway import Call
from lupom.engine.llm.responses import load_response
from lupom.engine.state import State
from tests.engine.llm.conftest import make_gateway, user

folder, url = Path(sys.argv[1]), sys.argv[2]
note = load_response(folder / "responses.py", "Note")
with State(folder / "state.db") as state:
    gateway = make_gateway(url, state, batch=True)
    calls = [Call(user(f"Question {i:02d}"), note.for_row({})) for i in range(12)]
    gateway.ask("default", calls, node="notes", run_id="r")
"""


def test_killed_when_it_was_created_and_not_yet_known_it_is_found_again(
    server, tmp_path, note, go, state
):
    process = None

    def faults(_number, _body):
        # The batch is made, and the one who asked for it is gone before it hears so.
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        return Fault("reset")

    server.faults = faults
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(tmp_path), server.base_url],
        cwd=Path(__file__).parents[3],
    )
    assert process.wait(30) == -signal.SIGKILL
    server.faults = None
    assert {a.status for a in go()} == {"ok"}
    assert len(server.batched) == 1


def test_killed_before_it_was_created_it_is_created_anew(server, tmp_path, note, go):
    import asyncio

    with State(tmp_path / "state.db") as state:
        gateway = make_gateway(server.base_url, state, batch=True)
        endpoint = gateway._client("default").endpoint
        gateway.close()
        fields = {"alias": "default", "node": "notes", "run_id": "r", "calls": []}
        asyncio.run(state.begin_batch("token", endpoint=endpoint, **fields))
    with pytest.raises(WaitingError, match="12 calls"):
        go()
    assert {a.status for a in go()} == {"ok"}


def test_batches_are_for_openai_and_bedrock_aliases():
    kinds = LLMSettings.kinds(installed=False)
    assert {n for n, kind in kinds.items() if "batch" in kind.model_fields} == {"openai", "bedrock"}
