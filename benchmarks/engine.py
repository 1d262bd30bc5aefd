"""CPU seconds of the engine on a project of many small SQL models, beside dbt and plain DuckDB.

    python benchmarks/engine.py                      500 models, the best of 3
    python benchmarks/engine.py --dbt venv/bin/dbt   beside a dbt that is not on the PATH

The project has layers of models, each a join of two of the layer below, so that there is little
to compute and what is measured is the engine. Prints JSON. Seconds are user and system time of
the whole process, the least of the repeats: other work on the machine only ever adds to them.
Every tool runs once per repeat, in turn, so that their ratios come from one state of the machine.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

CHECKOUT = Path(__file__).resolve().parents[1]
THREADS = 2
STORE = "bench.duckdb"
LEFT_BEHIND = ("target", "logs", ".lupom", STORE, f"{STORE}.wal")

LUPOM_PROJECT = f"""\
name: bench
models:
  +materialized: table
targets:
  dev: {{path: {STORE}, threads: {THREADS}}}
"""
DBT_PROJECT = """\
name: bench
version: "1.0"
profile: bench
models:
  bench:
    +materialized: table
"""
DBT_PROFILES = f"""\
bench:
  target: dev
  outputs:
    dev: {{type: duckdb, path: {STORE}, threads: {THREADS}}}
"""
# The floor: the same statements, one after the other, on one connection.
PLAIN = f"""\
import duckdb, json, pathlib
con = duckdb.connect("{STORE}", config={{"threads": {THREADS}}})
for name, sql in json.loads(pathlib.Path("statements.json").read_text()):
    con.execute(f"create or replace table {{name}} as {{sql}}")
con.close()
"""


def model_name(layer: int, place: int) -> str:
    return f"model_{layer:02}_{place:03}"


def select_of(layer: int, place: int, width: int, ref: str) -> str:
    """Return the SQL of one model; `ref` is how a name is written, with {} for the name."""
    if layer == 0:
        return f"select i as id, (i * {place + 1}) % 101 as value from range(100) as t(i)"
    left, right = place, (place * 7 + layer) % width
    if left == right:
        right = (right + 1) % width
    below = [ref.format(model_name(layer - 1, parent)) for parent in (left, right)]
    return (
        "select a.id, (a.value + b.value) % 1009 as value\n"
        f"from {below[0]} as a join {below[1]} as b on a.id = b.id"
    )


def write_projects(folder: Path, layers: int, width: int) -> None:
    """Write the same models three times: for LUPoM, for dbt, and as statements for DuckDB."""
    for tool in ("lupom", "dbt"):
        for layer in range(layers):
            models = folder / tool / "models" / f"layer_{layer:02}"
            models.mkdir(parents=True)
            for place in range(width):
                sql = select_of(layer, place, width, "{{{{ ref('{}') }}}}")
                (models / f"{model_name(layer, place)}.sql").write_text(sql + "\n")
    (folder / "lupom" / "lupom_project.yml").write_text(LUPOM_PROJECT)
    (folder / "dbt" / "dbt_project.yml").write_text(DBT_PROJECT)
    (folder / "dbt" / "profiles.yml").write_text(DBT_PROFILES)
    statements = [
        (model_name(layer, place), select_of(layer, place, width, "{}"))
        for layer in range(layers)
        for place in range(width)
    ]
    (folder / "duckdb").mkdir()
    (folder / "duckdb" / "statements.json").write_text(json.dumps(statements))
    (folder / "duckdb" / "plain.py").write_text(PLAIN)


def environment() -> dict[str, str]:
    """Return a measured command's environment: this checkout importable, dbt sending nothing."""
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(filter(None, [str(CHECKOUT), os.environ.get("PYTHONPATH")])),
        "DO_NOT_TRACK": "1",
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
    }


def measure(command: Sequence[str | Path], folder: Path) -> dict[str, float]:
    """Run the command in the folder; return its CPU and wall seconds and its peak memory in MB."""
    with tempfile.TemporaryFile() as output:
        start = time.perf_counter()
        child = subprocess.Popen(
            [str(part) for part in command],
            cwd=folder,
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        # wait4 gives this child's own usage (and that of children it waited for), and no other's.
        _, status, usage = os.wait4(child.pid, 0)
        wall = time.perf_counter() - start
        child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode:
            output.seek(0)
            tail = output.read().decode(errors="replace")[-2000:]
            raise SystemExit(f"{' '.join(map(str, command))} ended with {child.returncode}\n{tail}")
    return {
        "cpu": usage.ru_utime + usage.ru_stime,
        "wall": wall,
        "memory_mb": usage.ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10),
    }


def clean(folder: Path) -> None:
    for name in LEFT_BEHIND:
        path = folder / name
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def checksum(store: Path, layers: int, width: int) -> int:
    """Return a sum over the last layer, which is the same whoever built it."""
    import duckdb

    names = [model_name(layers - 1, place) for place in range(width)]
    union = " union all ".join(
        f"select {i} * id * value as x from {n}" for i, n in enumerate(names)
    )
    with duckdb.connect(str(store), read_only=True) as connection:
        row = connection.execute(f"select sum(x)::bigint from ({union})").fetchone()
    assert row is not None
    return int(row[0])


def version(command: Sequence[str | Path]) -> str:
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    return " ".join((done.stdout or done.stderr).split())[:120]


def benchmark(layers: int, width: int, repeats: int, dbt: str | None) -> dict[str, Any]:
    """Measure every tool that is there; return the figures as they are printed."""
    lupom = [sys.executable, "-m", "lupom.cli"]
    steps: dict[str, dict[str, list[str | Path]]] = {
        "lupom": {
            "help": [*lupom, "--help"],
            "fresh": [*lupom, "run"],
            "again": [*lupom, "run"],
        },
        "duckdb": {"fresh": [sys.executable, "plain.py"]},
    }
    if dbt:
        where = ["--project-dir", ".", "--profiles-dir", "."]
        steps["dbt"] = {
            "help": [dbt, "--help"],
            "fresh": [dbt, "run", *where],
            "again": [dbt, "run", *where],
        }
    seen: dict[str, dict[str, list[dict[str, float]]]] = {
        tool: {step: [] for step in commands} for tool, commands in steps.items()
    }
    with tempfile.TemporaryDirectory(prefix="lupom-benchmark-") as name:
        folder = Path(name)
        write_projects(folder, layers, width)
        for _ in range(repeats):
            for tool, commands in steps.items():
                clean(folder / tool)
                for step, command in commands.items():
                    seen[tool][step].append(measure(command, folder / tool))
        sums = {tool: checksum(folder / tool / STORE, layers, width) for tool in steps}
    if len(set(sums.values())) > 1:
        raise SystemExit(f"the tools built different tables: {sums}")
    least = {
        tool: {
            step: {key: round(min(run[key] for run in runs), 3) for key in runs[0]}
            for step, runs in found.items()
        }
        for tool, found in seen.items()
    }
    versions = {"python": platform.python_version(), "duckdb": version_of_duckdb()}
    if dbt:
        versions["dbt"] = version([dbt, "--version"])
    return {
        "project": {"models": layers * width, "layers": layers, "threads": THREADS},
        "machine": {"cpus": os.cpu_count(), "system": platform.platform()},
        "versions": versions,
        "repeats": repeats,
        "least": least,
        "cpu_ratios": ratios(least),
    }


def version_of_duckdb() -> str:
    import duckdb

    return str(duckdb.__version__)


def ratios(least: dict[str, dict[str, dict[str, float]]]) -> dict[str, dict[str, float]]:
    """Return how many times LUPoM's CPU seconds each other tool takes, for each step it has."""
    return {
        f"{tool} / lupom": {
            step: round(found["cpu"] / least["lupom"][step]["cpu"], 2)
            for step, found in steps.items()
        }
        for tool, steps in least.items()
        if tool != "lupom"
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--layers", type=int, default=10, help="layers of models (10)")
    parser.add_argument("--width", type=int, default=50, help="models in each layer (50)")
    parser.add_argument("--repeats", type=int, default=3, help="the least of so many runs (3)")
    parser.add_argument("--dbt", default=shutil.which("dbt"), help="a dbt with dbt-duckdb")
    parser.add_argument("--no-dbt", action="store_true", help="leave dbt out even if it is there")
    options = parser.parse_args()
    if options.layers < 1 or options.width < 2 or options.repeats < 1:
        parser.error("at least 1 layer of 2 models, and 1 repeat")
    dbt = None if options.no_dbt or not options.dbt else str(Path(options.dbt).absolute())
    print(json.dumps(benchmark(options.layers, options.width, options.repeats, dbt), indent=2))


if __name__ == "__main__":
    main()
