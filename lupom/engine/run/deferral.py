"""Deferral: what is not built in one target is read from the store of another."""

from __future__ import annotations

from collections.abc import Mapping

from lupom.engine.errors import UsageError, did_you_mean
from lupom.engine.project.discovery import ProjectFiles
from lupom.engine.project.nodes import Node
from lupom.engine.run.context import DEFERRED
from lupom.engine.store.duck import Store, TableRecord


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
    path = (files.root / targets[target].path).resolve()
    if path == store.path:
        raise UsageError(f"--defer: '{target}' is the target of this run itself")
    if not path.is_file():
        raise UsageError(
            f"--defer: the target '{target}' is not built yet: there is no {path}",
            hint=f"lupom run --target {target}",
        )
    store.attached[DEFERRED] = path
    return Store(path, targets[target].store_wait)


def deferrable(
    nodes: Mapping[str, Node],
    here: Mapping[str, TableRecord],
    there: Mapping[str, TableRecord],
    selected: frozenset[str],
) -> dict[str, str]:
    """Return the identity of each node that is to be read from the other store. Pure.

    These are nodes that are not selected, stand there, and do not stand here. A table is its
    contents: built here with the same rows it would be no change.
    """
    out: dict[str, str] = {}
    for name, node in nodes.items():
        if name in selected or node.resource == "source" or node.materialized == "ephemeral":
            continue
        mine, theirs = here.get(name), there.get(name)
        if (mine is None or not mine.exists) and theirs is not None and theirs.exists:
            out[name] = theirs.content_hash or theirs.fingerprint
    return out
