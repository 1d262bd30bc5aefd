"""A state database of version 0.1.0 still opens, and what it paid for is not asked again."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from lupom.engine.llm.gateway import Call
from lupom.engine.llm.providers.capabilities import Capabilities, Negotiator
from lupom.engine.llm.responses import load_response
from lupom.engine.state import State
from tests.support.gateways import make_gateway, user

WRITTEN = Path(__file__).with_name("version_0_1_0.sql")
# Where the call was asked; nothing listens there.
ADDRESS = "http://127.0.0.1:9/v1"
NOTE = """
from pydantic import BaseModel, Field


class Note(BaseModel):
    text: str = Field(max_length=20)
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "state.db"
    with sqlite3.connect(path) as database:
        database.executescript(WRITTEN.read_text(encoding="utf-8"))
    return path


def test_runs_batches_and_sums_are_as_they_were(path):
    with State(path) as state:
        (run,) = state.runs()
        assert (run["version"], run["status"], run["arguments"]) == (
            "0.1.0",
            "success",
            {"threads": 2},
        )
        (node,) = state.nodes(run["run_id"])
        assert (node["node"], node["asked"], node["tokens_in"], node["requests"]) == (
            *("notes", 1, 3, 1),
        )
        (batch,) = state.open_batches("e")
        assert (batch["token"], batch["calls"]) == ("token", [{"key": "b"}])
        assert state.promised() == (5, 0.5)
        assert state.ledger.spent() == (2 + 4 + 5, 0.25)
        assert state.embeddings(["e"]) == {"e": b"\0\0\x80?"}


def test_an_answer_it_paid_for_is_not_asked_again(path, tmp_path):
    file = tmp_path / "responses.py"
    file.write_text(NOTE, encoding="utf-8")
    call = Call(user("Question"), load_response(file, "Note").for_row({}))
    with (
        State(path) as state,
        make_gateway(ADDRESS, state, model="model", max_retries=0) as gateway,
    ):
        (answer,) = gateway.ask("default", [call], node="notes", run_id="r")
    assert answer is not None
    assert (answer.status, answer.value, answer.cached) == ("ok", {"text": "kept"}, True)


def test_what_it_found_out_of_an_endpoint_is_known(path):
    identity = {"provider": "openai", "base_url": ADDRESS, "model": "model"}
    with State(path) as state:
        known = Negotiator(identity, "auto", Capabilities(mode="json"), state)
        assert known.described() == "answers by JSON schema, log-probabilities"
        elsewhere = {**identity, "model": "another"}
        assert Negotiator(elsewhere, "auto", Capabilities(), state).described() is None
