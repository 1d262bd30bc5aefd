"""Executes a plan: nodes in the order of the graph, each committed or not at all."""

from __future__ import annotations

import queue
import re
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from lupom.engine.errors import BudgetError, LupomError, ModelError, WaitingError, did_you_mean
from lupom.engine.graph import Graph
from lupom.engine.project.nodes import Node
from lupom.engine.run import identities as ids
from lupom.engine.run import results as r
from lupom.engine.run.context import Context
from lupom.engine.run.identities import Identities
from lupom.engine.run.plan import Plan
from lupom.engine.run.tests import UNIT, homes, run_test
from lupom.engine.store import messages
from lupom.engine.store.duck import TableRecord


@dataclass(frozen=True, slots=True)
class Options:
    """How a run goes about its plan."""

    threads: int = 4
    full_refresh: bool = False
    fail_fast: bool = False
    no_llm: bool = False
    retry_invalid: bool = False
    budget: str | None = None
    store_failures: bool = False


class Runner:
    """One run of a plan.

    Nodes without LLM calls share one connection to the store: the scheduler takes a share of it
    before a node starts and gives it back after the next ones have taken theirs. LLM nodes open
    the store themselves, for their reads and their commit.
    """

    def __init__(
        self,
        context: Context,
        graph: Graph[Node],
        plan: Plan,
        known: Identities,
        options: Options,
        run_id: str,
        tests: Sequence[Node] = (),
    ) -> None:
        self._context = context
        self._nodes: Mapping[str, Node] = context.nodes
        self._known = known
        self._options = options
        self._run_id = run_id
        self._steps = {step.node: step for step in plan.steps}
        doing = [step.node for step in plan.doing()]
        doing_set = frozenset(doing)
        self._graph = graph
        self._tests = homes(graph, tests)
        self._index: dict[str, int] = {}
        for name in [*(home for home in self._tests if home not in doing_set), *doing]:
            ran = [name] if name in doing_set else []
            for one in [*ran, *(test.name for test in self._tests.get(name, ()))]:
                self._index[one] = len(self._index) + 1
        # Nodes below one of which a data test failed, and why.
        self._blocked: dict[str, str] = {}
        self._parents = self._with_gates(graph.within(doing))
        self._children: dict[str, list[str]] = {name: [] for name in doing}
        for name, parents in self._parents.items():
            for parent in parents:
                self._children[parent].append(name)
        self._results: dict[str, r.NodeResult] = {}
        self._finished: queue.SimpleQueue[tuple[str, r.NodeResult]] = queue.SimpleQueue()
        self._holding: set[str] = set()

    def _with_gates(self, parents: Mapping[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
        """Let LLM models wait for what is to be right before anything is paid for."""
        out = dict(parents)
        for gate in self._context.files.settings.before_llms:
            if gate not in self._nodes:
                raise LupomError(
                    f"before_llms: there is no model '{gate}'", hint=did_you_mean(gate, self._nodes)
                )
            if gate not in out:
                continue
            above = self._graph.ancestors([gate])
            for name in out:
                is_llm = self._nodes[name].materialized == "llm"
                if is_llm and name != gate and name not in above and gate not in out[name]:
                    out[name] = (*out[name], gate)
        return out

    def run(self) -> list[r.NodeResult]:
        """Run every step; returns the results in the order the nodes ended.

        The data tests of a node that is not built run first, those of others right after them.
        """
        for home in self._tests:
            if home not in self._parents:
                self._run_tests(home)
        waiting = {name: len(parents) for name, parents in self._parents.items()}
        ready = [name for name, count in waiting.items() if count == 0]
        active: set[str] = set()
        halted = False
        with ThreadPoolExecutor(max_workers=self._options.threads) as pool:
            try:
                while ready or active:
                    halted = halted or self._context.stop.is_set() or self._failed_fast()
                    settled: list[str] = []
                    while ready and (len(active) < self._options.threads or halted):
                        name = ready.pop(0)
                        outcome = self._without_work(name, halted)
                        if outcome is not None:
                            self._end(outcome)
                            settled.append(name)
                            continue
                        self._start(name, pool)
                        active.add(name)
                    if not settled and active:
                        name, result = self._finished.get()
                        active.discard(name)
                        self._end(result)
                        settled.append(name)
                        released = name in self._holding
                        self._holding.discard(name)
                    else:
                        released = False
                    for name in settled:
                        for child in self._children[name]:
                            waiting[child] -= 1
                            if waiting[child] == 0:
                                ready.append(child)
                    ready.sort(key=self._index.__getitem__)
                    if released:
                        # The next nodes take their share first, so that the file stays open.
                        self._take_over(ready, active, pool, halted)
                        self._context.store.release()
            except BaseException:
                self._context.stop.set()
                raise
        return list(self._results.values())

    def _take_over(
        self, ready: list[str], active: set[str], pool: ThreadPoolExecutor, halted: bool
    ) -> None:
        if halted or self._context.stop.is_set() or self._failed_fast():
            return
        for name in list(ready):
            if len(active) >= self._options.threads:
                return
            if self._without_work(name, False) is None:
                ready.remove(name)
                self._start(name, pool)
                active.add(name)

    def _failed_fast(self) -> bool:
        return self._options.fail_fast and any(
            result.status in (r.ERROR, r.FAIL) for result in self._results.values()
        )

    def _without_work(self, name: str, halted: bool) -> r.NodeResult | None:
        """Return a node's result where it needs no work or cannot have any; None to start it."""
        node = self._nodes[name]
        if name in self._blocked:
            return r.NodeResult(name, node.materialized, r.SKIPPED, self._blocked[name])
        bad = [p for p in self._parents[name] if self._results[p].status in (r.ERROR, r.SKIPPED)]
        stopped = [p for p in self._parents[name] if self._results[p].status == r.STOPPED]
        if bad:
            why = (
                f"{bad[0]} {'failed' if self._results[bad[0]].status == r.ERROR else 'was skipped'}"
            )
            return r.NodeResult(name, node.materialized, r.SKIPPED, why)
        if halted or stopped:
            why = "the run was stopped" if self._context.stop.is_set() else "--fail-fast"
            if stopped and not self._context.stop.is_set():
                why = f"{stopped[0]} is not done"
            status = r.STOPPED if self._context.stop.is_set() or stopped else r.SKIPPED
            return r.NodeResult(name, node.materialized, status, why)
        step = self._steps[name]
        if step.action != "maybe":
            return None
        record = self._known.record(name)
        inputs = self._known.inputs(node)
        if record is None or None in inputs.values() or ids.changes(node, record, inputs):
            return None
        return r.NodeResult(name, node.materialized, r.UNCHANGED, rows=record.row_count)

    def _start(self, name: str, pool: ThreadPoolExecutor) -> None:
        node = self._nodes[name]
        self._context.reporter.started(self._index[name], len(self._index), name, node.materialized)
        if node.materialized != "llm":
            try:
                self._context.store.acquire()
            except LupomError as error:
                self._finished.put((name, _failure(node, error)))
                return
            self._holding.add(name)
        pool.submit(self._work, name)

    def _end(self, result: r.NodeResult) -> None:
        self._results[result.node] = result
        self._context.reporter.ended(self._index[result.node], len(self._index), result)
        if result.node in self._tests and result.kind != "test":
            self._run_tests(result.node)

    def _run_tests(self, home: str) -> None:
        """Run the tests of a node that has ended; one that fails holds back what follows."""
        ended = self._results.get(home)
        whole = ended is None or ended.status in (r.SUCCESS, r.WARN, r.UNCHANGED, r.KEPT)
        for test in self._tests[home]:
            if self._context.stop.is_set():
                self._end(r.NodeResult(test.name, "test", r.STOPPED, "the run was stopped"))
            elif not whole:
                self._end(r.NodeResult(test.name, "test", r.SKIPPED, f"{home} is not built"))
            else:
                result = run_test(self._context, test, keep=self._options.store_failures)
                self._end(result)
                if result.status in (r.FAIL, r.ERROR):
                    self._block(home, test)

    def _block(self, home: str, test: Node) -> None:
        # A unit test runs before its model, which it holds back, too.
        unit = test.config["test"] == UNIT
        held = set(test.parents) if unit else set()
        if unit or home:
            held |= self._graph.descendants(held or home)
        for name in held:
            self._blocked.setdefault(name, f"the test {test.name} failed")

    def _work(self, name: str) -> None:
        begun = time.monotonic()
        node = self._nodes[name]
        result = r.NodeResult(name, node.materialized, r.SUCCESS)
        try:
            self._build(node, result)
        except BaseException as error:
            # Whatever it was: a run that hears nothing of a node waits for it for ever.
            # What an LLM node asked before it failed was paid for all the same.
            calls, result = result.calls, _failure(node, error)
            result.calls = calls
        result.seconds = time.monotonic() - begun
        self._finished.put((name, result))

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
        if node.materialized == "view" and far:
            raise ModelError(
                f"a view cannot read '{min(far)}' of another target",
                file=node.file,
                hint="materialized='table'",
            )
        previous = self._known.record(node.name)
        read = {p: ids.sources_below(self._nodes, p) for p in node.parents}

        def settle(record: TableRecord) -> None:
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

        no_llm = self._options.no_llm and node.materialized == "llm"
        record = TableRecord(
            node=node.name,
            kind="view" if node.materialized == "view" else "table",
            fingerprint=ids.fingerprint(node, inputs, no_llm=no_llm),
            code=ids.code_hash(node),
            parts=ids.parts_with_inputs(node, inputs, no_llm=no_llm),
            run_id=self._run_id,
            settle=settle if any(read.values()) else None,
        )
        result.reason = self._steps[node.name].reason
        if previous is not None and self._steps[node.name].action == "maybe":
            result.reason = ", ".join(ids.changes(node, previous, inputs))
        if node.materialized == "llm":
            record = self._build_llm(node, record, previous, result)
        else:
            record = self._build_plain(node, record, previous)
        self._known.committed(record)
        result.rows = record.row_count

    def _build_plain(
        self, node: Node, record: TableRecord, previous: TableRecord | None
    ) -> TableRecord:
        if node.materialized == "seed":
            from lupom.engine.run.materializations import seed

            return seed.build(self._context, node, record)
        if node.materialized == "python":
            from lupom.engine.run.materializations import python

            return python.build(self._context, node, record)
        from lupom.engine.run.materializations import sql

        # A growing table whose own code changed holds rows of another model: it is built anew.
        whole = self._options.full_refresh or ids.code_changed(node, previous)
        return sql.build(self._context, node, record, whole=whole)

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
        index, total = self._index[node.name], len(self._index)
        result.calls = r.Calls()
        record = llm.build(
            self._context,
            node,
            record,
            run_id=self._run_id,
            progress=lambda p: self._context.reporter.progressed(index, total, node.name, p),
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
        above = (self._results.get(other) for other in self._graph.ancestors(name))
        calls = (one.calls for one in above if one is not None)
        return any(one is not None and 0 < one.total == one.invalid for one in calls)


def _failure(node: Node, error: BaseException) -> r.NodeResult:
    """Make the result of a node that raised: a user's error as it is, any other with its type."""
    from lupom.engine.run.materializations.llm import Stopped

    if isinstance(error, Stopped | BudgetError | WaitingError):
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
