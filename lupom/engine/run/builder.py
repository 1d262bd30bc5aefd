"""Builds a node of a run, by the kind of it; whatever goes wrong is its result."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lupom.engine.errors import BudgetError, LupomError, ModelError, WaitingError
from lupom.engine.project.nodes import Node
from lupom.engine.run import identities as ids
from lupom.engine.run import results as r
from lupom.engine.run.context import Context
from lupom.engine.run.identities import Identities
from lupom.engine.run.plan import Step
from lupom.engine.store import messages
from lupom.engine.store.records import TableRecord

if TYPE_CHECKING:
    import duckdb

# How often a node is built at most whose store's server goes away meanwhile.
_TIMES = 3


@dataclass(frozen=True, slots=True)
class Options:
    """How a run goes about its plan."""

    threads: int | None = None
    full_refresh: bool = False
    fail_fast: bool = False
    no_llm: bool = False
    retry_invalid: bool = False
    budget: str | None = None
    store_failures: bool = False


class Builder:
    """Builds nodes of one run, several at a time, each in a thread of its caller's.

    Parameters
    ----------
    steps : what the plan says of each node.
    known : what stands in the store; what is built is added.
    progressed : hears how far the calls of an LLM model are.
    """

    def __init__(
        self,
        context: Context,
        steps: Mapping[str, Step],
        known: Identities,
        options: Options,
        run_id: str,
        progressed: Callable[[str, r.NodeProgress], None],
    ) -> None:
        self._context = context
        self._steps = steps
        self._known = known
        self._options = options
        self._run_id = run_id
        self._progressed = progressed
        self._calls: dict[str, r.Calls] = {}

    def build(self, node: Node) -> r.NodeResult:
        """Build a node and commit it; returns how it ended, and raises nothing."""
        begun = time.monotonic()
        result = r.NodeResult(node.name, node.materialized, r.SUCCESS)
        self._context.embedded.pop(node.name, None)
        for left in reversed(range(_TIMES)):
            try:
                self._build(node, result)
                break
            except BaseException as error:
                if left and isinstance(error, Exception) and self._context.store.came_back(error):
                    # Its store was gone while it read; what LLMs answered is in the ledger.
                    continue
                # Whatever it was: a run that hears nothing of a node waits for it for ever.
                # What an LLM node asked before it failed was paid for all the same.
                calls, result = result.calls, failure(node, error)
                result.calls = calls
                break
        embedded = self._context.embedded.pop(node.name, None)
        if embedded is not None and embedded.texts:
            result.embedded = embedded
            result.message = result.message or embedded.said()
        result.seconds = time.monotonic() - begun
        return result

    def _build(self, node: Node, result: r.NodeResult) -> None:
        inputs = self._known.inputs(node)
        for parent, identity in inputs.items():
            if identity is None:
                raise ModelError(
                    f"its input '{parent}' is not built",
                    file=node.file,
                    hint=f"select it too: --select +{node.name}",
                )
        far = self._context.deferred & set(node.parents)
        if node.materialization.is_view and far:
            raise ModelError(
                f"a view cannot read '{min(far)}' of another target",
                file=node.file,
                hint="materialized='table'",
            )
        previous = self._known.record(node.name)
        read = {p: ids.sources_below(self._context.nodes, p) for p in node.parents}

        shared = self._context.store.shared

        def settle(record: TableRecord, cursor: duckdb.DuckDBPyConnection) -> None:
            changed = self._context.changed_since({s for names in read.values() for s in names})
            ids.moved(
                record,
                [
                    parent
                    for parent, names in read.items()
                    if names
                    and (changed & set(names) or self._known.again(parent) != inputs[parent])
                ],
            )
            if shared:
                # Another run may have committed since this one looked.
                now = self._known.among(self._context.store.records_on(cursor))
                ids.moved(record, [p for p in inputs if now.of(p) != inputs[p]])

        no_llm = self._options.no_llm and node.materialization.needs_llm
        record = TableRecord(
            node=node.name,
            kind=node.materialization.relation,
            fingerprint=ids.fingerprint(node, inputs, no_llm=no_llm),
            code=ids.code_hash(node),
            parts=ids.parts_with_inputs(node, inputs, no_llm=no_llm),
            run_id=self._run_id,
            measured=node.measured,
            settle=settle if shared or any(read.values()) else None,
        )
        result.reason = self._steps[node.name].reason
        if previous is not None and self._steps[node.name].action == "maybe":
            result.reason = ", ".join(ids.changes(node, previous, inputs))
        if node.materialization.needs_llm:
            record = self._build_llm(node, record, previous, result)
        else:
            record = self._build_plain(node, record, previous)
        self._known.committed(record)
        result.rows = record.row_count

    def _build_plain(
        self, node: Node, record: TableRecord, previous: TableRecord | None
    ) -> TableRecord:
        from lupom.engine.run.materializations import build

        # A growing table whose own code changed holds rows of another model: it is built anew.
        whole = self._options.full_refresh or ids.code_changed(node, previous)
        return build(self._context, node, record, whole=whole)

    def _build_llm(
        self,
        node: Node,
        record: TableRecord,
        previous: TableRecord | None,
        result: r.NodeResult,
    ) -> TableRecord:
        from lupom.engine.run.materializations import llm

        if self._options.no_llm:
            if previous is not None:
                result.status, result.message = r.KEPT, "--no-llm"
                return previous
            result.message = "no LLM"
            return llm.build_empty(self._context, node, record)
        result.calls = self._calls[node.name] = r.Calls()
        record = llm.build(
            self._context,
            node,
            record,
            run_id=self._run_id,
            progress=lambda p: self._progressed(node.name, p),
            counts=result.calls,
            retry_invalid=self._options.retry_invalid,
        )
        if not result.calls.total:
            # No fault by itself: a survey without numeric questions asks for no numbers.
            result.message = "its select gives no rows: nothing was asked"
            if self._useless_above(node.name):
                result.status = r.WARN
        if result.calls.invalid:
            result.status = r.WARN
            result.message = f"{result.calls.invalid} of {result.calls.total} answers invalid"
        return record

    def _useless_above(self, name: str) -> bool:
        """Tell whether an LLM model that it reads, directly or not, was given no usable answer."""
        calls = (self._calls.get(other) for other in self._context.graph.ancestors(name))
        return any(one is not None and 0 < one.total == one.invalid for one in calls)


def failure(node: Node, error: BaseException) -> r.NodeResult:
    """Make the result of a node that raised: a user's error as it is, any other with its type."""
    from lupom.engine.executors import Stopped as StoppedAtWork
    from lupom.engine.run.materializations.llm import Stopped

    if isinstance(error, Stopped | StoppedAtWork | BudgetError | WaitingError):
        return r.NodeResult(node.name, node.materialized, r.STOPPED, error.message)
    if isinstance(error, LupomError):
        if error.file is None:
            error.file = node.file
        error.within(node.path.parents[node.file.count("/")])
        return r.NodeResult(node.name, node.materialized, r.ERROR, str(error))
    if type(error).__module__.startswith(("duckdb", "_duckdb")):
        message = messages.lines(error)
        line = _line_of(node, message)
        where = node.file if line is None else f"{node.file}:{line}"
        return r.NodeResult(node.name, node.materialized, r.ERROR, f"{where}: {message}")
    message = f"{node.file}: {type(error).__name__}: {error}"
    return r.NodeResult(node.name, node.materialized, r.ERROR, message)


def _line_of(node: Node, message: str) -> int | None:
    """Return the line of a model's file that has the name DuckDB complains of.

    DuckDB's own line is of the compiled SQL, which Jinja may have made longer or shorter.
    """
    complaint = message.splitlines()[0]
    words = re.findall(r'"([^"]+)"', complaint) or re.findall(r"with name (\S+) does", complaint)
    if node.language != "sql" or not words:
        return None
    wanted = re.compile(rf"(?<!\w){re.escape(words[0])}(?!\w)")
    lines = node.path.read_text(encoding="utf-8", errors="replace").splitlines()
    return next((i for i, text in enumerate(lines, 1) if wanted.search(text)), None)
