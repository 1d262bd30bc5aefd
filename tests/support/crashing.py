"""What a process does that a test kills: it asks a gateway, and says when it begins."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.support.gateways import make_gateway, user

ROOT = Path(__file__).parents[2]
SCRIPT = "import sys; from tests.support.crashing import ask; ask(*sys.argv[1:])"


def ask(folder: str, url: str, count: str, concurrency: str, *through: str) -> int:
    """Ask `count` questions with the class Note of a folder; returns how many were answered.

    Through the gateway's own client, or through another provider: its name, and the model's.
    """
    from lupom.engine.llm.gateway import Call
    from lupom.engine.llm.responses import load_response
    from lupom.engine.state import State

    note = load_response(Path(folder) / "responses.py", "Note")
    settings = dict(zip(("provider", "model"), through, strict=bool(through)))
    with State(Path(folder) / "state.db") as state:
        gateway = make_gateway(url, state, concurrency=int(concurrency), **settings)
        calls = [Call(user(f"Question {i:03d}"), note.for_row({})) for i in range(int(count))]
        answers = gateway.ask("default", calls, node="notes", run_id="r")
        gateway.close()
    return [answer.status for answer in answers].count("ok")


def start(*given: str) -> subprocess.Popen:
    """Do the same in a process of its own, which is to be killed."""
    return subprocess.Popen([sys.executable, "-c", SCRIPT, *given], cwd=ROOT)
