"""The lineage graph, and what the page of each node shows."""

from __future__ import annotations

import difflib
from typing import Any

from lupom.engine.errors import LupomError
from lupom.engine.project.nodes import Node
from lupom.engine.run.versions import versions
from lupom.engine.workspace import Project
from lupom.site.layout import layers
from lupom.site.shards import Shards, short
from lupom.site.tables import Tables, latest

SAMPLE = 20  # rows of a model on its page
RUNS = 50  # runs on it
TEXT = 200_000  # characters of a file: longer ones, such as a seed's, are cut


def nodes(
    project: Project,
    tables: Tables,
    counts: dict[str, int | None],
    results: list[dict[str, Any]],
) -> list[dict[str, Any]]:
    """Return every node with its place in the graph, its kind and its last result.

    Sources and seeds that nothing reads have no place.
    """
    parents = {n.name: [p for p in n.parents if p in project.nodes] for n in project.nodes.values()}
    # A source may have a hundred tables of which a project reads two; the others are not drawn.
    read = {parent for above in parents.values() for parent in above}
    unread = {
        n.name
        for n in project.nodes.values()
        if n.resource in ("source", "seed") and n.name not in read
    }
    places = layers({name: above for name, above in parents.items() if name not in unread})
    last = latest(results)
    found = []
    for node in project.nodes.values():
        result = last.get(node.name, {})
        found.append(
            {
                "name": node.name,
                "kind": kind(node),
                "materialized": node.materialized,
                "file": node.file,
                "tags": sorted(node.tags),
                "description": node.description.strip(),
                "parents": parents[node.name],
                "x": places[node.name][0] if node.name in places else None,
                "y": places[node.name][1] if node.name in places else None,
                "rows": counts.get(node.name),
                "built": tables.has(node.name),
                "status": _status(node, result, tables),
                "tests": _worst(project, node, last),
            }
        )
    return found


def kind(node: Node) -> str:
    """Return what a reader calls a node: source, seed, sql, python, llm."""
    if node.resource in ("source", "seed"):
        return node.resource
    return "llm" if node.materialization.needs_llm else node.language


def _status(node: Node, result: dict[str, Any], tables: Tables) -> str:
    if result:
        return str(result["status"])
    if not node.materialization.is_built:
        return ""
    return "built" if tables.has(node.name) else "never"


def _worst(project: Project, node: Node, last: dict[str, dict[str, Any]]) -> str:
    """Return the worst last result of a node's tests; '' where it has none that ran."""
    tests = [t.name for t in project.tests.values() if node.name in t.parents]
    statuses = {str(last[name]["status"]) for name in tests if name in last}
    for status in ("error", "fail", "warn", "pass"):
        if status in statuses:
            return status
    return ""


def write_pages(
    shards: Shards,
    project: Project,
    tables: Tables,
    runs: list[dict[str, Any]],
    results: list[dict[str, Any]],
) -> None:
    """Write one shard for the page of each node."""
    last = latest(results)
    started = {run["run_id"]: run["started_at"] for run in runs}
    by_node: dict[str, list[dict[str, Any]]] = {}
    for row in results:
        by_node.setdefault(row["node"], []).append(row)
    kept: dict[str, list[dict[str, Any]]] = {}
    for version in versions(project.context):
        kept.setdefault(version["node"], []).append(version)
    for node in project.nodes.values():
        page = {
            "columns": _columns(node, tables),
            "config": {k: v for k, v in sorted(node.config.items()) if k != "tags"},
            "code": _code(project, node),
            "prompts": _prompts(project, node, kept.get(node.name, []), started),
            "sample": _sample(tables, node.name),
            "tests": [_test(t, last) for t in project.tests.values() if node.name in t.parents],
            "runs": [
                {**{k: row[k] for k in _RUN}, "started": started.get(row["run_id"])}
                for row in by_node.get(node.name, [])[-RUNS:][::-1]
            ],
        }
        shards.write(f"node/{node.name}", page)


_RUN = (
    *("run_id", "status", "reason", "message", "rows", "seconds", "calls", "cached", "asked"),
    *("invalid", "tokens_in", "tokens_cached", "tokens_out", "cost"),
)


def _columns(node: Node, tables: Tables) -> list[dict[str, Any]]:
    described = {column.name: column for column in node.columns}
    built = tables.columns.get(node.name, {})
    names = [*built, *(name for name in described if name not in built)]
    return [
        {
            "name": name,
            "type": built.get(name) or (described[name].data_type if name in described else ""),
            "description": described[name].description if name in described else "",
            "missing": bool(built) and name not in built,
        }
        for name in names
    ]


def _code(project: Project, node: Node) -> list[dict[str, str]]:
    """Return a node's file as it is written, and its SQL as DuckDB gets it."""
    if node.resource == "source" or node.language == "csv":
        return []
    try:
        written = node.path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        written = node.text
    parts = [{"title": node.file or node.name, "text": written[:TEXT]}]
    if node.language == "sql":
        try:
            compiled = project.context.sql(node, shown=True)
        except LupomError as error:
            compiled = f"-- {error}"
        parts.append({"title": "Compiled SQL", "text": compiled[:TEXT]})
    return parts


def _prompts(
    project: Project, node: Node, kept: list[dict[str, Any]], started: dict[str, Any]
) -> list[dict[str, Any]]:
    """Return the versions of an LLM model's prompt, the newest first, each with what changed."""
    if not node.materialization.needs_llm:
        return []
    from lupom.engine.llm.profiles import load_prompt

    name, digest = str(node.config["prompt"]), node.parts.get("prompt", "")
    found = [
        {
            "name": version["prompt"],
            "hash": version["hash"],
            "run_id": version.get("run_id"),
            "started": started.get(version.get("run_id", "")),
            "texts": version["texts"],
        }
        for version in kept
    ]
    if not found or found[-1]["hash"] != digest:
        # Not asked with yet, or run before versions were kept.
        profile = project.files.settings.llms[str(node.config["llm"])].profile
        texts = load_prompt(project.files.prompts, name, profile).sources
        now = {"name": name, "hash": digest, "run_id": None, "started": None, "texts": texts}
        found.append(now)
    before: dict[str, str] | None = None
    for version in found:
        version["changes"] = [] if before is None else _changes(before, version["texts"])
        before = version["texts"]
    return found[::-1]


def _changes(before: dict[str, str], after: dict[str, str]) -> list[str]:
    lines: list[str] = []
    for name in sorted({*before, *after}):
        old, new = before.get(name, "").splitlines(), after.get(name, "").splitlines()
        lines += difflib.unified_diff(old, new, name, name, lineterm="", n=2)
    return lines


def _sample(tables: Tables, name: str) -> dict[str, Any]:
    sample = tables.sample(name, SAMPLE)
    if sample:
        sample["rows"] = [[short(value) for value in row] for row in sample["rows"]]
    return sample


def _test(test: Node, last: dict[str, dict[str, Any]]) -> dict[str, Any]:
    result = last.get(test.name, {})
    return {
        "name": test.name,
        "description": test.description,
        "status": result.get("status", "never"),
        "message": result.get("message", ""),
        "rows": result.get("rows"),
    }
