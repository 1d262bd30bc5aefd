"""Bedrock's batch inference: an unmodified boto3, files in moto's S3, jobs on a server of ours."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from lupom.engine.errors import BudgetError, LLMError, WaitingError
from lupom.engine.llm.budget import Budget, Pot
from lupom.engine.llm.gateway import Call, Gateway
from lupom.engine.llm.together import Together
from lupom.engine.project.providers import llm_settings
from tests.support.bedrock_jobs import JobServer
from tests.support.bedrock_server import Fault
from tests.support.gateways import user

pytest.importorskip("boto3")
pytest.importorskip("moto")
s3_servers = pytest.importorskip("tests.support.s3_servers")

TEXTS = [f"Question {i:02d}" for i in range(12)]
ROLE = "arn:aws:iam::123456789012:role/batches"
SETTINGS = {
    **{"provider": "bedrock", "model": "global.anthropic.claude-sonnet-4-6", "timeout": 10},
    **{"batch": True, "batch_minimum": 5, "batch_uri": "s3://study/calls", "batch_role": ROLE},
}
PRICE = {"input": 2.0, "output": 8.0}


@pytest.fixture(scope="module")
def s3():
    with s3_servers.moto() as address:
        s3_servers.client(address).create_bucket(Bucket="study")
        yield address


@pytest.fixture
def server(s3, monkeypatch):
    s3_servers.keyed(monkeypatch)
    with JobServer(s3=s3_servers.client(s3)) as running:
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", s3)
        monkeypatch.setenv("AWS_ENDPOINT_URL_BEDROCK", running.url)
        monkeypatch.setenv("AWS_ENDPOINT_URL_BEDROCK_RUNTIME", running.url)
        yield running


@pytest.fixture
def go(server, state, note):
    """Return a function that asks texts as a process of its own would."""

    def go(texts=TEXTS, *, budget=None, **settings):
        given = llm_settings(**{**SETTINGS, **settings})
        with Gateway(state, {"default": given}, backoff=0.001) as gateway:
            gateway.budget = budget
            calls = [Call(user(text), note.for_row({})) for text in texts]
            return gateway.ask("default", calls, node="notes", run_id="r")

    return go


def sizes(server):
    """The records of each job, and the calls made on demand."""
    return [len(records) for records in server.batched], server.answered


def test_a_job_is_submitted_by_one_run_and_collected_by_the_next(go, server, state):
    with pytest.raises(WaitingError, match="12 calls are out in a batch"):
        go(price=PRICE)
    (job,) = server.jobs
    assert (job["roleArn"], job["modelId"]) == (ROLE, SETTINGS["model"])
    assert job["modelInvocationType"] == "Converse"
    assert job["inputDataConfig"]["s3InputDataConfig"]["s3Uri"].startswith("s3://study/calls/")
    (records,) = server.batched
    assert [r["modelInput"]["messages"][0]["content"][0]["text"] for r in records] == TEXTS
    assert all("outputConfig" in record["modelInput"] for record in records)
    assert len({record["recordId"] for record in records}) == 12
    answers = go(price=PRICE)
    assert {a.status for a in answers} == {"ok"}
    assert not any(a.cached for a in answers)
    rows = state.calls_since(0)
    taken = [(row["tokens_in"] * 2.0 + row["tokens_out"] * 8.0) / 1e6 for row in rows]
    assert [row["cost"] for row in rows] == pytest.approx([cost / 2 for cost in taken])
    assert all(a.cached for a in go())
    assert sizes(server) == ([12], 0)


def test_answers_find_their_calls_in_whatever_order_they_come(go, server):
    server.answers = lambda body: {"text": body["messages"][0]["content"][0]["text"][-2:]}
    with pytest.raises(WaitingError):
        go()
    assert [a.value["text"] for a in go()] == [text[-2:] for text in TEXTS]


@pytest.mark.parametrize(
    "model", ["anthropic.claude-3-haiku-20240307-v1:0", "mistral.mistral-large-2402-v1:0"]
)
def test_a_model_that_is_asked_by_tools_has_its_schema_in_the_prompt(go, server, model):
    with pytest.raises(WaitingError):
        go(model=model)
    assert {a.status for a in go(model=model)} == {"ok"}
    assert not any("toolConfig" in record["modelInput"] for record in server.batched[0])


def test_rows_asked_together_go_out_in_one_record_and_each_comes_back_by_itself(
    server, state, note
):
    def ask(most=4):
        together = Together(most, lambda rows: user("\n".join(row["text"] for row, _ in rows)))
        response = note.for_row({})
        calls = [
            Call(user(text), response, together=together, row={"text": text}) for text in TEXTS
        ]
        with Gateway(
            state, {"default": llm_settings(**{**SETTINGS, "batch_minimum": 3})}
        ) as gateway:
            return gateway.ask("default", calls, node="notes", run_id="r")

    def answers(body):
        texts = body["messages"][0]["content"][0]["text"].splitlines()
        return {f"r{i}": {"text": text[-2:]} for i, text in enumerate(texts, 1)}

    server.answers = answers
    with pytest.raises(WaitingError, match="12 calls are out in a batch"):
        ask()
    assert sizes(server) == ([3], 0)
    found = ask()
    assert [a.value["text"] for a in found] == [text[-2:] for text in TEXTS]
    rows = state.calls_since(0)
    assert len({row["key"] for row in rows}) == len(rows) == 12
    assert {row["status"] for row in rows} == {"ok"}
    # However many share a record, the answers are there.
    assert all(a.cached for a in ask(most=2))
    assert sizes(server) == ([3], 0)


def test_records_have_no_cache_points(go, server):
    """AWS describes prompt caching for calls on demand, not for jobs; no plan counts on it."""
    long = "What is the same for all.\n" * 800
    with pytest.raises(WaitingError):
        go([long + text for text in TEXTS])
    assert not any("cachePoint" in str(record) for record in server.batched[0])
    go([long + text for text in TEXTS[:4]], batch=False, max_tokens=99)
    assert all("cachePoint" in str(body) for body in server.bodies)
    assert llm_settings(**SETTINGS).cached_from == 0
    assert llm_settings(**{**SETTINGS, "batch": False}).cached_from > 0


def test_while_it_is_out_nothing_is_submitted_twice(go, server):
    server.outcome = "InProgress"
    for _ in range(3):
        with pytest.raises(WaitingError):
            go()
    more = [f"Another {i}" for i in range(6)]
    with pytest.raises(WaitingError, match="18 calls"):
        go([*TEXTS, *more])
    assert sizes(server) == ([12, 6], 0)
    server.outcome = "Completed"
    assert {a.status for a in go([*TEXTS, *more])} == {"ok"}
    assert sizes(server) == ([12, 6], 0)


def test_calls_too_few_for_a_job_are_made_at_once_at_the_full_price(go, server, state):
    answers = go(TEXTS[:4], price=PRICE)
    assert {a.status for a in answers} == {"ok"}
    assert sizes(server) == ([], 4)
    for row in state.calls_since(0):
        taken = (row["tokens_in"] * 2.0 + row["tokens_out"] * 8.0) / 1e6
        assert row["cost"] == pytest.approx(taken)


def test_an_alias_that_is_asked_one_by_one_again_waits_for_what_is_out(go, server, state):
    server.outcome = "InProgress"
    with pytest.raises(WaitingError):
        go(price=PRICE)
    # One more call is made at once; those that are out are not paid for a second time.
    with pytest.raises(WaitingError, match="12 calls"):
        go([*TEXTS, "another"], price=PRICE, batch=False)
    assert sizes(server) == ([12], 1)
    server.outcome = "Completed"
    assert {a.status for a in go(price=PRICE, batch=False)} == {"ok"}
    assert sizes(server) == ([12], 1)
    full = [(row["tokens_in"] * 2 + row["tokens_out"] * 8) / 1e6 for row in state.calls_since(0)]
    costs = sorted(row["cost"] / most for row, most in zip(state.calls_since(0), full, strict=True))
    assert costs == pytest.approx([0.5] * 12 + [1.0])


def test_invalid_answers_are_asked_again_with_the_error(go, server, state):
    def answers(body):
        wrong = any(n in body["messages"][0]["content"][0]["text"] for n in ("03", "05", "07"))
        return {"text": ["no", "text"]} if wrong else None

    server.answers = answers
    with pytest.raises(WaitingError, match="12 calls"):
        go(attempts=2, batch_minimum=3)
    with pytest.raises(WaitingError, match="3 calls"):
        go(attempts=2, batch_minimum=3)
    for record in server.batched[1]:
        roles = [message["role"] for message in record["modelInput"]["messages"]]
        assert roles == ["user", "assistant", "user"]
    answers = go(attempts=2, batch_minimum=3)
    assert [a.status for a in answers].count("invalid") == 3
    assert sizes(server) == ([12, 3], 0)


def test_a_record_that_is_refused_is_quarantined_and_one_that_failed_goes_again(go, server):
    def errors(body):
        text = body["messages"][0]["content"][0]["text"]
        if "03" in text:
            return {"errorCode": 400, "errorMessage": "Input is too long for requested model."}
        passing = {"errorCode": 500, "errorMessage": "Internal error"}
        return passing if "04" in text and len(server.jobs) == 1 else None

    server.errors = errors
    with pytest.raises(WaitingError):
        go()
    answers = go()
    # The one that failed was too few for a job of its own.
    assert [a.status for a in answers].count("ok") == 11
    assert "too long" in answers[3].error
    assert sizes(server) == ([12], 1)


def test_a_job_none_of_which_got_through_is_an_error(go, server):
    server.errors = lambda _: {"errorCode": 400, "errorMessage": "the schema is not supported"}
    with pytest.raises(WaitingError):
        go()
    with pytest.raises(LLMError, match="the schema is not supported"):
        go()
    assert sizes(server) == ([12], 0)


def test_a_job_that_fails_says_why(go, server):
    server.outcome = "Failed"
    with pytest.raises(WaitingError):
        go()
    with pytest.raises(LLMError, match="failed: the role may not read the input"):
        go()
    server.outcome = "Completed"
    with pytest.raises(WaitingError):
        go()
    assert {a.status for a in go()} == {"ok"}
    assert sizes(server) == ([12, 12], 0)


@pytest.mark.parametrize("outcome", ["Expired", "Stopped", "PartiallyCompleted"])
def test_of_a_job_that_ends_early_the_answers_are_kept_and_the_rest_goes_again(go, server, outcome):
    server.outcome = outcome
    with pytest.raises(WaitingError, match="12 calls"):
        go()
    with pytest.raises(WaitingError, match="6 calls"):
        go()
    server.outcome = "Completed"
    assert {a.status for a in go()} == {"ok"}
    assert sizes(server) == ([12, 6], 0)


@pytest.mark.parametrize(
    "fault", [Fault(), Fault("reset"), Fault(code="ThrottlingException")], ids=lambda f: f.code
)
def test_a_failure_while_it_is_created_makes_one_job(go, server, fault):
    server.job_faults = lambda number, _: fault if number == 1 else None
    with pytest.raises(WaitingError):
        go()
    assert {a.status for a in go()} == {"ok"}
    assert sizes(server) == ([12], 0)


def test_what_the_caller_may_not_do_is_said_with_what_it_takes(go, server):
    server.job_faults = lambda *_: Fault(code="AccessDeniedException", message="no PassRole")
    with pytest.raises(LLMError, match="Bedrock says AccessDeniedException") as caught:
        go()
    assert "iam:PassRole" in caught.value.hint
    with pytest.raises(LLMError, match="S3 says NoSuchBucket"):
        go(batch_uri="s3://nowhere/calls")
    assert sizes(server) == ([], 0)


def test_a_budget_is_asked_before_a_job_is_submitted(go, server, state):
    with pytest.raises(BudgetError):
        go(budget=Budget(Pot("b", tokens=1000)))
    assert server.jobs == []
    with pytest.raises(WaitingError):
        go(budget=Budget(Pot("b", tokens=40_000)), price=PRICE)
    assert state.promised()[0] > 12 * 2048
    go(budget=Budget(Pot("b", tokens=0)))
    assert state.promised() == (0, 0.0)


SCRIPT = f"""
import sys
from pathlib import Path
from lupom.engine.llm.gateway import Call, Gateway
from lupom.engine.llm.responses import load_response
from lupom.engine.project.providers import llm_settings
from lupom.engine.state import State
from tests.engine.llm.conftest import user

folder = Path(sys.argv[1])
note = load_response(folder / "responses.py", "Note")
with State(folder / "state.db") as state:
    gateway = Gateway(state, {{"default": llm_settings(**{SETTINGS!r})}})
    calls = [Call(user(f"Question {{i:02d}}"), note.for_row({{}})) for i in range(12)]
    gateway.ask("default", calls, node="notes", run_id="r")
"""


def test_killed_when_it_was_created_and_not_yet_known_it_is_found_again(server, tmp_path, go):
    process = None

    def faults(_number, _body):
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        return Fault("reset")

    server.job_faults = faults
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(tmp_path)], cwd=Path(__file__).parents[3]
    )
    assert process.wait(30) == -signal.SIGKILL
    server.job_faults = None
    assert {a.status for a in go()} == {"ok"}
    assert sizes(server) == ([12], 0)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"batch_uri": None}, "needs 'batch_uri'"),
        ({"batch_role": None}, "needs 'batch_role'"),
        ({"batch_uri": "study/calls"}, "s3://bucket/prefix"),
        ({"batch_role": "batches"}, "arn:aws:iam"),
        ({"mode": "tools"}, "take no tools"),
    ],
)
def test_settings_that_no_job_can_be_made_with_are_refused(changed, said):
    with pytest.raises(ValueError, match=said):
        llm_settings(**{**SETTINGS, **changed})
