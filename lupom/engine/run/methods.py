"""Selector methods that look beyond the graph: state:, result: and selector:."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lupom.engine.errors import SelectionError, UsageError, did_you_mean
from lupom.engine.graph import Graph, Method, select
from lupom.engine.graph.definitions import evaluate
from lupom.engine.project.nodes import Node
from lupom.engine.project.selectors import read_selectors
from lupom.engine.run.identities import code_hash
from lupom.engine.run.staleness import records

if TYPE_CHECKING:
    from lupom.engine.run.context import Context

_STATES = ("modified", "new", "old", "unmodified")
_RESULTS = ("success", "error", "skipped", "warn", "fail", "pass", "stopped", "unchanged", "kept")


def methods(context: Context, state: Path | None = None) -> Mapping[str, Method]:
    """Return the further methods of a project's selectors.

    Parameters
    ----------
    state : folder of artifacts to compare with: the manifest.json that `state:` and the
        run_results.json that `result:` read. None compares with what the store was built from, and
        with the last run.

    `state:modified` are nodes whose own code, config or file differs, new ones included;
    `state:new` those there were not. `result:error` and the like are nodes that ended so.
    """

    def by_state(graph: Graph[Any], value: str) -> Collection[str]:
        _check("state", value, _STATES)
        before = _manifest(state) if state else _built(context)
        nodes = [n for n in graph.nodes.values() if before is not None]
        new = {n.name for n in nodes if n.name not in before and _comparable(n, state)}
        if value == "new":
            return new
        changed = {n.name for n in nodes if n.name in before and before[n.name] != _checksum(n)}
        modified = new | changed
        if value == "modified":
            return modified
        names = {n.name for n in nodes if _comparable(n, state)}
        return names - (modified if value == "unmodified" else new)

    def by_result(graph: Graph[Any], value: str) -> Collection[str]:
        _check("result", value, _RESULTS)
        ended = _results(state) if state else _last(context)
        return {name for name, status in ended.items() if status == value}

    def by_selector(graph: Graph[Any], value: str) -> Collection[str]:
        return _named(context, graph, value, state, ())

    return {"state": by_state, "result": by_result, "selector": by_selector}


def default_selector(root: Path) -> str | None:
    """Return the selector that counts where nothing is selected, as 'selector:NAME'."""
    chosen = [s.name for s in read_selectors(root).values() if s.default]
    return f"selector:{chosen[0]}" if chosen else None


def _check(method: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise SelectionError(
            f"'{method}:{value}' is not known",
            hint=did_you_mean(value, known) or f"{method}: " + ", ".join(known),
        )


def _named(
    context: Context, graph: Graph[Any], name: str, state: Path | None, inside: tuple[str, ...]
) -> set[str]:
    known = read_selectors(context.files.root)
    if name not in known:
        raise SelectionError(
            f"no selector '{name}' in selectors.yml",
            hint=did_you_mean(name, known) or "selectors: " + (", ".join(known) or "none"),
        )
    if name in inside:
        circle = " -> ".join([*inside, name])
        raise SelectionError(f"selectors lead in a circle: {circle}")
    extra = dict(methods(context, state))
    extra["selector"] = lambda graph, value: _named(context, graph, value, state, (*inside, name))
    try:
        return evaluate(
            known[name].definition, lambda text: set(select(graph, [text], None, extra))
        )
    except SelectionError as error:
        if error.file is None:
            error.file, error.line = known[name].file, known[name].line
        raise


def _checksum(node: Node) -> str:
    return code_hash(node)


def _comparable(node: Node, state: Path | None) -> bool:
    """Tell whether what came before can have known a node: the store knows no ephemeral models,
    tests or sources."""
    return state is not None or (node.resource in ("model", "seed") and _stored(node))


def _stored(node: Node) -> bool:
    return not node.materialization.inlined


def _built(context: Context) -> dict[str, str]:
    return {name: record.code for name, record in records(context).items() if record.exists}


def _manifest(state: Path) -> dict[str, str]:
    found = _read(state / "manifest.json")
    nodes = {**found.get("nodes", {}), **found.get("sources", {})}
    return {node["name"]: node["checksum"]["checksum"] for node in nodes.values()}


def _results(state: Path) -> dict[str, str]:
    results = _read(state / "run_results.json").get("results", [])
    return {result["unique_id"].split(".", 2)[2]: result["status"] for result in results}


def _last(context: Context) -> dict[str, str]:
    if not context.has_state:
        return {}
    runs = context.state.runs(limit=1)
    nodes = context.state.nodes(runs[0]["run_id"]) if runs else []
    return {node["node"]: node["status"] for node in nodes}


def _read(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(
            f"cannot read {path}: {error.strerror}",
            hint="--state takes a folder of artifacts, such as a copy of target/",
        ) from error
    except ValueError as error:
        raise UsageError(f"{path} is not JSON: {error}") from error
    if not isinstance(found, dict):
        raise UsageError(f"{path} is not one of LUPoM's artifacts")
    return found
