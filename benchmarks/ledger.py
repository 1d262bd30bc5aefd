"""What the ledger saves and what it costs: one LLM model against a server on loopback.

    python benchmarks/ledger.py                            500 rows, 100 ms an answer
    python benchmarks/ledger.py --rows 1000 --concurrency 100

One row is one call. Counts the requests that reach the server when nothing, one row, or the
prompt changed, when the prompt is changed back, and when a run is killed at 60 % of its calls and
run again; takes the CPU and wall seconds of each run, beside the same requests sent by bare
aiohttp. Prints JSON. The server is the one the tests carry (it needs aiohttp).
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine import CHECKOUT, environment, measure

if TYPE_CHECKING:
    from collections.abc import Iterator

LUPOM = [sys.executable, "-m", "lupom.cli"]
KILL_AT = 0.6

PROJECT = """\
name: ledger
targets:
  dev: {{path: bench.duckdb, threads: 2}}
llms:
  default: {{provider: openai, base_url: "{base_url}", model: bench, concurrency: {concurrency}}}
"""
MODEL = """\
{{ config(materialized='llm', prompt='ask', response='Reply', key=['respondent_id']) }}
select respondent_id, description, ['Never', 'Once a month', 'Once a week', 'Daily'] as options
from {{ ref('people') }}
"""
PROMPT = """\
How often does this respondent work from home?
{% for choice in choices %}{{ choice.label }}. {{ choice.option }}
{% endfor %}
{{ description }}
"""
RESPONSES = """\
from typing import Annotated

from lupom import OneOf
from pydantic import BaseModel


class Reply(BaseModel):
    answer: Annotated[str, OneOf("options")]
"""
BARE = """\
import asyncio, sys
import aiohttp

url, rows, concurrency = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])

async def main():
    gate = asyncio.Semaphore(concurrency)
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector) as session:
        async def ask(i):
            body = {"model": "bench", "messages": [{"role": "user", "content": f"respondent {i}"}]}
            async with gate, session.post(f"{url}/chat/completions", json=body) as reply:
                await reply.json()
        await asyncio.gather(*(ask(i) for i in range(rows)))

asyncio.run(main())
"""


class Server:
    """The test server in a process of its own, so that its CPU is not ours."""

    def __init__(self, port: int) -> None:
        self.root = f"http://127.0.0.1:{port}"
        self.base_url = f"{self.root}/v1"

    def stats(self) -> dict[str, int]:
        with urllib.request.urlopen(f"{self.root}/stats", timeout=10) as reply:
            found: dict[str, int] = json.load(reply)
        return found

    def reset(self) -> None:
        urllib.request.urlopen(
            urllib.request.Request(f"{self.root}/reset", method="POST", data=b""), timeout=10
        ).close()


@contextmanager
def serving(latency_ms: int) -> Iterator[Server]:
    import socket

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "tests.support.llm_server"]
    options = ["--port", str(port), "--latency-ms", str(latency_ms)]
    process = subprocess.Popen(
        [*command, *options], cwd=CHECKOUT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        server = Server(port)
        deadline = time.monotonic() + 15
        while True:
            try:
                server.stats()
                break
            except OSError:
                if process.poll() is not None or time.monotonic() > deadline:
                    raise SystemExit("the server did not start; it needs aiohttp") from None
                time.sleep(0.05)
        yield server
    finally:
        process.terminate()
        process.wait(10)


def write_project(folder: Path, rows: int, concurrency: int, base_url: str) -> None:
    if folder.exists():
        shutil.rmtree(folder)
    for inner in ("models", "seeds", "prompts"):
        (folder / inner).mkdir(parents=True)
    project = PROJECT.format(base_url=base_url, concurrency=concurrency)
    (folder / "lupom_project.yml").write_text(project)
    (folder / "models" / "answers.sql").write_text(MODEL)
    (folder / "prompts" / "ask.jinja").write_text(PROMPT)
    (folder / "prompts" / "responses.py").write_text(RESPONSES)
    write_people(folder, rows)


def write_people(folder: Path, rows: int) -> None:
    lines = [f"{i},respondent {i} is {18 + i % 70} years old" for i in range(rows)]
    text = "\n".join(["respondent_id,description", *lines])
    (folder / "seeds" / "people.csv").write_text(text + "\n")


def run(folder: Path, server: Server) -> dict[str, float]:
    """Run the project; return its seconds and the requests it made."""
    server.reset()
    used = measure([*LUPOM, "run"], folder)
    seen = server.stats()
    rounded = {key: round(value, 3) for key, value in used.items()}
    return {**rounded, "requests": seen["requests"], "most_in_flight": seen["max_in_flight"]}


def run_killed(folder: Path, server: Server, at: int) -> dict[str, float]:
    """Kill a run when so many calls were answered; return what both runs asked for."""
    server.reset()
    child = subprocess.Popen(
        [*LUPOM, "run"],
        cwd=folder,
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    while (answered := server.stats()["answered"]) < at:
        if child.poll() is not None:
            raise SystemExit("the run ended before it could be killed; give it more rows")
        time.sleep(0.002)
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    while server.stats()["in_flight"]:
        time.sleep(0.01)
    first = server.stats()
    second = run(folder, server)
    return {
        "answered_before": answered,
        "requests_before": first["requests"],
        "most_in_flight": first["max_in_flight"],
        "requests_after": second["requests"],
        "requests": first["requests"] + second["requests"],
    }


def benchmark(rows: int, concurrency: int, latency_ms: int) -> dict[str, Any]:
    """Run every scenario once, in one project; return the figures as they are printed."""
    with tempfile.TemporaryDirectory(prefix="lupom-ledger-") as name, serving(latency_ms) as server:
        folder = Path(name) / "project"
        write_project(folder, rows, concurrency, server.base_url)
        prompt = folder / "prompts" / "ask.jinja"
        found: dict[str, Any] = {"fresh": run(folder, server), "again": run(folder, server)}
        write_people(folder, rows + 1)
        found["one row added"] = run(folder, server)
        prompt.write_text("Be brief. " + PROMPT)
        found["prompt edited"] = run(folder, server)
        prompt.write_text(PROMPT)
        found["prompt edited back"] = run(folder, server)
        write_project(folder, rows, concurrency, server.base_url)
        found["killed and run again"] = run_killed(folder, server, int(KILL_AT * rows))
        script = Path(name) / "bare.py"
        script.write_text(BARE)
        arguments = [server.base_url, str(rows), str(concurrency)]
        bare = measure([sys.executable, script, *arguments], Path(name))
    return {
        "rows": rows,
        "concurrency": concurrency,
        "latency_ms": latency_ms,
        "requests_per_second": round(rows / found["fresh"]["wall"], 1),
        # Over a run with one call, so that neither start-up nor imports count as calls.
        "cpu_ms_per_call": round(
            1000 * (found["prompt edited"]["cpu"] - found["one row added"]["cpu"]) / rows, 2
        ),
        "runs": found,
        "bare aiohttp": {key: round(value, 3) for key, value in bare.items()},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rows", type=int, default=500, help="rows, each a call (500)")
    parser.add_argument("--concurrency", type=int, default=100, help="calls in flight (100)")
    parser.add_argument("--latency-ms", type=int, default=100, help="of each answer (100)")
    options = parser.parse_args()
    if options.rows < 2 * options.concurrency:
        parser.error("--rows must be at least twice --concurrency, so that a run can be killed")
    print(json.dumps(benchmark(options.rows, options.concurrency, options.latency_ms), indent=2))


if __name__ == "__main__":
    main()
