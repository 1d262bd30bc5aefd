"""What a wide survey costs: CPU seconds and memory of predictors, stack and evaluation, by step.

    python benchmarks/width.py [--people 5000] [--questions 150] [--pairs 2000] [--threads 1 2]
    python benchmarks/width.py --survey gss_2018
    python benchmarks/width.py --csv FILE
    python benchmarks/width.py --growth 25 50 100 150
    python benchmarks/width.py --steps each --predictors forest_answers logistic_answers

Without --survey (one of the project's seeds) or --csv (a file of any kind that `lupom import`
reads) the survey is made up: questions of two to seven options that follow five factors, three of
four in order, a seventh of the answers missing, six attributes of two to six values, survey
weights. The models of the pipeline are built on it as a run builds them, without a project around
them and without an LLM.

Steps are `each` (every predictor alone), `baselines` (all of them), `stack`, `router`, `sets`,
`evaluation` and `planning` (all tables of each); or the name of one model or predictor. What a step
needs is built, too, and is in the figures. CPU seconds are of all threads and child processes,
which a busy machine does not change much; memory is the largest resident set during the step. With
--threads every number has a process of its own that is kept to so many cores; with --growth every
number of questions has, and an exponent is fitted: 1 is linear in cells (people x questions).
Progress on stderr, JSON on stdout.
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
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tests.support.fake_project import FakeProject  # noqa: E402
from tests.support.staged import LEARNING, STAGING  # noqa: E402

FACTORS, MISSING, SCALES = 5, 0.15, 0.75
ATTRIBUTES = (2, 2, 3, 4, 5, 6)
LIBRARIES = ("sklearn.linear_model", "sklearn.ensemble", "scipy.stats", "scipy.sparse")
EVALUATION = (
    *("scores", "baseline_metrics", "metrics", "comparisons", "calibration", "group_metrics"),
    *("distribution_metrics", "validity", "set_metrics", "calibrated_metrics", "value_curve"),
    "estimates",
)
PLANNING = ("question_plan", "design_blocks", "design_associations", "survey_plan")
# Which models a step stands for; `each` has no model.
STEPS: dict[str, tuple[str, ...]] = {
    "each": (),
    "baselines": ("baselines",),
    "stack": ("stacked", "stack_weights"),
    "router": ("router",),
    "sets": ("prediction_sets",),
    "evaluation": EVALUATION,
    "planning": PLANNING,
}


def made_up(people: int, questions: int, seed: int = 0) -> dict[str, pa.Table]:
    """Return the tables info, responses and metadata of a survey that follows a few factors."""
    rng = np.random.default_rng(seed)
    factors = rng.normal(size=(people, FACTORS))
    columns: dict[str, Any] = {"respondent_id": [f"r{i:06}" for i in range(people)]}
    info, metadata = [], []
    for place in range(questions):
        width = 2 + place % 6
        labels = [f"option {k + 1}" for k in range(width)]
        ordered = rng.random() < SCALES
        loading = rng.normal(0.0, 0.6, (FACTORS, 1 if ordered else width))
        utility = factors @ loading + rng.logistic(0.0, 0.55, (people, loading.shape[1]))
        if ordered:
            shares = np.cumsum(rng.dirichlet(np.full(width, 3.0)))[:-1]
            code = np.searchsorted(np.quantile(utility[:, 0], shares), utility[:, 0])
        else:
            code = (utility + rng.normal(0.0, 0.5, width)).argmax(axis=1)
        given = [str(k + 1) for k in code]
        there = rng.random(people) >= MISSING
        columns[f"q{place:03}"] = [g if t else None for g, t in zip(given, there, strict=True)]
        info.append(
            {
                "key": f"q{place:03}",
                "question": f"What do you say to matter {place} of this list?",
                "option_mapping": str({float(k + 1): label for k, label in enumerate(labels)}),
                "references": str(labels),
                "option_ordinal": str([float(k + 1) for k in range(width)]) if ordered else "[]",
                "topic": f"topic {place % 10}",
            }
        )
    for place, width in enumerate(ATTRIBUTES):
        leaning = factors[:, place % FACTORS] + rng.normal(size=people)
        code = np.searchsorted(np.quantile(leaning, np.arange(1, width) / width), leaning)
        name = f"ATTRIBUTE{place}"
        columns[name] = [f"value {k}" for k in code]
        metadata.append({"key": name, "options": str([f"value {k}" for k in range(width)])})
    columns["weight"] = [f"{w:.4f}" for w in rng.lognormal(0.0, 0.4, people)]
    responses = pa.table(columns)
    return {
        "info": pa.Table.from_pylist(info),
        "responses": responses,
        "metadata": pa.Table.from_pylist(metadata),
    }


def imported(file: Path, name: str) -> dict[str, pa.Table]:
    """Return the tables info, responses and metadata of a survey's file, as `lupom import` does."""
    from lupom import surveys
    from lupom.science.surveys.layout import arrow

    layout = surveys.read(file, name).layout
    return {part: arrow(getattr(layout, part)) for part in ("info", "responses", "metadata")}


def staged(args: argparse.Namespace, store: Path) -> FakeProject:
    """Return a project with the staging models of the survey, in a file as a run's are."""
    vars: dict[str, Any] = {"test_pairs": args.pairs, "tuning_pairs": args.pairs, "seed": 1}
    if args.predictors:
        vars["predictors"] = args.predictors
    import duckdb

    name = args.survey or ("imported" if args.csv else "made_up")
    project = FakeProject(surveys=[name], **vars)
    project.connection = duckdb.connect(store)
    if args.survey:
        for part in ("info", "metadata", "responses"):
            project.seed(f"{args.survey}/{args.survey}_{part}.csv")
    else:
        tables = imported(args.csv, name) if args.csv else made_up(args.people, args.questions)
        for part, table in tables.items():
            project.add(f"{name}_{part}", table)
    for path in (*STAGING, "tuning_answers.sql", "survey_designs.py"):
        project.build(f"staging/{path}")
    for path in LEARNING:
        project.build(f"prediction/{path}")
    return project


def nothing_of_an_llm(project: FakeProject) -> None:
    """Add the tables that are empty without an LLM."""
    from lupom.science.predictors.distributions import PREDICTIONS

    empty = PREDICTIONS.empty_table()
    project.add("predictions", empty.append_column("value", pa.nulls(0, pa.float64())))
    project.add("persona_predictions", empty)
    project.add("predictions_elsewhere", empty)
    project.add("number_baselines", empty.append_column("value", pa.nulls(0, pa.float64())))


class Meter:
    """What each step took."""

    def __init__(self) -> None:
        self.steps: dict[str, dict[str, float]] = {}

    def __call__(self, name: str, work: Callable[[], Any]) -> Any:
        """Do the work, and note CPU and wall seconds and the peak of memory in MB."""
        _reset_peak()
        wall, cpu = time.perf_counter(), _cpu()
        found = work()
        self.steps[name] = {
            "cpu": round(_cpu() - cpu, 2),
            "wall": round(time.perf_counter() - wall, 2),
            "peak_mb": _peak(),
        }
        print(f"  {name:<28}{self.steps[name]}", file=sys.stderr)
        return found


def _cpu() -> float:
    of_children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + of_children.ru_utime + of_children.ru_stime


def _reset_peak() -> None:
    # Without Linux's counter a step's peak is that of all steps so far.
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def _peak() -> int:
    try:
        status = Path("/proc/self/status").read_text()
        return int(status.split("VmHWM:")[1].split()[0]) // 1024
    except (OSError, IndexError):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def measure(args: argparse.Namespace, store: Path) -> dict[str, Any]:
    """Build what the steps say in a store, and return what each model took."""
    import importlib

    from lupom import Project
    from lupom.science.predictors import baselines

    meter = Meter()
    meter("libraries", lambda: [importlib.import_module(name) for name in LIBRARIES])
    shipped = baselines.shipped()
    project = meter("staging", lambda: staged(args, store))
    nothing_of_an_llm(project)
    there = {name for (name,) in project.rows("select table_name from information_schema.tables")}
    with Project(ROOT) as shipping:
        nodes, graph = shipping.nodes, shipping.graph
    built: list[str] = []

    def build(model: str) -> None:
        if model in built:
            return
        # What a model reads is in its text, so that no list of it here goes stale.
        for needed in sorted(graph.ancestors(model, 1) - there):
            build(needed)
        path = nodes[model].file.removeprefix("models/")
        meter(model, lambda: project.build(path))
        built.append(model)

    for step in args.steps:
        if step in shipped or step == "each":
            names = [step] if step in shipped else args.predictors or list(shipped)
            alone(project, {name: shipped[name] for name in names}, meter)
        else:
            for model in STEPS.get(step, (step,)):
                build(model)
    cells = project.value("select count(*) from responses")
    count = "select count(distinct respondent_id), count(distinct question_id) from responses"
    [(people, questions)] = project.rows(count)
    pairs = project.rows("select role, count(*) from holdout group by role order by role")
    return {
        "people": people,
        "questions": questions,
        "cells": cells,
        "pairs": dict(pairs),
        "steps": meter.steps,
        "total": {
            "cpu": round(sum(meter.steps[name]["cpu"] for name in built), 1),
            "wall": round(sum(meter.steps[name]["wall"] for name in built), 1),
            "peak_mb": max((meter.steps[name]["peak_mb"] for name in built), default=0),
        },
    }


def alone(project: FakeProject, predictors: dict[str, Any], meter: Meter) -> None:
    """Measure each predictor on a task of which nothing has been worked out."""
    from lupom.science.predictors import baselines
    from lupom.science.predictors.task import Task, tasks

    closed = "from {} semi join closed_questions using (survey, question_id)"
    known = project.connection.sql(closed.format("known_responses"))
    made = meter(
        "tasks",
        lambda: tasks(
            known,
            known.filter("role in ('test', 'tuning')"),
            project.ref("respondents"),
            project.ref("closed_questions"),
        ),
    )

    def predicted(name: str, fresh: list[Task]) -> None:
        for task in fresh:
            baselines.probabilities_of(task, {name: predictors[name]}, 1)

    for name in predictors:
        meter(f"alone: {name}", partial(predicted, name, [replace(task) for task in made]))


def apart(given: list[str], threads: int, **change: int) -> dict[str, Any]:
    """Measure in a process of its own that is kept to so many cores."""
    cores = sorted(os.sched_getaffinity(0))[:threads]
    pools = ("OMP", "OPENBLAS", "MKL", "NUMEXPR", "NUMBA")
    env = {**os.environ, **{f"{pool}_NUM_THREADS": str(threads) for pool in pools}}
    command = [sys.executable, __file__, *given, "--inside", ",".join(map(str, cores))]
    for name, value in change.items():
        command += [f"--{name}", str(value)]
    print(f"{threads} threads {change or ''}", file=sys.stderr)
    found = subprocess.run(command, stdout=subprocess.PIPE, env=env, check=True)
    return {"threads": threads, **json.loads(found.stdout)}


def exponents(runs: list[dict[str, Any]]) -> dict[str, float]:
    """Return the slope of log CPU on log cells, of steps that take a tenth of a second at last."""
    cells = np.log([run["cells"] for run in runs])
    out = {}
    for name, last in [*runs[-1]["steps"].items(), ("total", runs[-1]["total"])]:
        spent = [(run["steps"].get(name) or run["total"])["cpu"] for run in runs]
        if last["cpu"] >= 0.1 and min(spent) > 0:
            out[name] = round(float(np.polyfit(cells, np.log(spent), 1)[0]), 2)
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--people", type=int, default=5000)
    parser.add_argument("--questions", type=int, default=150)
    parser.add_argument("--pairs", type=int, default=2000, help="test pairs, and tuning pairs")
    parser.add_argument("--survey", help="a survey of the project's seeds")
    parser.add_argument("--csv", type=Path, help="a survey's file")
    parser.add_argument("--threads", type=int, nargs="+", default=[1])
    parser.add_argument("--growth", type=int, nargs="+", help="numbers of questions")
    parser.add_argument("--steps", nargs="+", default=list(STEPS))
    parser.add_argument("--predictors", nargs="+", help="of all those that ship")
    parser.add_argument("--inside", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.inside:
        os.sched_setaffinity(0, {int(core) for core in args.inside.split(",")})
        with tempfile.TemporaryDirectory(prefix="lupom-width-") as folder:
            print(json.dumps(measure(args, Path(folder) / "store.duckdb")))
        return
    given = sys.argv[1:]
    out: dict[str, Any] = {"survey": args.survey or (args.csv and args.csv.name) or "made up"}
    if args.growth:
        if args.survey or args.csv:
            parser.error("--growth is of the survey that is made up")
        out["growth"] = [
            apart(given, args.threads[0], questions=questions) for questions in sorted(args.growth)
        ]
        out["exponents"] = exponents(out["growth"])
    else:
        out["runs"] = [apart(given, threads) for threads in args.threads]
    print(json.dumps(out))


if __name__ == "__main__":
    main()
