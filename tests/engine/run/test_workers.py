"""Runs that leave their calls to workers: each is asked once, whoever is killed."""

from __future__ import annotations

import random
import re
import signal
import subprocess
import sys
import threading
from collections import Counter, defaultdict
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from lupom import Project
from lupom.engine.run.results import Silent
from tests.support.postgres import PASSWORD
from tests.support.shipped import ROOT
from tests.support.short_notes import FILES
from tests.support.worker_processes import start

SETTINGS = """
name: demo
targets:
  dev: {{path: dev.duckdb, state: "{state}", lease: 2, executor: workers}}
llms:
  default:
    {{provider: openai, base_url: "{url}", model: m, concurrency: 4, max_tokens: 20, max_retries: 0,
     api_key_env: LUPOM_TEST_KEY}}
"""


class Heard(Silent):
    """Keeps what a run says."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.changed = threading.Condition()

    def note(self, text: str) -> None:
        with self.changed:
            self.notes.append(text)
            self.changed.notify_all()

    def wait_for(self, pattern: str) -> str:
        found = []

        def heard():
            found[:] = [note for note in self.notes if re.search(pattern, note)]
            return bool(found)

        with self.changed:
            assert self.changed.wait_for(heard, 60), self.notes
        return found[0]


@pytest.fixture
def state(postgres, monkeypatch):
    monkeypatch.setenv("PGPASSWORD", PASSWORD)
    monkeypatch.setenv("LUPOM_TEST_KEY", "here")
    # Of what nobody has to wait for in a test.
    monkeypatch.setattr("lupom.engine.llm.queueing._PATIENCE", 0.2)
    return postgres.database().replace(f":{PASSWORD}", "")


@pytest.fixture
def make(tmp_path, server, state):
    """Return a function that makes a checkout of a project with so many people."""

    def make(name: str, people: int = 20, changed: Mapping[str, str] | None = None) -> Path:
        folder = tmp_path / name
        files = {**FILES, "lupom_project.yml": SETTINGS.format(state=state, url=server.base_url)}
        files["seeds/people.csv"] = "id\n" + "".join(f"{i}\n" for i in range(people))
        for file, text in {**files, **(changed or {})}.items():
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
            (folder / file).write_text(text, encoding="utf-8")
        return folder

    return make


@contextmanager
def working(folder: Path, **options):
    """Have a worker at work in a thread; yields what it says."""
    stop, said, out = threading.Event(), [], []

    def work():
        with Project(folder) as project:
            out.append(project.work(stop=stop, note=said.append, **options))

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield said
    finally:
        stop.set()
        thread.join(60)
    said.append(out[0])


def run(folder: Path, reporter=None, **options):
    with Project(folder) as project:
        result = project.run(reporter=reporter, **options)
        rows = project.table("notes").rows() if result.status == "success" else []
    return result, rows


def test_a_worker_asks_what_a_run_wants(make, server):
    folder = make("run")
    with working(make("worker")) as said:
        result, rows = run(folder)
    assert (result.status, len(rows)) == ("success", 20)
    assert server.requests == 20
    (notes,) = [node for node in result.nodes if node.node == "notes"]
    assert (notes.calls.asked, notes.calls.usage.requests) == (20, 20)
    assert notes.calls.usage.tokens > 0
    assert (said[-1].asked, said[-1].failed) == (20, 0)


def test_without_a_worker_the_run_says_how_to_start_one_and_goes_on_when_there_is(make, server):
    folder, heard = make("run", 3), Heard()
    done: list = []
    thread = threading.Thread(target=lambda: done.append(run(folder, heard)))
    thread.start()
    assert "lupom worker" in heard.wait_for("No worker is alive")
    assert server.requests == 0
    with working(folder):
        thread.join(60)
    assert done[0][0].status == "success"


def test_a_worker_that_is_told_to_end_gives_back_what_it_has_not_asked(make, server):
    """SIGTERM, as of a scheduler: the run goes on with another worker, nothing is asked twice."""
    server.latency, asked = 0.05, threading.Event()
    server.answers = lambda body: asked.set()
    command = [sys.executable, "-m", "lupom", "worker", "--project-dir", str(make("elsewhere"))]
    worker = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True)
    folder, heard = make("here"), Heard()
    with ThreadPoolExecutor(1) as pool:
        result = pool.submit(run, folder, heard)
        assert asked.wait(60)
        worker.send_signal(signal.SIGTERM)
        _, told = worker.communicate(timeout=60)
        assert worker.returncode == 143, told
        assert "Stopping: calls in flight are finished." in told
        count = int(re.search(r"(\d+) calls asked", told)[1])
        with working(make("third")):
            assert result.result(60)[0].status == "success"
    assert 0 < count < 20
    assert server.requests == 20


def test_a_run_that_is_stopped_leaves_nothing_in_the_queue(make, server):
    folder, heard, stop = make("run", 3), Heard(), threading.Event()
    done: list = []
    thread = threading.Thread(target=lambda: done.append(run(folder, heard, stop=stop)))
    thread.start()
    heard.wait_for("No worker is alive")
    stop.set()
    thread.join(60)
    assert done[0][0].status == "stopped"
    with Project(folder) as project:
        assert project.work(idle_exit=0).asked == 0


def test_a_worker_with_another_class_refuses_and_both_sides_say_so(make, server):
    folder, heard, stop = make("run", 3), Heard(), threading.Event()
    other = {"prompts/responses.py": FILES["prompts/responses.py"].replace("20", "30")}
    done: list = []
    with working(make("other", 3, other)) as said:
        thread = threading.Thread(target=lambda: done.append(run(folder, heard, stop=stop)))
        thread.start()
        note = heard.wait_for("its class Note is another than the run's")
        stop.set()
        thread.join(60)
    assert "calls of 'notes' are not for this checkout" in note
    assert len([text for text in said[:-1] if "is another" in text]) == 1
    assert server.requests == 0


def test_what_several_workers_cannot_ask_fails_the_run_with_the_reason(make, server, monkeypatch):
    server.api_key = "right"
    monkeypatch.setattr("lupom.engine.llm.worker._SULK", 0.0)
    folder = make("run", 2)
    with working(folder):
        result, _ = run(folder)
    assert result.status == "error"
    (notes,) = [node for node in result.nodes if node.node == "notes"]
    assert re.search(r"workers tried \d+ times: ", notes.message)
    assert "Incorrect API key" in notes.message


def test_what_one_cannot_ask_and_another_refuses_fails_the_run(make, server, monkeypatch):
    """Who refuses a call does not try it, so that nobody waits for that."""
    monkeypatch.setattr("lupom.engine.llm.worker._SULK", 0.0)
    server.api_key = "right"
    other = {"prompts/responses.py": FILES["prompts/responses.py"].replace("20", "30")}
    folder = make("run", 2)
    with working(make("other", 2, other)), working(make("worker", 2)):
        result, _ = run(folder)
    assert result.status == "error"
    (notes,) = [node for node in result.nodes if node.node == "notes"]
    assert re.search(r"workers tried \d+ times: .*Incorrect API key", notes.message)


def test_a_worker_without_a_key_does_not_end_what_another_one_can_ask(make, server, monkeypatch):
    """It tries each call once, however fast it fails and however long the other one is busy."""
    monkeypatch.setattr("lupom.engine.llm.worker._SULK", 0.0)
    monkeypatch.setenv("LUPOM_TEST_WRONG", "wrong")
    server.api_key, server.latency = "here", 0.3
    folder, other = make("run", 12), make("wrong", 12)
    text = (other / "lupom_project.yml").read_text(encoding="utf-8")
    (other / "lupom_project.yml").write_text(text.replace("_TEST_KEY", "_TEST_WRONG"))
    with working(other), working(make("worker", 12), concurrency=1):
        result, rows = run(folder)
    assert (result.status, len(rows)) == ("success", 12)


def test_a_run_that_fails_leaves_nothing_in_the_queue(make, server, state, monkeypatch):
    psycopg = pytest.importorskip("psycopg")
    server.api_key = "right"
    monkeypatch.setattr("lupom.engine.llm.queueing._FAILURES", 1)
    folder = make("run", 1)
    with working(folder):
        result, _ = run(folder)
        assert result.status == "error"
        with psycopg.connect(state.replace("+psycopg", "")) as connection:
            assert connection.execute("select count(*) from queue").fetchone() == (0,)


def test_a_run_s_budget_holds_for_all_workers_together(make, server):
    server.latency = 0.002
    folder = make("run", 60)
    with working(make("one")), working(make("two")):
        result, _ = run(folder, budget="400 tokens")
    assert (result.status, result.exit_code) == ("budget", 3)
    assert result.message.startswith("the run's budget of 400 tokens is reached")
    with Project(folder) as project:
        tokens, _ = project.context.state.ledger.spent()
    # What one request may take: a third of its bytes, 16 tokens around it, 20 tokens of answer.
    assert 400 - 130 < tokens <= 400


def test_two_runs_at_once_share_the_calls(make, server):
    server.latency = 0.002
    folders = [make("a", 40), make("b", 40)]
    done: list = []
    with working(make("worker")):
        threads = [threading.Thread(target=lambda f=f: done.append(run(f))) for f in folders]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
    (_, one), (_, two) = done
    assert sorted(one) == sorted(two)
    assert len(one) == 40
    assert server.requests == 40


def test_rows_that_are_asked_together_are_so_by_workers(make, server):
    changed = {
        "models/notes.sql": FILES["models/notes.sql"]
        .replace("key=", "rows_per_call=5, rows_together=['town'], key=")
        .replace("select id", "select id, 'Here' as town"),
        "prompts/note.jinja": "{% for row in rows %}{{ row.label }}: {{ row.id }}. {% endfor %}",
    }
    folder = make("run", 20, changed)
    with working(make("worker", 20, changed)):
        result, rows = run(folder)
    assert (result.status, len(rows)) == ("success", 20)
    assert server.requests < 20


def person(body) -> str:
    return re.search(r"person \d+", body["messages"][-1]["content"])[0]


def test_fifty_workers_are_killed_and_only_what_they_had_in_flight_is_asked_twice(make, server):
    """20 s of two cores: eight workers, each killed at a moment that a seed chooses."""
    rows, workers, kills, places = 650, 8, 50, 4
    drawn = random.Random(1)
    server.latency, server.keep = 0.02, 10 * rows
    folder = make("run", rows)
    # A worker that the machine keeps waiting for two seconds is alive all the same; one of this
    # machine that is killed is known to be dead at once.
    settings = folder / "lupom_project.yml"
    settings.write_text(settings.read_text().replace("lease: 2,", "lease: 60,"))
    alive, killed = {}, []
    moments = [0]

    def begin() -> None:
        name = f"worker-{len(alive) + len(killed)}"
        alive[name] = start(folder, name, places)

    def answers(_body):
        """Kill one of those at work every so many requests, while no other request is taken."""
        if len(killed) < kills and server.requests >= moments[-1]:
            moments.append(server.requests + drawn.randint(6, 12))
            name = drawn.choice(sorted(alive))
            process = alive.pop(name)
            process.kill()
            process.join()
            killed.append(name)
            begin()

    server.answers = answers
    for _ in range(workers):
        begin()
    done = [run(folder)]
    assert len(killed) == kills
    for process in alive.values():
        process.kill()
    ((result, found),) = done
    assert (result.status, len(found)) == ("success", rows)

    asked = defaultdict(list)
    for body, headers in zip(server.bodies, server.headers, strict=True):
        asked[person(body)].append(headers["authorization"].removeprefix("Bearer "))
    assert len(asked) == rows
    # Whoever asked a call that was asked again was killed, and had no more of them than places.
    # Whose turn it was, the kills tell: a request that its killed asker had sent off may be read
    # after that of who took the call over.
    turns = {name: turn for turn, name in enumerate(killed)}
    lost = Counter(
        name
        for names in asked.values()
        for name in sorted(names, key=lambda name: turns.get(name, kills))[:-1]
    )
    assert set(lost) <= set(killed)
    assert all(count <= places for count in lost.values()), lost
    assert sum(lost.values()) == server.requests - rows


def test_invalid_answers_are_quarantined_and_asked_again_by_workers(make, server):
    server.answers = lambda _body: {"text": ["no", "text"]}
    changed = {
        "models/notes.sql": FILES["models/notes.sql"].replace("key=", "max_invalid_share=1, key=")
    }
    folder = make("run", 4, changed)
    with working(make("worker", 4, changed)):
        result, rows = run(folder)
        (notes,) = [node for node in result.nodes if node.node == "notes"]
        assert (len(rows), notes.calls.invalid) == (0, 4)
        server.answers = None
        before = server.requests
        result, rows = run(folder, retry_invalid=True)
    assert (result.status, len(rows)) == ("success", 4)
    assert server.requests == before + 4
