"""A run as it is watched: on a terminal of 80 columns, in a log, and stopped by Ctrl-C."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
from pathlib import Path

import pytest

from lupom import Project
from tests.support.commands import lupom
from tests.support.llm_server import LLMServer

ROOT = Path(__file__).parents[2]
ROWS = 40  # as moods.sql has it
ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


@pytest.fixture
def server():
    with LLMServer(latency=0.05) as running:
        yield running


@pytest.fixture
def project(tmp_path, server):
    files = {
        "lupom_project.yml": f"""
            name: demo
            llms:
              default:
                provider: openai
                base_url: {server.base_url}
                model: m
                concurrency: 2
                price: {{input: 1000, output: 1000}}
            """,
        "models/moods.sql": """{{ config(materialized='llm', prompt='mood', response='Mood',
            key=['id']) }} select range as id from range(40)""",
        "models/how_people_feel_by_region.sql": """
            {{ config(materialized='table') }} select count(*) as n from {{ ref('moods') }}""",
        "prompts/mood.jinja": "How is person {{ id }}?",
        "prompts/responses.py": """
from pydantic import BaseModel, Field

class Mood(BaseModel):
    mood: str = Field(max_length=20)
""",
    }
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    return tmp_path


def environment(**changes):
    kept = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "FORCE_COLOR")}
    return kept | {"PYTHONPATH": str(ROOT), "TERM": "xterm-256color"} | changes


COMMAND = [sys.executable, "-m", "lupom", "run"]


def on_a_terminal(folder, *, when=None, signals=1, number=signal.SIGINT, **changes):
    """Run on a terminal of 80 columns, with Ctrl-C when its output fits; returns code, output."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    process = subprocess.Popen(
        COMMAND,
        cwd=folder,
        stdin=slave,
        stdout=subprocess.DEVNULL,
        stderr=slave,
        env=environment(**changes),
    )
    os.close(slave)
    said = ""
    sent = 0
    with os.fdopen(master, "rb", buffering=0) as screen:
        while True:
            try:
                part = screen.read(4096)
            except OSError:  # the other end is closed
                break
            if not part:
                break
            said += part.decode("utf-8", "replace")
            ready = re.search(when, said) if when and sent == 0 else "Stopping" in said
            if when and sent < signals and ready:
                process.send_signal(number)
                sent += 1
    return process.wait(), said


def lines(said):
    return [line for line in re.split(r"[\r\n]+", ESCAPE.sub("", said)) if line.strip()]


def test_on_a_terminal_rows_rate_time_money_and_tokens_fit_80_columns(project):
    code, said = on_a_terminal(project)
    assert code == 0, said
    shown = lines(said)
    assert max(len(line) for line in shown) <= 80
    bar = r"moods +[━╸╺ ]+ \d+ of 40, [\d.]+/s, \d+ s left, \$\d+\.\d\d, \d+k? tokens"
    assert any(re.search(bar, line) for line in shown), shown
    assert any(line.endswith("[RUN]") for line in shown)
    assert any(re.search(r"OK \w* ?llm.* moods \.+ \[40 rows, 40 calls,", line) for line in shown)
    assert "\x1b[32m" in said


def test_no_color_leaves_colours_out(project):
    code, said = on_a_terminal(project, NO_COLOR="1")
    assert code == 0, said
    # Cursor movements of the bar stay: they are no colours.
    assert not re.search(r"\x1b\[[0-9;]*(3[0-9]|38;5;\d+)m", said)


@pytest.mark.parametrize("changes", [{}, {"NO_COLOR": "1"}])
def test_in_a_log_are_plain_lines(project, changes, monkeypatch, capfd):
    for name in ("NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {"TERM": "xterm-256color", **changes}.items():
        monkeypatch.setenv(name, value)
    assert lupom("run", "--project-dir", str(project)) == 0
    done = capfd.readouterr()
    assert "\x1b" not in done.err + done.out
    assert "\r" not in done.err
    nodes = [line for line in done.err.splitlines() if line.endswith("]")]
    assert len(nodes) == 4
    assert max(len(line) for line in nodes) <= 80


@pytest.mark.parametrize(("number", "signals", "left"), [(signal.SIGINT, 1, 130), (15, 2, 143)])
def test_a_first_signal_finishes_what_is_in_flight_and_the_next_run_asks_the_rest(
    project, server, number, signals, left
):
    """SIGTERM is what a scheduler sends; a second one, as of `timeout`, changes nothing."""
    code, said = on_a_terminal(project, when=r"\d+ of 40", number=number, signals=signals)
    assert code == left, said
    assert "Stopping: calls in flight are finished and kept." in said
    assert "Run again to go on: what was answered is kept." in said
    recorded = json.loads((project / "target" / "run_results.json").read_text(encoding="utf-8"))
    assert recorded["lupom"]["exit_code"] == left
    first = server.answered
    assert 0 < first < ROWS
    with Project(project) as again:
        result = again.run()
    assert result.status == "success"
    assert server.answered == ROWS
    assert sum(node.calls.asked for node in result.nodes if node.calls) == ROWS - first


def test_ctrl_c_twice_stops_at_once(project, server):
    """Whatever it waits for: here for an LLM that does not answer."""
    server.latency = 300
    code, said = on_a_terminal(project, when=r"\d+ of 40", signals=2)
    assert code == 130, said
    assert "Stopped." in said
    assert server.answered == 0
