"""Gateways that nobody closes: dropped, or left to the end of a program."""

from __future__ import annotations

import gc
import subprocess
import sys
import threading
import weakref

import pytest

from lupom.engine.errors import LLMError
from lupom.engine.llm.gateway import Call
from tests.support.gateways import make_gateway, user
from tests.support.notes_project import make

__all__ = ["make"]

PROGRAM = """
import sys
from lupom import Project

project = Project(sys.argv[1])
print(project.run().status)
"""


def loops():
    return [thread for thread in threading.enumerate() if thread.name == "lupom-llm"]


def test_one_that_is_dropped_closes_its_connections_and_ends_its_thread(
    server, state, note, caplog
):
    before = len(loops())
    gateway = make_gateway(server.base_url, state)
    (answer,) = gateway.ask("default", [Call(user("a"), note.for_row({}))], node="n", run_id="r")
    assert answer.status == "ok"
    assert len(loops()) == before + 1
    gone = weakref.ref(gateway)
    del gateway
    gc.collect()
    assert gone() is None
    assert len(loops()) == before
    assert "Unclosed" not in caplog.text


def test_one_that_is_closed_twice_asks_nothing_more(server, state, note):
    gateway = make_gateway(server.base_url, state)
    gateway.close()
    gateway.close()
    with pytest.raises(LLMError, match="the gateway is closed"):
        gateway.ask("default", [Call(user("a"), note.for_row({}))], node="n", run_id="r")


def test_a_program_that_closes_nothing_ends_without_a_word(make, server):
    folder = make(3)
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(folder)], capture_output=True, text=True, timeout=120
    )
    assert (ended.stdout.split()[-1], ended.returncode) == ("success", 0)
    assert "Unclosed" not in ended.stderr
    assert server.requests == 3
