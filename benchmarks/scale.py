"""A project of a million respondents: what its models take, and how that grows with people.

    python benchmarks/scale.py                                10,000, 100,000 and 1,000,000
    python benchmarks/scale.py --people 100000 --executors local processes ray1 ray2
    python benchmarks/scale.py --people 1000000 --limit 8 --memory 3GB

A new project, as `lupom init` makes it, of a survey that is made up: 25 questions and 40 persona
dimensions that follow a few factors, with gaps, errors and attributes. Personas come from a table
in the place of the LLM. Each model is built by a `lupom run` of its own, in a process that is ended
when it and its workers together take more memory than `--limit` (GB). Prints a line of JSON for
each size and executor: of each step the seconds that the model took, wall and CPU seconds of the
whole process, and peak memory (MB, of all its processes, without pages of files); and whether each
table has the same contents as the first executor's. Then the growth of CPU, beyond that of a run
that does nothing, as exponents: 1 is linear.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import yaml  # noqa: E402

from lupom.engine.project.shipped import create  # noqa: E402

FACTORS, MISSING, WRONG = 5, 0.15, 0.1
VALUES = 4
ATTRIBUTES = (2, 2, 3, 4, 5, 6)
CHUNK = 100_000
# What is built, in the order of the graph; what stands before the first dot is a group.
STEPS: dict[str, tuple[str, ...]] = {
    "staging": (
        *("questions", "surveys", "respondents", "responses", "drawn_pairs"),
        *("unscored_responses", "follow_ups", "holdout", "known_responses"),
        *("closed_questions", "tuning_answers"),
    ),
    "histories": ("histories", "llm_respondents"),
    "personas": (
        *("persona_dimensions", "persona_values", "prediction_settings", "persona_networks"),
    ),
    "refinement": (
        *("persona_network_edges", "persona_network_parameters", "refined_persona_values"),
    ),
    "neighbours": (
        *("retrieval_respondents", "retrieval_settings", "similar_respondents_search"),
        *("similar_respondents", "neighbour_answers"),
    ),
    "baselines": (
        *("learning_respondents", "learning_answers", "learning_questions"),
        *("fitted_predictors", "baselines"),
    ),
}
EXECUTORS: dict[str, Any] = {
    "local": "local",
    "processes": {"type": "processes", "workers": 2},
    "ray1": {"type": "ray", "workers": 1},
    "ray2": {"type": "ray", "workers": 2},
}
PERSONA_DIMENSIONS = """
{{ config(materialized='table') }}
select * from {{ source('made', 'dimensions') }}
"""
PERSONA_VALUES = """
{{ config(materialized='table') }}
select survey, respondent_id, 'all' as part, dimension_id, value, null::varchar as call_id
from {{ source('made', 'values') }}
"""
SOURCES = """
version: 2
sources:
  - name: made
    folder: {folder}
    tables:
      - {{name: up_info, file: up_info.parquet}}
      - {{name: up_metadata, file: up_metadata.parquet}}
      - {{name: up_responses, file: up_responses.parquet}}
      - {{name: dimensions, file: dimensions.parquet}}
      - {{name: values, file: values.parquet}}
"""


def make(folder: Path, people: int, questions: int, dimensions: int) -> None:
    """Write the tables of a survey, and what an LLM would have read off it, as Parquet files."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(1)
    info = []
    for place in range(questions):
        width = 2 + place % 5
        labels = [f"option {k + 1}" for k in range(width)]
        info.append(
            {
                "key": f"q{place:03}",
                "question": f"What do you say to matter {place} of this list?",
                "option_mapping": str({float(k + 1): label for k, label in enumerate(labels)}),
                "references": str(labels),
                "option_ordinal": str([float(k + 1) for k in range(width)]),
            }
        )
    pq.write_table(pa.Table.from_pylist(info), folder / "up_info.parquet")
    names = [f"ATTRIBUTE{place}" for place in range(len(ATTRIBUTES))]
    metadata = [
        {"key": name, "options": str([f"value {k}" for k in range(width)])}
        for name, width in zip(names, ATTRIBUTES, strict=True)
    ]
    pq.write_table(pa.Table.from_pylist(metadata), folder / "up_metadata.parquet")
    levels = ["low", "mid", "high"]
    described = [
        {
            "survey": "made.up",
            "dimension_id": f"d{place:02}",
            "name": f"Dimension {place}",
            "description": "One of many.",
            "level": levels[place * 3 // dimensions],
            "candidate_values": [f"value {k}" for k in range(VALUES)],
            "ordered": True,
        }
        for place in range(dimensions)
    ]
    pq.write_table(pa.Table.from_pylist(described), folder / "dimensions.parquet")
    of_answers = rng.normal(0.0, 0.9, (FACTORS, questions))
    of_dimensions = rng.normal(0.0, 0.9, (FACTORS, dimensions))
    words = pa.array([f"value {k}" for k in range(VALUES)])
    ids = pa.array([row["dimension_id"] for row in described])
    writers: list[pq.ParquetWriter] = []
    for start in range(0, people, CHUNK):
        n = min(CHUNK, people - start)
        respondents = pa.array([f"r{i:07}" for i in range(start, start + n)])
        factors = rng.normal(size=(n, FACTORS))
        columns: dict[str, Any] = {"respondent_id": respondents}
        said = factors @ of_answers + rng.logistic(0.0, 0.55, (n, questions))
        there = rng.random((n, questions)) >= MISSING
        for place in range(questions):
            width = 2 + place % 5
            code = np.searchsorted(np.linspace(-1.5, 1.5, width + 1)[1:-1], said[:, place])
            given = pa.array((code + 1).astype(str).astype(object), pa.string())
            columns[f"q{place:03}"] = pa.array(
                np.where(there[:, place], given.to_numpy(zero_copy_only=False), None), pa.string()
            )
        for place, (name, width) in enumerate(zip(names, ATTRIBUTES, strict=True)):
            lean = factors[:, place % FACTORS] + rng.normal(size=n)
            code = np.searchsorted(np.linspace(-1.5, 1.5, width + 1)[1:-1], lean)
            columns[name] = pa.array([f"value {k}" for k in range(width)]).take(pa.array(code))
        columns["weight"] = pa.array(np.round(rng.lognormal(0.0, 0.4, n), 4).astype(str))
        true = factors @ of_dimensions + rng.normal(0.0, 0.7, (n, dimensions))
        code = np.searchsorted(np.linspace(-2, 2, VALUES + 1)[1:-1], true)
        wrong = rng.random((n, dimensions)) < WRONG
        code = np.where(wrong, rng.integers(0, VALUES, (n, dimensions)), code)
        known = rng.random((n, dimensions)) >= MISSING
        values = pa.table(
            {
                "survey": pa.repeat("made.up", n * dimensions),
                "respondent_id": respondents.take(pa.array(np.repeat(np.arange(n), dimensions))),
                "dimension_id": ids.take(pa.array(np.tile(np.arange(dimensions), n))),
                "value": words.take(pa.array(code.reshape(-1), mask=~known.reshape(-1))),
            }
        )
        for place, (name, table) in enumerate(
            (("up_responses", pa.table(columns)), ("values", values))
        ):
            if len(writers) <= place:
                writers.append(pq.ParquetWriter(folder / f"{name}.parquet", table.schema))
            writers[place].write_table(table)
    for writer in writers:
        writer.close()


def project(folder: Path, data: Path, args: argparse.Namespace, executor: str) -> None:
    """Make a project of the survey, with a target for the executor."""
    create(folder, force=True)
    settings = folder / "lupom_project.yml"
    said = yaml.safe_load(settings.read_text())
    said["vars"] |= {
        "surveys": ["made.up"],
        "test_pairs": args.pairs,
        "tuning_pairs": args.pairs,
        "llm_test_respondents": args.people_now,
        "llm_reference_respondents": args.people_now,
        "neighbour_demographics": [],
        "retrieval_search": {},
        **({"predictors": args.predictors} if args.predictors else {}),
    }
    target: dict[str, Any] = {"path": "scale.duckdb", "executor": EXECUTORS[executor]}
    if args.memory:
        target["memory"] = args.memory
    said["targets"] = {"dev": target}
    said["target"] = "dev"
    settings.write_text(yaml.safe_dump(said, sort_keys=False))
    (folder / "models" / "made.yml").write_text(SOURCES.format(folder=data))
    personas = folder / "models" / "personas"
    (personas / "persona_dimensions.sql").write_text(PERSONA_DIMENSIONS)
    (personas / "persona_values.sql").write_text(PERSONA_VALUES)


def memory_of(process: int) -> int:
    """Return the memory (bytes, no pages of files) of a process and all those below it."""
    total, pending = 0, [process]
    while pending:
        one = Path("/proc") / str(pending.pop())
        try:
            for line in (one / "smaps_rollup").read_text().splitlines():
                if line.startswith(("Pss_Anon:", "Pss_Shmem:")):
                    total += int(line.split()[1]) * 1024
            for children in one.glob("task/*/children"):
                pending += map(int, children.read_text().split())
        except OSError:
            continue
    return total


def step(folder: Path, node: str, limit: float) -> dict[str, Any]:
    """Build a node in a process of its own; ends it above so many GB."""
    command = [sys.executable, "-m", "lupom", "run", "--full-refresh", "--select", node]
    command += ["--project-dir", str(folder)]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    begun = time.perf_counter()
    with tempfile.TemporaryFile("w+") as said:
        process = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=said, env=env, start_new_session=True
        )
        peak, over = 0, False
        ended = threading.Event()

        def watch() -> None:
            nonlocal peak, over
            while not ended.wait(0.2):
                peak = max(peak, memory_of(process.pid))
                if peak > limit * 1e9 and not over:
                    over = True
                    process.kill()

        watcher = threading.Thread(target=watch)
        watcher.start()
        _, code, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(code)
        ended.set()
        watcher.join()
        said.seek(0)
        words = said.read()
    out: dict[str, Any] = {
        "wall": round(time.perf_counter() - begun, 1),
        "cpu": round(used.ru_utime + used.ru_stime, 1),
        "peak_mb": peak >> 20,
    }
    with suppress(OSError, StopIteration):
        results = json.loads((folder / "target" / "run_results.json").read_text())["results"]
        mine = next(one for one in results if one["unique_id"].endswith(f".{node}"))
        out["seconds"] = round(mine["execution_time"], 1)
    if over:
        out["error"] = f"more than {limit:g} GB"
    elif process.returncode:
        out["error"] = words.strip()[-2000:]
    return out


def contents(folder: Path) -> dict[str, str | None]:
    """Return the digest of each table's contents."""
    from lupom import Project

    with Project(folder) as project:
        return {name: record.content_hash for name, record in project.records().items()}


def measure(args: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Return what each executor takes for the project of one size."""
    data = folder / "data"
    if not data.is_dir():
        begun = time.perf_counter()
        make(data, args.people_now, args.questions, args.dimensions)
        print(f"made up in {time.perf_counter() - begun:.0f} s", file=sys.stderr)
    runs: list[dict[str, Any]] = []
    first: dict[str, str | None] | None = None
    built = folder / args.executors[0]
    for executor in args.executors:
        place = folder / executor
        if runs and built.is_dir():
            # What it reads is there; the steps that executors work at are built anew.
            place.mkdir()
            for name in ("scale.duckdb", ".lupom"):
                copy = shutil.copytree if (built / name).is_dir() else shutil.copy
                copy(built / name, place / name)
        project(place, data, args, executor)
        steps: dict[str, dict[str, Any]] = {}
        for group in args.steps:
            for node in STEPS[group]:
                if runs and node not in args.again:
                    continue
                steps[node] = step(place, node, args.limit)
                print(f"  {executor:<10}{node:<28}{steps[node]}", file=sys.stderr, flush=True)
                if "error" in steps[node]:
                    return {"people": args.people_now, "executor": executor, "steps": steps}
        found = contents(place)
        first = first or found
        run = {"people": args.people_now, "executor": executor, "steps": steps}
        if runs:
            run["same"] = all(found[node] == first[node] for node in steps)
        runs.append(run)
        print(json.dumps(run), flush=True)
    return runs[0]


def groups(run: dict[str, Any]) -> dict[str, dict[str, float]]:
    """Return CPU, wall and peak of each group of steps."""
    out = {}
    # What any run takes: to start, to open the project, to write down that it ended.
    idle = min(one["cpu"] for one in run["steps"].values())
    for group, nodes in STEPS.items():
        mine = [run["steps"][node] for node in nodes if node in run["steps"]]
        if mine:
            out[group] = {
                "cpu": round(sum(one["cpu"] for one in mine), 1),
                "cpu_own": round(sum(one["cpu"] - idle for one in mine), 1),
                "wall": round(sum(one["wall"] for one in mine), 1),
                "peak_mb": max(one["peak_mb"] for one in mine),
            }
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--people", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--questions", type=int, default=25)
    parser.add_argument("--dimensions", type=int, default=40)
    parser.add_argument("--pairs", type=int, default=2000, help="test pairs, and tuning pairs")
    parser.add_argument("--executors", nargs="+", choices=list(EXECUTORS), default=["local"])
    parser.add_argument("--steps", nargs="+", choices=list(STEPS), default=list(STEPS))
    parser.add_argument("--predictors", nargs="+", help="of all those that ship")
    parser.add_argument("--limit", type=float, default=8.0, help="GB of a step's processes")
    parser.add_argument("--memory", help="DuckDB's share of it, as the target's 'memory'")
    parser.add_argument("--folder", type=Path, help="where projects stay; else they are deleted")
    args = parser.parse_args()
    args.again = (
        *("refined_persona_values", "similar_respondents", "neighbour_answers"),
        *("fitted_predictors", "baselines"),
    )
    found = []
    for people in sorted(args.people):
        args.people_now = people
        with tempfile.TemporaryDirectory(prefix="lupom-scale-") as temporary:
            folder = Path(args.folder or temporary) / str(people)
            folder.mkdir(parents=True, exist_ok=True)
            found.append(measure(args, folder))
    if len(found) > 1:
        sizes = np.log([run["people"] for run in found])
        by_group = [groups(run) for run in found]
        exponents = {
            group: round(
                float(
                    np.polyfit(sizes, np.log([max(g[group]["cpu"], 0.1) for g in by_group]), 1)[0]
                ),
                2,
            )
            for group in by_group[-1]
            if all(group in one for one in by_group)
        }
        print(json.dumps({"groups": by_group, "exponents": exponents}))


if __name__ == "__main__":
    main()
