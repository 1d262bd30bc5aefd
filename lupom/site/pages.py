"""Generates the site: target/site/index.html, its assets and the data beside them."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from lupom.engine.llm.prices import whole
from lupom.engine.run import artifacts
from lupom.engine.workspace import Project
from lupom.site import evaluation, lineage, overview, people
from lupom.site.catalog import catalog
from lupom.site.shards import Shards
from lupom.site.tables import Tables
from lupom.version import __version__

ASSETS = Path(__file__).parent / "assets"

# Runs shown: each has a bar in the chart, and a table of its nodes.
RUNS = 200


def generate(project: Project) -> Path:
    """Write the site and catalog.json to the project's target folder; returns index.html.

    What is not built is left out; a project that never ran has its lineage alone. The pages hold
    the answers of respondents, held-out ones too, so they are for whoever may see those.
    """
    target = project.files.target_folder
    folder = target / "site"
    first = overview.overview(project)
    with _tables(project) as tables:
        counts = {name: tables.count(name) for name in project.nodes if tables.has(name)}
        artifacts.write(target, "catalog.json", catalog(project, tables, counts))
        if not (target / "manifest.json").is_file():
            artifacts.write(target, "manifest.json", artifacts.manifest(project.context))
        _assets(folder)
        shards = Shards(folder / "data")
        runs = project.context.state.runs()
        results = project.context.state.nodes()
        start = {
            "project": project.name,
            "target": project.files.target_name,
            "version": __version__,
            "generated": datetime.now(UTC).isoformat(timespec="seconds"),
            "titles": first.pop("titles"),
            "overview": first,
            "nodes": lineage.nodes(project, tables, counts, results),
            "surveys": people.write(shards, tables),
            "evaluation": evaluation.write(shards, tables),
        }
        lineage.write_pages(shards, project, tables, runs, results)
        _runs(shards, runs[:RUNS], results)
    shards.write("start", start)
    return folder / "index.html"


@contextmanager
def _tables(project: Project) -> Iterator[Tables]:
    if not project.store.exists:
        yield Tables(None)
        return
    with project.store.reading() as cursor:
        yield Tables(cursor)


def _assets(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.iterdir():
        if old.is_file():
            old.unlink()
    for asset in sorted(ASSETS.iterdir()):
        if asset.is_file():
            shutil.copyfile(asset, folder / asset.name)


_SUMS = ("calls", "cached", "asked", "invalid")
_TOKENS = ("tokens_in", "tokens_out")


def _known(numbers: Iterable[int | None]) -> int | None:
    """Return a sum; None where a part of it is unknown."""
    return whole(*numbers)


def _runs(shards: Shards, runs: list[dict[str, Any]], results: list[dict[str, Any]]) -> None:
    """Write the list of runs, the oldest first, and a shard of nodes for each."""
    by_run: dict[str, list[dict[str, Any]]] = {}
    for row in results:
        by_run.setdefault(row["run_id"], []).append(row)
    listed = []
    for run in reversed(runs):
        rows = by_run.get(run["run_id"], [])
        costs = [row["cost"] for row in rows if row["asked"]]
        listed.append(
            {
                **{
                    k: run[k]
                    for k in ("run_id", "command", "target", "status", "message", "seconds")
                },
                "started": run["started_at"],
                "nodes": len(rows),
                "failed": sum(row["status"] in ("error", "fail") for row in rows),
                **{k: sum(row[k] or 0 for row in rows) for k in _SUMS},
                **{k: _known(row[k] for row in rows if row["asked"]) for k in _TOKENS},
                # Not known is not nothing: one call without a price, and the sum has none.
                "cost": None if None in costs else sum(costs),
            }
        )
        keys = ("node", "kind", "status", "reason", "message", "rows", "seconds", *_SUMS, "cost")
        shards.write(f"run/{run['run_id']}", [{k: row[k] for k in keys} for row in rows])
    shards.write("runs", listed)
