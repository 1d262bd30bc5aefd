"""The server of the ledger goes away while calls are asked."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from lupom.engine.errors import StateError
from lupom.engine.llm.gateway import Call
from lupom.engine.state import Location, State, location_of
from lupom.engine.state.transfer import take_back
from tests.support.gateways import make_gateway, user

TEXTS = [f"Question {i:03d}" for i in range(30)]


@pytest.fixture
def where(postgres, tmp_path: Path) -> Location:
    return location_of(postgres.database(), tmp_path)


def ask(state, spec, server):
    gateway = make_gateway(server.base_url, state, concurrency=4)
    calls = [Call(user(text), spec.for_row({})) for text in TEXTS]
    try:
        return gateway.ask("default", calls, node="notes", run_id="r")
    finally:
        gateway.close()


def crash_at(server, postgres, number: int) -> None:
    """Crash the ledger's server while a request is in flight, so that its answer finds none."""
    lock = threading.Lock()

    def answers(_body):
        with lock:
            if server.requests == number and not crashed:
                crashed.append(number)
                postgres.stop()

    crashed: list[int] = []
    server.answers, server.latency = answers, 0.005


def test_it_pauses_says_so_once_and_goes_on_with_nothing_lost(
    where, note, server, postgres, tmp_path
):
    said: list[str] = []

    def say(text: str) -> None:
        said.append(text)
        if "is gone" in text:
            # By now it is written down what could not be committed.
            threading.Thread(target=postgres.start).start()

    crash_at(server, postgres, 12)
    with State(where, folder=tmp_path / ".lupom", say=say) as state:
        answers = ask(state, note, server)
        assert len(state.calls_since(0)) == len(TEXTS)
    assert [answer.status for answer in answers] == ["ok"] * len(TEXTS)
    assert server.requests == len(TEXTS)
    assert ["is gone" in text for text in said] == [True, False]
    assert said[1].startswith("The ledger is back")
    assert "s3cret" not in "".join(said)
    assert list((tmp_path / ".lupom").iterdir()) == []


def test_gone_for_too_long_it_stops_and_the_next_run_has_the_answers(
    where, note, server, postgres, tmp_path
):
    folder = tmp_path / ".lupom"
    crash_at(server, postgres, 12)
    said: list[str] = []
    state = State(where, folder=folder, wait=0.5, lease=1.0, say=said.append)
    with pytest.raises(StateError, match=r"the ledger at postgresql://lupom:\*\*\*@.* was gone"):
        ask(state, note, server)
    state.close()
    assert len(said) == 1
    first = server.requests
    (left,) = folder.glob("unwritten-*.jsonl")
    assert left.read_text().count("\n") >= 1
    postgres.start()
    server.answers = None
    with State(where, folder=folder) as state:
        assert take_back(state, folder) >= 1
        assert list(folder.iterdir()) == []
        answers = ask(state, note, server)
    assert [answer.status for answer in answers] == ["ok"] * len(TEXTS)
    # Not one answer that had come was asked again.
    assert server.requests == len(TEXTS)
    assert first < len(TEXTS)
