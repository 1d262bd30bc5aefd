"""What a relation is, as far as its readers are concerned: the base of "did anything change?".

A table is its contents: however it came about, equal contents are the same table. A view or an
ephemeral model is its text and what it reads, without looking at the rows.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

from lupom.engine.hashes import digest
from lupom.engine.project.nodes import Node, llm_part
from lupom.engine.store.contents import is_current
from lupom.engine.store.records import TableRecord

# Parts of a record that are not the node's own code.
_INPUTS = "inputs"
NO_LLM = "answers"


class Identities:
    """Identities and fingerprints of nodes, given what stands in the store.

    Parameters
    ----------
    nodes : every node of the project by name.
    records : what the store knows, by node.
    current : nodes whose present code counts (those of this run); for others the built one does.
    source_hash : identity of a source; None when it is not there, or was never asked for.
    deferred : identities of nodes that are read from another store.
    """

    def __init__(
        self,
        nodes: Mapping[str, Node],
        records: Mapping[str, TableRecord],
        current: frozenset[str],
        source_hash: Callable[[str], str | None],
        deferred: Mapping[str, str] | None = None,
    ) -> None:
        self._nodes = nodes
        self._records = dict(records)
        self._current = current
        self._source_hash = source_hash
        self._deferred = dict(deferred or {})
        self._known: dict[str, str | None] = {}
        # Nodes are built in threads, and each that is committed makes the others' identities new.
        self._lock = threading.RLock()

    @property
    def most_rows(self) -> int:
        """Return how many rows the largest table has, as far as they were counted."""
        return max((record.row_count or 0 for record in self._records.values()), default=0)

    def again(self, name: str) -> str | None:
        """Return a relation's identity as of this moment, sources asked anew."""
        with self._lock:
            self._known.clear()
            return self.of(name)

    def among(self, records: Mapping[str, TableRecord]) -> Identities:
        """Return the identities of the same nodes where these records stand in the store."""
        return Identities(self._nodes, records, frozenset(), self._source_hash, self._deferred)

    def record(self, name: str) -> TableRecord | None:
        """Return what the store knows of a node whose relation stands; None otherwise."""
        record = self._records.get(name)
        return record if record is not None and record.exists else None

    def lost(self, name: str) -> bool:
        """Tell whether a node was built and its relation is gone."""
        record = self._records.get(name)
        return record is not None and not record.exists

    def committed(self, record: TableRecord) -> None:
        """Take note of a relation that was just built."""
        with self._lock:
            self._records[record.node] = record
            self._known.clear()

    def of(self, name: str) -> str | None:
        """Return a relation's identity; None when it, or something a view reads, is not built."""
        with self._lock:
            # Views over views: walk iteratively, so that a chain of any length is no recursion.
            stack = [] if name in self._known else [name]
            while stack:
                top = stack[-1]
                waiting = [p for p in self._through(top) if p not in self._known]
                if waiting:
                    stack.extend(waiting)
                    continue
                self._known[top] = self._identity(top)
                stack.pop()
            return self._known[name]

    def _through(self, name: str) -> tuple[str, ...]:
        node = self._nodes[name]
        if name in self._deferred:
            return ()
        return node.parents if node.materialization.read_through else ()

    def _identity(self, name: str) -> str | None:
        node = self._nodes[name]
        if name in self._deferred:
            return self._deferred[name]
        if node.resource == "source":
            return self._source_hash(name)
        if node.materialization.read_through:
            code = code_hash(node)
            if node.materialization.is_view:
                record = self.record(name)
                if record is None:
                    return None
                if name not in self._current:
                    code = record.code
            inputs = {parent: self._known[parent] for parent in node.parents}
            return None if None in inputs.values() else digest(code, inputs)
        record = self.record(name)
        return None if record is None else record.content_hash

    def inputs(self, node: Node) -> dict[str, str | None]:
        """Return the identity of each node this one reads."""
        return {parent: self.of(parent) for parent in node.parents}


def code_hash(node: Node) -> str:
    """Return the hash of everything that makes the node what it is, its inputs aside."""
    return digest(node.parts)


def fingerprint(node: Node, inputs: Mapping[str, str | None], *, no_llm: bool = False) -> str:
    """Return a node's fingerprint: its code and the contents of its inputs."""
    return digest(node.parts, dict(inputs), *(["no llm"] if no_llm else []))


def sources_below(nodes: Mapping[str, Node], name: str) -> list[str]:
    """Return the sources whose rows one reads who reads a relation: itself, or through views."""
    found: list[str] = []
    pending, seen = [name], {name}
    while pending:
        node = nodes[pending.pop()]
        if node.resource == "source":
            found.append(node.name)
        elif node.materialization.read_through:
            new = [parent for parent in node.parents if parent not in seen]
            seen.update(new)
            pending += new
    return found


def loaded(record: TableRecord, **parts: str) -> None:
    """Note that what was built is not the node as it was compiled: these are its parts.

    A later run compares them with the node's and builds it again.
    """
    inputs = record.parts.get(_INPUTS, {})
    own = {k: v for k, v in {**record.parts, **parts}.items() if k not in (_INPUTS, NO_LLM)}
    record.parts.update(parts)
    record.code, record.fingerprint = digest(own), digest(own, inputs)


def moved(record: TableRecord, parents: Iterable[str]) -> None:
    """Note that inputs changed while they were read: their rows are of no identity that is known,
    so that a later run builds the node again."""
    for parent in parents:
        record.parts[_INPUTS][parent] = f"changed while it was read in {record.run_id}"
        record.fingerprint = digest(record.fingerprint, record.parts[_INPUTS])


def parts_with_inputs(
    node: Node, inputs: Mapping[str, str | None], *, no_llm: bool = False
) -> dict[str, Any]:
    """Return what a record keeps, so that a later plan can say what changed."""
    parts: dict[str, Any] = {**node.parts, _INPUTS: dict(inputs)}
    if no_llm:
        parts[NO_LLM] = "none"
    return parts


def asked_of(record: TableRecord) -> list[str]:
    """Return the LLM aliases that a record says a relation was built with."""
    begin, end = llm_part("\n").split("\n")
    named = [part for part in record.parts if part.startswith(begin) and part.endswith(end)]
    return [part[len(begin) : len(part) - len(end)] for part in named]


def set_llms(node: Node, llms: Mapping[str, str]) -> None:
    """Make these the aliases a node is asked of, where its rows name them: alias -> identity."""
    begin = llm_part("\n").split("\n")[0]
    node.parts = {part: value for part, value in node.parts.items() if not part.startswith(begin)}
    node.parts.update({llm_part(alias): llms[alias] for alias in sorted(llms)})


def renewed(node: Node, record: TableRecord) -> TableRecord:
    """Return a record of the same inputs, of the node as it is now."""
    inputs = record.parts[_INPUTS]
    return replace(
        record,
        fingerprint=fingerprint(node, inputs),
        code=code_hash(node),
        parts=parts_with_inputs(node, inputs),
    )


def changes(node: Node, record: TableRecord, inputs: Mapping[str, str | None]) -> list[str]:
    """Say what differs between a node and what was built: 'SQL changed', 'questions changed'."""
    built = dict(record.parts)
    before = built.pop(_INPUTS, {})
    reasons = ["built without an LLM"] if built.pop(NO_LLM, None) else []
    if not is_current(record.content_hash):
        # Its digest, and those it was built on, took different contents for the same.
        reasons.append("built by an earlier LUPoM")
    for part in [*node.parts, *(p for p in built if p not in node.parts)]:
        if node.parts.get(part) == built.get(part):
            continue
        if (node.parts.get(part) or "").startswith("unknown: "):
            reasons.append(f"{part}: {node.parts[part].removeprefix('unknown: ')}")
        elif part in node.parts and part in built:
            reasons.append(f"{part} changed")
        else:
            reasons.append(f"{part} is {'new' if part in node.parts else 'gone'}")
    for name in dict.fromkeys([*inputs, *before]):
        if name not in before:
            reasons.append(f"input {name} is new")
        elif name not in inputs:
            reasons.append(f"input {name} is gone")
        elif inputs[name] != before[name]:
            reasons.append(f"input {name} changed")
    return reasons


def code_changed(node: Node, record: TableRecord | None) -> bool:
    """Tell whether a node's own code differs from what was built."""
    return record is None or record.code != code_hash(node)
