"""Executes a plan: nodes in the order of the graph, each committed or not at all."""

from __future__ import annotations

import queue
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from graphlib import TopologicalSorter

from lupom.engine.errors import LupomError, did_you_mean
from lupom.engine.graph import Graph
from lupom.engine.project.nodes import Node
from lupom.engine.run import identities as ids
from lupom.engine.run import results as r
from lupom.engine.run.builder import Builder, Options, failure
from lupom.engine.run.context import Context
from lupom.engine.run.cores import restored_blas
from lupom.engine.run.identities import Identities
from lupom.engine.run.plan import Plan
from lupom.engine.run.tests import UNIT, homes, run_test
from lupom.engine.run.turns import Turns

# Nodes at a time where nothing is said of it.
AT_ONCE = 4


class Runner:
    """One run of a plan.

    Nodes without LLM calls share one connection to the store: the scheduler takes a share of it
    before a node starts and gives it back after the next ones have taken theirs. LLM nodes open
    the store themselves, for their reads and their commit.

    Where it is not said how many nodes run at a time, four do. LLM nodes wait; those that compute
    take turns, and only long ones share the cores (`turns`).
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
        self._steps = {step.node: step for step in plan.steps}
        self._builder = Builder(context, self._steps, known, options, run_id, self._progressed)
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
        self._results: dict[str, r.NodeResult] = {}
        self._finished: queue.SimpleQueue[r.NodeResult] = queue.SimpleQueue()
        self._computing = Turns(options.threads)
        self._most = options.threads or AT_ONCE

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
                is_llm = self._nodes[name].materialization.needs_llm
                if is_llm and name != gate and name not in above and gate not in out[name]:
                    out[name] = (*out[name], gate)
        return out

    def run(self) -> list[r.NodeResult]:
        """Run every step; returns the results in the order the nodes ended.

        The data tests of a node that is not built run first, those of others right after them.
        """
        first = [home for home in self._tests if home not in self._parents]
        with self._open_for_tests(first):
            for home in first:
                self._run_tests(home)
        sorter = TopologicalSorter(self._parents)
        sorter.prepare()
        ready: list[str] = []
        active: set[str] = set()
        halted = False
        with restored_blas(), ThreadPoolExecutor(max_workers=self._most) as pool:
            try:
                while sorter.is_active():
                    ready = self._in_order([*ready, *sorter.get_ready()])
                    halted = halted or self._context.stop.is_set() or self._failed_fast()
                    settled: list[str] = []
                    for name in list(ready):
                        if len(active) >= self._most and not halted:
                            break
                        outcome = self._without_work(name, halted)
                        if outcome is None and not self._may_start(name):
                            continue
                        ready.remove(name)
                        if outcome is not None:
                            self._end(outcome)
                            settled.append(name)
                            continue
                        self._start(name, pool)
                        active.add(name)
                    if settled or not active:
                        sorter.done(*settled)
                        continue
                    result = self._next_result(bool(ready) and len(active) < self._most)
                    if result is None:
                        continue
                    active.discard(result.node)
                    self._end(result)
                    sorter.done(result.node)
                    if result.node in self._computing:
                        self._computing.end(result.node)
                        # The next nodes take their share first, so that the file stays open.
                        ready = self._in_order([*ready, *sorter.get_ready()])
                        self._take_over(ready, active, pool, halted)
                        self._context.store.release()
            except BaseException:
                self._context.stop.set()
                raise
        return list(self._results.values())

    def _next_result(self, others_wait: bool) -> r.NodeResult | None:
        """Wait for a node to end; None where others wait for their turn, and it has come."""
        timeout = self._computing.wait() if others_wait else None
        try:
            return self._finished.get(timeout=timeout)
        except queue.Empty:
            return None

    def _may_start(self, name: str) -> bool:
        """Tell whether a node that computes has a core, and one that asks LLMs always."""
        return self._asks(name) or self._computing.wait() == 0

    def _asks(self, name: str) -> bool:
        """Tell whether a node may wait for LLMs, for which others are let to the store."""
        return self._nodes[name].materialization.needs_llm and not self._options.no_llm

    def _in_order(self, names: list[str]) -> list[str]:
        return sorted(names, key=self._index.__getitem__)

    def _take_over(
        self, ready: list[str], active: set[str], pool: ThreadPoolExecutor, halted: bool
    ) -> None:
        if halted or self._context.stop.is_set() or self._failed_fast():
            return
        for name in list(ready):
            if len(active) >= self._most:
                return
            if self._may_start(name) and self._without_work(name, False) is None:
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
        if not self._asks(name):
            try:
                self._context.store.acquire()
            except LupomError as error:
                self._finished.put(failure(node, error))
                return
            self._computing.begin(name)
        pool.submit(self._build, node)

    def _end(self, result: r.NodeResult) -> None:
        self._results[result.node] = result
        self._context.reporter.ended(self._index[result.node], len(self._index), result)
        if result.node in self._tests and result.kind != "test":
            with self._open_for_tests([result.node]):
                self._run_tests(result.node)

    def _open_for_tests(self, homes: Sequence[str]) -> AbstractContextManager[None]:
        tests = [test for home in homes for test in self._tests[home]]
        keeps = self._options.store_failures or any(t.config.get("store_failures") for t in tests)
        return self._context.store.kept_open(read_only=not keeps)

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

    def _build(self, node: Node) -> None:
        self._finished.put(self._builder.build(node))

    def _progressed(self, name: str, progress: r.NodeProgress) -> None:
        self._context.reporter.progressed(self._index[name], len(self._index), name, progress)
