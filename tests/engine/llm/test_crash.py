"""kill -9 at any moment: only what had not come back is asked again."""

from __future__ import annotations

import json
import os
import signal

from lupom.engine.state import State
from tests.support.crashing import ask, start
from tests.support.google_server import GoogleServer


def test_killed_in_the_middle_only_what_had_not_come_back_is_asked(note, server, tmp_path):
    count, places, killed_at = 40, 4, 22
    process = None

    def kill(_body):
        if process is not None and server.requests == killed_at:
            os.kill(process.pid, signal.SIGKILL)

    server.answers, server.latency = kill, 0.005
    given = str(tmp_path), server.base_url, str(count), str(places)
    process = start(*given)
    assert process.wait(120) == -signal.SIGKILL
    with State(tmp_path / "state.db") as state:
        kept = [row for row in state.calls_since(0) if row["status"] == "ok"]
    assert killed_at - places <= len(kept) < killed_at
    first = server.requests
    server.reset()
    # The second one may make as many requests as the first had made, and is not to be killed.
    process = None
    assert ask(*given) == count
    assert server.requests == count - len(kept)
    # All in all: one request a row, and those that were in flight when it was killed.
    assert first + server.requests <= count + places


def test_killed_between_two_attempts_the_first_is_not_asked_again(note, server, tmp_path):
    process = None

    def answers(body):
        if len(body["messages"]) == 1:
            return {"text": ["no", "text"]}
        if process is not None:
            os.kill(process.pid, signal.SIGKILL)
        return {"text": "fine"}

    server.answers, server.latency = answers, 0.005
    given = str(tmp_path), server.base_url, "1", "1"
    process = start(*given)
    assert process.wait(120) == -signal.SIGKILL
    with State(tmp_path / "state.db") as state:
        (row,) = state.calls_since(0)
    assert (row["status"], row["attempts"]) == ("pending", 1)
    server.reset()
    process = None
    assert ask(*given) == 1
    (body,) = server.bodies
    assert [m["role"] for m in body["messages"]] == ["user", "assistant", "user"]
    assert "should be a valid string" in body["messages"][-1]["content"]
    with State(tmp_path / "state.db") as state:
        (row,) = state.calls_since(0)
    assert (row["status"], row["attempts"]) == ("ok", 2)
    assert json.loads(row["answer"]) == {"text": "fine"}


def test_killed_while_instructor_asks_only_what_had_not_come_back_is_asked(note, tmp_path):
    """note: its class stands in tmp_path, where the process loads it from."""
    count, places, killed_at = 20, 4, 11
    process = None
    with GoogleServer() as server:

        def kill(number, _body):
            if process is not None and number == killed_at:
                os.kill(process.pid, signal.SIGKILL)

        server.faults, server.latency = kill, 0.005
        given = str(tmp_path), server.url, str(count), str(places), "instructor", "google/g"
        process = start(*given)
        assert process.wait(60) == -signal.SIGKILL
        with State(tmp_path / "state.db") as state:
            kept = [row for row in state.calls_since(0) if row["status"] == "ok"]
        assert killed_at - places <= len(kept) < killed_at
        server.faults = None
        server.reset()
        assert ask(*given) == count
        assert server.requests == count - len(kept)
