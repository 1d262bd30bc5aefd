"""Nearest respondents beside scikit-learn: seconds, memory, and whether all find the same.

    python benchmarks/neighbours.py                            2,000, 100,000 and 1,000,000 x 40
    python benchmarks/neighbours.py --sizes 100000 --queries 500 --threads 2

Personas of 40 dimensions with 4 values each, all known, one-hot. Each method runs in a process of
its own; its peak memory, and what of it comes on top of codes and imports, are reported. One-hot
rows for scikit-learn are made before the clock starts, an index of ours after. Prints one line of
JSON for each size. scikit-learn searches by brute force over one-hot float32 rows;
`same_similarity` says whether the similarities found are ours (among equally similar ones
scikit-learn keeps any).
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

DIMENSIONS, VALUES = 40, 4
METHODS = ("numpy", "faiss", "sklearn")


def measure(method: str, n: int, queries: int, k: int) -> dict[str, Any]:
    """Search with one method in this process; the similarities go along for comparison."""
    import numpy as np

    rng = np.random.default_rng(1)
    # A persona leans one way or the other, so that some are more alike than chance.
    lean = rng.random((n, 1))
    codes = np.empty((n, DIMENSIONS), dtype=np.int8)
    for start in range(0, n, 100_000):
        part = slice(start, min(start + 100_000, n))
        noise = rng.random((part.stop - part.start, DIMENSIONS))
        codes[part] = (VALUES * (0.6 * noise + 0.4 * lean[part])).astype(np.int8)
    asked = np.sort(rng.permutation(n)[:queries])
    if method == "sklearn":
        from sklearn.neighbors import NearestNeighbors

        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        hot = np.zeros((n, DIMENSIONS * VALUES), dtype=np.float32)
        offset = np.arange(DIMENSIONS, dtype=np.int64) * VALUES
        for start in range(0, n, 100_000):
            rows = np.arange(start, min(start + 100_000, n))
            hot[rows[:, None], offset + codes[rows]] = 1
    else:
        from lupom.science.neighbours import nearest

        # Imports are not what is measured.
        nearest(codes[:10], [VALUES] * DIMENSIONS, [True] * 10, 2, method=method)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    worked = time.process_time()
    started = time.perf_counter()
    if method == "sklearn":
        search = NearestNeighbors(n_neighbors=k + 1, algorithm="brute", metric="sqeuclidean")
        distance, place = search.fit(hot).kneighbors(hot[asked])
        # Itself is among those found unless k others are the same; then it costs the last one.
        own = place == asked[:, None]
        distance[own] = np.inf
        similarity = 1 - np.sort(distance, axis=1)[:, :k] / (2 * DIMENSIONS)
    else:
        _, similarity = nearest(
            codes,
            [VALUES] * DIMENSIONS,
            np.ones(n, dtype=bool),
            k,
            asked=asked,
            method=method,
        )
    seconds = time.perf_counter() - started
    worked = time.process_time() - worked
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {
        "seconds": round(seconds, 2),
        "cpu_seconds": round(worked, 2),
        "queries_per_second": round(queries / seconds),
        "peak_mb": round(after / 1024),
        "beyond_codes_mb": round((after - before) / 1024),
        "similarity": similarity,
    }


def compare(n: int, queries: int, k: int, methods: list[str], threads: int) -> dict[str, Any]:
    """Return the figures of every method at one size."""
    import numpy as np

    found: dict[str, Any] = {}
    threading = {
        name: str(threads)
        for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    }
    with tempfile.TemporaryDirectory() as folder:
        similarities = {}
        for method in methods:
            path = Path(folder) / f"{method}.npy"
            command = [sys.executable, __file__, "--one", method, str(path), "--sizes", str(n)]
            command += ["--queries", str(queries), "--k", str(k)]
            done = subprocess.run(
                command,
                env={**os.environ, **threading},
                capture_output=True,
                text=True,
                check=False,
            )
            if done.returncode:
                found[method] = {"error": done.stderr.strip().splitlines()[-1][:300]}
                continue
            found[method] = json.loads(done.stdout)
            similarities[method] = np.load(path)
        for method, similarity in similarities.items():
            first = next(iter(similarities.values()))
            found[method]["same_similarity"] = bool(np.allclose(similarity, first, atol=1e-6))
    return {
        "respondents": n,
        "dimensions": DIMENSIONS,
        "queries": queries,
        "k": k,
        "threads": threads,
        **found,
    }


def main() -> None:
    """Parse the arguments and print a line of JSON for each size."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[2_000, 100_000, 1_000_000])
    parser.add_argument("--queries", type=int, default=1000)
    parser.add_argument("--k", type=int, default=80)
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS))
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        import numpy as np

        method, path = given.one
        result = measure(method, given.sizes[0], min(given.queries, given.sizes[0]), given.k)
        np.save(path, result.pop("similarity"))
        print(json.dumps(result))
        return
    for n in given.sizes:
        queries = min(given.queries, n)
        print(json.dumps(compare(n, queries, given.k, given.methods, given.threads)), flush=True)


if __name__ == "__main__":
    main()
