"""Deferral: what is not built in one target is read from the store of another."""

from __future__ import annotations

from collections.abc import Mapping

from lupom.engine.errors import UsageError, did_you_mean
from lupom.engine.hashes import digest
from lupom.engine.project.discovery import ProjectFiles
from lupom.engine.project.nodes import Node
from lupom.engine.run.context import DEFERRED
from lupom.engine.run.stores import store_of
from lupom.engine.store.base import Store
from lupom.engine.store.records import TableRecord


def other_store(files: ProjectFiles, store: Store, target: str) -> Store:
    """Return the store of another target, attached to a project's own store for reading.

    Raises UsageError for a target there is not, for the project's own one, and for one that was
    never built.
    """
    targets = files.settings.targets
    if target not in targets:
        raise UsageError(
            f"--defer: no target '{target}' in lupom_project.yml",
            hint=did_you_mean(target, targets) or "targets: " + ", ".join(sorted(targets)),
        )
    other = store_of(files, target)
    if other.place == store.place:
        raise UsageError(f"--defer: '{target}' is the target of this run itself")
    if not other.exists:
        raise UsageError(
            f"--defer: the target '{target}' is not built yet: there is no {other.place}",
            hint=f"lupom run --target {target}",
        )
    store.beside[DEFERRED] = other
    return other


def deferrable(
    nodes: Mapping[str, Node],
    here: Mapping[str, TableRecord],
    there: Mapping[str, TableRecord],
    selected: frozenset[str],
) -> dict[str, str]:
    """Return the identity of each node that is to be read from the other store. Pure.

    These are nodes that are not selected, stand there, and do not stand here. A table is its
    contents: built here with the same rows it would be no change. A view is its code and what it
    reads there now, which may be newer than the view.
    """

    def identity(name: str, seen: frozenset[str]) -> str | None:
        node = nodes.get(name)
        if name in seen:
            return None
        if node is not None and node.materialization.inlined:
            found = {parent: identity(parent, seen | {name}) for parent in node.parents}
            return None if None in found.values() else digest(node.parts, found)
        record = there.get(name)
        if record is None:
            return None
        if record.content_hash is not None:
            return record.content_hash
        inputs = record.parts.get("inputs", {})
        read = {parent: identity(parent, seen | {name}) or inputs[parent] for parent in inputs}
        return digest(record.code, read)

    out: dict[str, str] = {}
    for name, node in nodes.items():
        if name in selected or not node.materialization.is_built:
            continue
        mine, theirs = here.get(name), there.get(name)
        if (mine is None or not mine.exists) and theirs is not None and theirs.exists:
            out[name] = identity(name, frozenset()) or theirs.fingerprint
    return out
