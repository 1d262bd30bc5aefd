"""One run at a time holds a project's lock, and whoever is refused is told which."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from lupom.engine.errors import StateError
from lupom.engine.run.lock import run_lock

HOLD = """
import sys
from pathlib import Path
from lupom.engine.run.lock import run_lock

with run_lock(Path(sys.argv[1])) as claim:
    claim("r1")
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def other(tmp_path):
    """Another process that holds the lock until its stdin is closed."""
    command = [sys.executable, "-c", HOLD, str(tmp_path)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdout.readline() == "held\n"
        yield process


def test_who_holds_it_is_told_by_run_and_process(tmp_path, other):
    told = rf"another run is going on in this project: run r1 \(PID {other.pid}\) since \d{{4}}-"
    with pytest.raises(StateError, match=told), run_lock(tmp_path):
        pass
    other.communicate()
    with run_lock(tmp_path):
        assert str(os.getpid()) in (tmp_path / "run.json").read_text()
    assert not (tmp_path / "run.json").exists()


def test_a_killed_process_leaves_no_lock(tmp_path, other):
    other.send_signal(signal.SIGKILL)
    other.wait()
    with run_lock(tmp_path) as claim:
        claim("r2")
        with pytest.raises(StateError, match=rf"run r2 \(PID {os.getpid()}\)"), run_lock(tmp_path):
            pass


def test_it_is_free_after_an_error_and_after_an_interruption(tmp_path):
    for error in (ValueError, KeyboardInterrupt):
        with pytest.raises(error), run_lock(tmp_path):
            raise error
    with run_lock(tmp_path):
        pass


def test_a_folder_that_cannot_be_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StateError, match="cannot be written"), run_lock(tmp_path / "file"):
        pass
