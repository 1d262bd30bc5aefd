"""No library changes our users' logging, and none of their lines reaches a terminal."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest

from tests.support.google_server import GoogleServer
from tests.support.llm_server import Fault, LLMServer

ROOT = Path(__file__).parents[2]
STATE = """
import json, logging, sys, warnings

def state():
    root = logging.getLogger()
    # A filter without a text or a place of its own would hide other people's warnings.
    broad = [
        (f[0], f[2].__name__)
        for f in warnings.filters
        if f[1] is None and f[3] is None and f[2].__module__ == "builtins"
    ]
    return [root.level, [repr(h) for h in root.handlers], logging.root.manager.disable, broad]
"""


def python(script, *arguments):
    """Run a script in a process of its own; returns its stdout and stderr."""
    done = subprocess.run(
        [sys.executable, "-c", STATE + dedent(script), *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout, done.stderr


def imported():
    """Return what others' modules our package imports anywhere."""
    found = set()
    for path in (ROOT / "lupom").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                found |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.level == 0:
                found.add(node.module or "")
    ours = {"lupom", "__future__", "ray"}
    return sorted(
        name
        for name in found
        if name.split(".")[0] not in ours | sys.stdlib_module_names | {"tests"}
    )


def test_which_libraries_change_the_root_logger_is_known():
    script = """
    import importlib
    changed = []
    for name in sys.argv[1:]:
        before = state()
        try:
            importlib.import_module(name)
        except ImportError:
            continue
        if state() != before:
            changed.append(name)
            root = logging.getLogger()
            root.handlers.clear()
            root.setLevel(logging.WARNING)
    print(json.dumps(changed))
    """
    names = [*imported(), "google.genai", "mistralai", "groq", "anthropic"]
    assert {"boto3", "duckdb", "instructor", "sklearn.cluster", "wordllama"} <= set(names)
    out, _ = python(script, *names)
    # Whoever is new here is imported within `root_as_it_is`, as wordllama is.
    assert set(json.loads(out)) <= {"wordllama"}


EMBEDS = """
from pathlib import Path
from lupom.engine.llm.gateway import Gateway
from lupom.engine.project.providers import embedding_settings
from lupom.engine.state import State

def embed(folder):
    with State(Path(folder) / "state.db") as opened, Gateway(opened, {}) as gateway:
        assert gateway.embed(embedding_settings(provider="wordllama"), ["a", "b"]).shape == (2, 256)
"""


def test_a_program_without_logging_stays_without(tmp_path):
    script = """
    before = state()
    embed(sys.argv[1])
    assert "wordllama" in sys.modules
    assert state() == before, (before, state())
    logging.getLogger("httpx2").info("GET http://127.0.0.1 200 OK")
    """
    assert python(EMBEDS + dedent(script), str(tmp_path)) == ("", "")


def test_a_notebook_s_own_logging_is_left_alone(tmp_path):
    script = """
    logging.basicConfig(level=logging.INFO, format="mine %(name)s %(message)s", stream=sys.stdout)
    before = state()
    embed(sys.argv[1])
    assert state() == before, (before, state())
    logging.getLogger("httpx2").info("hello")
    from lupom.engine.logs import CLIENTS, quieten
    quieten(*CLIENTS)
    logging.getLogger("httpx2").info("still there")
    """
    out, err = python(EMBEDS + dedent(script), str(tmp_path))
    assert "mine httpx2 hello" in out
    assert "mine httpx2 still there" in out
    assert err == ""


@pytest.mark.parametrize("level", ["info", "error"])
def test_the_command_line_keeps_clients_lines_to_itself(level):
    script = f"""
    from lupom.cli.group import main
    sys.argv = ["lupom", "--version"]
    before = state()
    try:
        main(["--version"])
    except SystemExit:
        pass
    assert state() == before
    from lupom.engine.logs import CLIENTS
    for name in CLIENTS:
        logging.getLogger(name).{level}("a line of %s", name)
    logging.getLogger("somebody.else").error("of a user's own model")
    """
    _, err = python(script)
    assert err == "of a user's own model\n"


def test_a_run_shows_no_line_of_a_client(make_project):
    with LLMServer() as server, GoogleServer() as google:
        server.faults = lambda number, _body: Fault(status=500) if number % 3 == 0 else None
        folder = make_project(
            {
                "lupom_project.yml": f"""
                    name: demo
                    models: {{+materialized: table}}
                    embeddings: {{default: {{provider: wordllama}}}}
                    llms:
                      default: {{provider: openai, base_url: {server.base_url}, model: m}}
                      other:
                        provider: instructor
                        base_url: {server.base_url}
                        model: openai/m
                      google: {{provider: instructor, base_url: {google.url}, model: google/g}}
                      broken: {{provider: instructor, base_url: "{google.url}/x", model: google/g}}
                    """,
                "prompts/note.jinja": "Say something about {{ n }}.",
                "prompts/responses.py": """
                    from pydantic import BaseModel, Field

                    class Note(BaseModel):
                        text: str = Field(max_length=20)
                    """,
                "models/near.py": """
                    import pyarrow as pa

                    def model(lupom):
                        vectors = lupom.embed(["one", "two"])
                        return pa.table({"size": [len(v) for v in vectors]})
                    """,
                **{
                    f"models/{alias}.sql": f"""
                        {{{{ config(materialized='llm', prompt='note', response='Note',
                                    llm='{alias}', key=['n']) }}}}
                        select range as n from range(6)
                        """
                    for alias in ("default", "other", "google", "broken")
                },
            }
        )
        done = subprocess.run(
            [sys.executable, "-m", "lupom", "run"],
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 1
    # It says of one model that its address is not right, once, in its own words.
    assert "is there a model 'g' at google?" in done.stderr
    strangers = ("HTTP Request", "API call failed", "Max retries", "Unclosed", "Warning", "INFO")
    strangers += ("ERROR:", "WARNING:", "wordllama", "Traceback", "POST ")
    lines = done.stderr.splitlines()
    assert [line for line in lines if any(word in line for word in strangers)] == []
    assert len(lines) < 30, done.stderr
