"""What a shared ledger and workers cost: one LLM model against a server on loopback.

    python benchmarks/workers.py                          2,000 rows, 100 ms an answer, 8 workers
    python benchmarks/workers.py --rows 10000 --concurrency 50

The same rows are asked by the run itself with its SQLite file, by the run itself with a PostgreSQL
ledger, by workers with that, and by two runs at once. Prints JSON: answers per second from the
first request to the last answer, and requests per answer, which is 1 where nothing fails. Needs
what the tests need: aiohttp, psycopg and PostgreSQL's programs.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from engine import CHECKOUT, environment
from ledger import LUPOM, Server, serving, write_project

sys.path.insert(0, str(CHECKOUT))
from tests.support.postgres import PASSWORD, Cluster, cluster


def project(folder: Path, rows: int, concurrency: int, server: Server, target: str) -> Path:
    """Write a project whose one target says more."""
    write_project(folder, rows, concurrency, server.base_url)
    path = folder / "lupom_project.yml"
    text = path.read_text().replace("threads: 2}", f"threads: 2{target}}}")
    path.write_text(text)
    return folder


def start(folder: Path, *command: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [*LUPOM, *command],
        cwd=folder,
        env={**environment(), "PGPASSWORD": PASSWORD},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def measured(folders: list[Path], workers: int, rows: int, server: Server) -> dict[str, Any]:
    """Run projects at once, workers at work beside them; return the figures."""
    server.reset()
    helpers = [start(folders[0], "worker") for _ in range(workers)]
    # Workers are there before the run, as they are where they serve many runs.
    time.sleep(4 if workers else 0)
    runs = [start(folder, "run") for folder in folders]
    begun = ended = None
    try:
        while any(run.poll() is None for run in runs):
            seen = server.stats()
            now = time.monotonic()
            begun = now if begun is None and seen["requests"] else begun
            ended = now if ended is None and seen["answered"] >= rows else ended
            time.sleep(0.02)
        codes = [run.returncode for run in runs]
    finally:
        for helper in helpers:
            helper.kill()
            helper.wait()
    if any(codes) or begun is None or ended is None:
        raise SystemExit(f"a run failed: exit codes {codes}")
    seen = server.stats()
    return {
        "answers_per_second": round(rows / (ended - begun), 1),
        "requests_per_answer": round(seen["requests"] / rows, 4),
        "most_in_flight": seen["max_in_flight"],
    }


def benchmark(
    rows: int, concurrency: int, latency_ms: int, workers: int, postgres: Cluster
) -> dict[str, Any]:
    """Measure each way once, each with a ledger of its own."""
    found: dict[str, Any] = {
        "rows": rows,
        "concurrency": concurrency,
        "latency_ms": latency_ms,
        "workers": workers,
        "cores": os.cpu_count(),
    }
    with (
        tempfile.TemporaryDirectory(prefix="lupom-workers-") as name,
        serving(latency_ms) as server,
    ):

        def made(place: str, more: str) -> Path:
            return project(Path(name) / place, rows, concurrency, server, more)

        def shared(more: str = "") -> str:
            url = postgres.database().replace(f":{PASSWORD}", "")
            return f", state: '{url}'{more}"

        found["sqlite"] = measured([made("sqlite", "")], 0, rows, server)
        found["postgresql"] = measured([made("postgresql", shared())], 0, rows, server)
        two = shared()
        found["two runs at once"] = measured([made("a", two), made("b", two)], 0, rows, server)
        each = max(1, concurrency // workers)
        folder = project(
            *(Path(name) / "workers", rows, each, server, shared(", executor: workers"))
        )
        found["by workers"] = measured([folder], workers, rows, server)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rows", type=int, default=2000, help="rows, each a call (2000)")
    parser.add_argument("--concurrency", type=int, default=64, help="calls in flight (64)")
    parser.add_argument("--latency-ms", type=int, default=100, help="of each answer (100)")
    parser.add_argument("--workers", type=int, default=8, help="worker processes (8)")
    given = parser.parse_args()
    with cluster() as postgres:
        out = benchmark(given.rows, given.concurrency, given.latency_ms, given.workers, postgres)
    print(json.dumps(out, indent=2))


if __name__ == "__main__":
    main()
