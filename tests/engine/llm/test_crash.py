"""kill -9 at any moment: only what had not come back is asked again."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

from lupom.engine.state import State
from tests.support.google_server import GoogleServer
from tests.support.llm_server import LLMServer

SCRIPT = """
import sys
from pathlib import Path
from lupom.engine.llm.gateway import Call
from lupom.engine.llm.responses import load_response
from lupom.engine.state import State
from tests.engine.llm.conftest import make_gateway, user

folder, url, count, concurrency = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
note = load_response(folder / "responses.py", "Note")
with State(folder / "state.db") as state:
    gateway = make_gateway(url, state, concurrency=concurrency)
    calls = [Call(user(f"Question {i:03d}"), note.for_row({})) for i in range(count)]
    print("start", flush=True)
    answers = gateway.ask("default", calls, node="notes", run_id="r")
    gateway.close()
print([a.status for a in answers].count("ok"))
"""


def start(folder: Path, server: LLMServer, count: int, concurrency: int) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(folder), server.base_url, str(count), str(concurrency)],
        cwd=Path(__file__).parents[3],
        stdout=subprocess.PIPE,
        text=True,
    )


def test_killed_in_the_middle_only_what_had_not_come_back_is_asked(note, server, tmp_path):
    count, places, killed_at = 40, 4, 22
    process = None

    def kill(_body):
        if process is not None and server.requests == killed_at:
            os.kill(process.pid, signal.SIGKILL)

    server.answers, server.latency = kill, 0.005
    process = start(tmp_path, server, count, places)
    assert process.wait(120) == -signal.SIGKILL
    with State(tmp_path / "state.db") as state:
        kept = [row for row in state.calls_since(0) if row["status"] == "ok"]
    assert killed_at - places <= len(kept) < killed_at
    first = server.requests
    server.reset()
    # The second one may make as many requests as the first had made, and is not to be killed.
    process, again = None, start(tmp_path, server, count, places)
    out, _ = again.communicate(timeout=120)
    assert out.split() == ["start", str(count)]
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
    process = start(tmp_path, server, 1, 1)
    assert process.wait(120) == -signal.SIGKILL
    with State(tmp_path / "state.db") as state:
        (row,) = state.calls_since(0)
    assert (row["status"], row["attempts"]) == ("pending", 1)
    server.reset()
    process, again = None, start(tmp_path, server, 1, 1)
    assert again.communicate(timeout=120)[0].split() == ["start", "1"]
    (body,) = server.bodies
    assert [m["role"] for m in body["messages"]] == ["user", "assistant", "user"]
    assert "should be a valid string" in body["messages"][-1]["content"]
    with State(tmp_path / "state.db") as state:
        (row,) = state.calls_since(0)
    assert (row["status"], row["attempts"]) == ("ok", 2)
    assert json.loads(row["answer"]) == {"text": "fine"}


THROUGH_INSTRUCTOR = SCRIPT.replace(
    "make_gateway(url, state, concurrency=concurrency)",
    "make_gateway(url, state, concurrency=concurrency, provider='instructor', model='google/g')",
)


def test_killed_while_instructor_asks_only_what_had_not_come_back_is_asked(note, tmp_path):
    """note: its class stands in tmp_path, where the script loads it from."""
    count, places, killed_at = 20, 4, 11
    process = None
    with GoogleServer() as server:

        def kill(number, _body):
            if process is not None and number == killed_at:
                os.kill(process.pid, signal.SIGKILL)

        def begin():
            command = [sys.executable, "-c", THROUGH_INSTRUCTOR, str(tmp_path), server.url]
            return subprocess.Popen(
                [*command, str(count), str(places)],
                cwd=Path(__file__).parents[3],
                stdout=subprocess.PIPE,
                text=True,
            )

        server.faults, server.latency = kill, 0.005
        process = begin()
        assert process.wait(60) == -signal.SIGKILL
        with State(tmp_path / "state.db") as state:
            kept = [row for row in state.calls_since(0) if row["status"] == "ok"]
        assert killed_at - places <= len(kept) < killed_at
        server.faults = None
        server.reset()
        out, _ = begin().communicate(timeout=60)
        assert out.split() == ["start", str(count)]
        assert server.requests == count - len(kept)
