"""The artifacts of a run in target/: manifest.json and run_results.json, in dbt's shape.

What a program reads that drives LUPoM: a scheduler, a CI job, a catalogue. Keys that dbt has mean
what they mean there; what LUPoM adds stands under `lupom`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lupom.engine.files import replacing
from lupom.engine.llm.prices import whole
from lupom.engine.project.nodes import Node
from lupom.engine.run import results as r
from lupom.engine.run.identities import code_hash
from lupom.engine.run.versions import keep_versions
from lupom.version import __version__

if TYPE_CHECKING:
    from lupom.engine.run.context import Context

# The version of the artifacts' own shape; it grows when a key changes its meaning or goes.
VERSION = 1


def unique_id(project_name: str, node: Node) -> str:
    """Return dbt's kind of id: 'model.my_project.persona_values'."""
    return f"{node.resource}.{project_name}.{node.name}"


def manifest(context: Context) -> dict[str, Any]:
    """Return the project as it compiles: nodes, tests, sources, and who reads whom."""
    nodes = [*context.nodes.values(), *context.tests.values()]
    ids = {node.name: unique_id(context.name, node) for node in nodes}
    described = {ids[node.name]: _node(context, node, ids) for node in nodes}
    parents = {ids[n.name]: [ids[p] for p in n.parents if p in ids] for n in nodes}
    children: dict[str, list[str]] = {one: [] for one in parents}
    for one, above in parents.items():
        for parent in above:
            children[parent].append(one)
    return {
        "metadata": metadata(context, "manifest"),
        "nodes": {k: v for k, v in described.items() if v["resource_type"] != "source"},
        "sources": {k: v for k, v in described.items() if v["resource_type"] == "source"},
        "parent_map": parents,
        "child_map": children,
    }


def run_results(
    context: Context, result: r.RunResult, command: str, arguments: Mapping[str, Any]
) -> dict[str, Any]:
    """Return how a run ended, node by node, with calls, tokens and money."""
    known = {**context.nodes, **context.tests}
    calls = [node.calls for node in result.nodes if node.calls is not None]
    costs = [call.usage.cost for call in calls if call.asked]
    return {
        "metadata": metadata(context, "run-results"),
        "args": {"which": command, **arguments},
        "elapsed_time": result.seconds,
        "results": [_result(context, known[node.node], node) for node in result.nodes],
        "lupom": {
            "run_id": result.run_id,
            "status": result.status,
            "exit_code": result.exit_code,
            "message": result.message,
            "up_to_date": result.up_to_date,
            "calls_asked": sum(call.asked for call in calls),
            "calls_cached": sum(call.cached for call in calls),
            "tokens": whole(*(call.usage.tokens for call in calls)),
            "cost_usd": None if None in costs else sum(c or 0.0 for c in costs),
        },
    }


def metadata(context: Context, kind: str) -> dict[str, Any]:
    """Return the head of an artifact."""
    return {
        "artifact": f"lupom-{kind}",
        "artifact_version": VERSION,
        "generated_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "lupom_version": __version__,
        "project_name": context.name,
        "adapter_type": "duckdb",
        "target": context.files.target_name,
    }


def write(folder: Path, name: str, artifact: Mapping[str, Any]) -> Path:
    """Write an artifact to a folder, whole or not at all; returns the file."""
    path = folder / name
    text = json.dumps(artifact, ensure_ascii=False, default=str, separators=(",", ":"))
    with replacing(path) as part:
        part.write_text(text, encoding="utf-8")
    return path


def write_artifacts(
    context: Context, result: r.RunResult, command: str, arguments: Mapping[str, Any]
) -> None:
    """Write manifest.json and run_results.json to target/.

    A run that did nothing leaves the manifest that stands. A folder that cannot be written is a
    note, not an error: the run itself went well.
    """
    folder = context.files.target_folder
    try:
        if result.run_id is not None:
            asked = (node.node for node in result.nodes if node.calls is not None)
            keep_versions(context, result.run_id, asked)
        if result.run_id is not None or not (folder / "manifest.json").is_file():
            write(folder, "manifest.json", manifest(context))
        write(folder, "run_results.json", run_results(context, result, command, arguments))
    except OSError as error:
        context.reporter.note(f"no artifacts in {folder}: {error.strerror or error}")


def _node(context: Context, node: Node, ids: Mapping[str, str]) -> dict[str, Any]:
    described: dict[str, Any] = {
        "unique_id": ids[node.name],
        "resource_type": node.resource,
        "name": node.name,
        "package_name": context.name,
        "original_file_path": node.file,
        "path": node.file,
        "language": node.language,
        "description": node.description,
        "tags": sorted(node.tags),
        "config": json.loads(json.dumps(node.config, default=str)),
        "columns": {
            column.name: {
                "name": column.name,
                "description": column.description,
                "data_type": column.data_type,
            }
            for column in node.columns
        },
        "checksum": {"name": "lupom-code", "checksum": code_hash(node)},
        "depends_on": {"nodes": [ids[name] for name in node.parents if name in ids]},
    }
    if node.resource != "source":
        stands = bool(node.materialization.relation)
        described["schema"] = "main"
        described["relation_name"] = f'"main"."{node.name}"' if stands else None
    if node.resource == "model":
        described["raw_code"] = _text(node)
    if node.language == "sql":
        described["compiled_code"] = context.sql(node, shown=True)
    return described


def _text(node: Node) -> str:
    try:
        return node.path.read_text(encoding="utf-8")
    except OSError:
        return node.text


def _result(context: Context, node: Node, result: r.NodeResult) -> dict[str, Any]:
    failing = result.rows if result.kind == "test" else None
    return {
        "unique_id": unique_id(context.name, node),
        "status": result.status,
        "message": result.message,
        "failures": failing,
        "execution_time": result.seconds,
        "adapter_response": {} if result.kind == "test" else {"rows_affected": result.rows},
        "lupom": {
            "kind": result.kind,
            "reason": result.reason,
            "rows": result.rows,
            "calls": None if result.calls is None else result.calls.flat(),
            "embedded": None if result.embedded is None else asdict(result.embedded),
        },
    }
