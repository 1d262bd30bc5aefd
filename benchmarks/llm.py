"""How fast an LLM model is asked: one whole `lupom run`, beside bare aiohttp in the same run.

    python benchmarks/llm.py --rows 5000 --in-flight 500
    python benchmarks/llm.py --url http://127.0.0.1:8000/v1 --rows 500 --in-flight 64

One row is one call with one choice of four options. Without --url a server of its own answers after
--latency-ms, in another process. Prints JSON: seconds, CPU and memory of the run (start, imports,
tables and all), of the run again (nothing to do), of the run on an empty store (every answer from
the ledger), and of the same number of requests sent by bare aiohttp.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine import measure
from ledger import BARE, LUPOM, serving, write_project

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def addressed(url: str | None, latency_ms: int) -> Iterator[str]:
    """Yield the URL given, or that of a server of its own for as long as the block takes."""
    if url is not None:
        yield url
        return
    with serving(latency_ms) as server:
        yield server.base_url


def benchmark(url: str | None, rows: int, in_flight: int, latency_ms: int) -> dict[str, Any]:
    """Run everything once; return the figures as they are printed."""
    temporary = tempfile.TemporaryDirectory(prefix="lupom-llm-")
    with temporary as name, addressed(url, latency_ms) as address:
        folder = Path(name) / "project"
        write_project(folder, rows, in_flight, address)
        found = {"run": measure([*LUPOM, "run"], folder)}
        found["again"] = measure([*LUPOM, "run"], folder)
        (folder / "bench.duckdb").unlink()
        found["from the ledger"] = measure([*LUPOM, "run"], folder)
        script = Path(name) / "bare.py"
        script.write_text(BARE)
        bare: list[str | Path] = [sys.executable, script, address, str(rows), str(in_flight)]
        found["bare aiohttp"] = measure(bare, Path(name))
    ours, theirs = (rows / found[which]["wall"] for which in ("run", "bare aiohttp"))
    return {
        "url": url,
        "rows": rows,
        "in_flight": in_flight,
        "latency_ms": None if url else latency_ms,
        "answers_per_second": round(ours, 1),
        "bare_aiohttp_per_second": round(theirs, 1),
        "share_of_bare_aiohttp": round(ours / theirs, 3),
        "cpu_ms_per_row": round(1000 * found["run"]["cpu"] / rows, 3),
        "seconds": {
            which: {key: round(value, 3) for key, value in used.items()}
            for which, used in found.items()
        },
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--url", help="an OpenAI-compatible base URL; default: a server of its own")
    parser.add_argument("--rows", type=int, default=5000, help="rows, each a call (5000)")
    parser.add_argument("--in-flight", type=int, default=500, help="requests in flight (500)")
    parser.add_argument("--latency-ms", type=int, default=100, help="of each answer (100)")
    given = parser.parse_args()
    found = benchmark(given.url, given.rows, given.in_flight, given.latency_ms)
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
