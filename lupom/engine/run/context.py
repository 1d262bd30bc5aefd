"""What every node of a run shares: nodes, store, state, LLMs. Heavy parts are made when needed."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lupom.engine.compiler.sql import fill
from lupom.engine.errors import ModelError, StoreError, UsageError, did_you_mean
from lupom.engine.graph import Graph
from lupom.engine.hashes import FileHashes
from lupom.engine.project.discovery import ProjectFiles
from lupom.engine.project.nodes import Node
from lupom.engine.run.results import Embedded, Reporter, Silent
from lupom.engine.store.base import Store
from lupom.engine.store.names import quoted

if TYPE_CHECKING:
    import numpy as np

    from lupom.engine.executors import Executor
    from lupom.engine.llm.gateway import Gateway
    from lupom.engine.sources.resolve import Sources
    from lupom.engine.state import Location, State


def not_built(name: str, to_run: str | None = None) -> StoreError:
    """Return the error of a model without a table; `to_run` is what to build, by default it."""
    return StoreError(f"'{name}' is not built yet", hint=f"lupom run --select +{to_run or name}")


# The name under which the store of a target that is deferred to is attached.
DEFERRED = "lupom_deferred"


@dataclass(frozen=True, slots=True)
class Graphs:
    """What a project's files compile to.

    Attributes
    ----------
    nodes, tests : models, seeds and sources, and data tests, by name.
    graph, with_tests : the graph of nodes, and that of nodes and tests.
    warnings : what the files say that is likely not meant.
    """

    nodes: Mapping[str, Node]
    graph: Graph[Node] = field(default_factory=lambda: Graph(()))
    tests: Mapping[str, Node] = field(default_factory=dict)
    with_tests: Graph[Node] = field(default_factory=lambda: Graph(()))
    warnings: Sequence[str] = ()


class Context:
    """A project and the parts a run works with.

    Its files are compiled when something first asks for `nodes` or the like: who reads tables that
    stand needs none of it.

    Parameters
    ----------
    compile : gives what the files compile to; called once.

    Attributes
    ----------
    compare_with : folder of earlier artifacts that the selectors `state:` and `result:` read.
    defers_to : the store of another target, from which is read what is not built here.
    given_vars : those that the project was opened with, over those of its file.
    reporter, stop : who hears of a run, and what ends it when it is set.

    `state` and `gateway` open on first use: a run in which nothing is to do needs neither.
    """

    def __init__(
        self,
        files: ProjectFiles,
        compile: Callable[[], Graphs],
        store: Store,
        sources: Sources | None = None,
    ) -> None:
        self.files = files
        self.store = store
        self._compile = compile
        self._graphs: Graphs | None = None
        self.reporter: Reporter = Silent()
        self.stop = threading.Event()
        self.given_vars: Mapping[str, Any] = {}
        # Nodes that are read from another target's store, attached under DEFERRED.
        self.deferred: frozenset[str] = frozenset()
        # What gives Python models their vectors where nothing may be asked for.
        self.embeds: Callable[[Node, str, Sequence[str]], np.ndarray] | None = None
        # What Python models had embedded by endpoints, by node, in this run.
        self.embedded: dict[str, Embedded] = {}
        self.hashes = FileHashes(None)
        self.compare_with: Path | None = None
        self.defers_to: Store | None = None
        self._lock = threading.RLock()
        self._state: State | None = None
        self._gateway: Gateway | None = None
        self._executor: Executor | None = None
        self._sources = sources
        # Where the target says that the state is; None is the file in the project's folder.
        self.shared_state: Location | None = None

    @property
    def name(self) -> str:
        """The project's name."""
        return self.files.settings.name

    @property
    def graphs(self) -> Graphs:
        """What the files compile to; raises ProjectError where they do not."""
        with self._lock:
            if self._graphs is None:
                self._graphs = self._compile()
            return self._graphs

    @property
    def compiled(self) -> bool:
        """Whether anything has asked for what the files compile to."""
        return self._graphs is not None

    @property
    def nodes(self) -> Mapping[str, Node]:
        return self.graphs.nodes

    @property
    def tests(self) -> Mapping[str, Node]:
        return self.graphs.tests

    @property
    def graph(self) -> Graph[Node]:
        return self.graphs.graph

    @property
    def with_tests(self) -> Graph[Node]:
        return self.graphs.with_tests

    @property
    def warnings(self) -> Sequence[str]:
        return self.graphs.warnings

    def node(self, name: str) -> Node:
        """Return a node by its name; raises UsageError that names the likely one."""
        if name not in self.nodes:
            raise UsageError(f"no model '{name}'", hint=did_you_mean(name, self.nodes))
        return self.nodes[name]

    @property
    def state(self) -> State:
        with self._lock:
            if self._state is None:
                from lupom.engine.state import State

                self._state = State(
                    self.state_location,
                    folder=None if self.shared_state is None else self.files.state_folder,
                    wait=self.files.target.state_wait,
                    lease=self.files.target.lease,
                )
                if self.shared_state is not None:
                    self._take_back(self._state)
            return self._state

    def _take_back(self, state: State) -> None:
        """Give the ledger the answers that an earlier run could not write."""
        from lupom.engine.state.opening import say
        from lupom.engine.state.spool import left_over

        if any(left_over(self.files.state_folder)):
            from lupom.engine.state.transfer import take_back

            count = take_back(state, self.files.state_folder)
            say(f"{count} answers that an earlier run could not write are in the ledger now.")

    @property
    def state_location(self) -> Path | Location:
        """Where the state is, or would be made."""
        return self.shared_state or self.files.state_folder / "state.db"

    @property
    def has_state(self) -> bool:
        """Whether there is a state; a server is asked when it is opened."""
        where = self.state_location
        path = where if isinstance(where, Path) else where.path
        return self._state is not None or path is None or path.is_file()

    @property
    def gateway(self) -> Gateway:
        with self._lock:
            if self._gateway is None:
                from lupom.engine.llm.gateway import Gateway

                self._gateway = Gateway(
                    self.state,
                    self.files.settings.llms,
                    workers=self.files.target.executor.calls == "workers",
                    note=lambda text: self.reporter.note(text),
                )
            return self._gateway

    @property
    def executor(self) -> Executor:
        """Where Python models work in batches; `end_work` ends its workers."""
        with self._lock:
            if self._executor is None:
                from lupom.engine.executors import Executor

                self._executor = Executor(self.files.target.executor, self.reporter.note, self.stop)
            return self._executor

    def ask_elsewhere(self) -> None:
        """Have the nodes of a Ray cluster ask LLMs, where the target says so; once in a run."""
        target = self.files.target.executor
        if target.type == "ray" and target.calls == "workers":
            name = "lupom.engine.run.working:serve"
            where = {"root": str(self.files.root), "target": self.files.target_name}
            self.executor.everywhere(name, {**where, "vars": dict(self.files.vars)})

    def end_work(self) -> None:
        """End the workers of the executor, if there are any."""
        with self._lock:
            executor, self._executor = self._executor, None
        if executor is not None:
            executor.close()

    @property
    def sources(self) -> Sources:
        with self._lock:
            if self._sources is None:
                from lupom.engine.sources.resolve import Sources

                self._sources = Sources(self.files.sources, self.files.state_folder, self.hashes)
            return self._sources

    def llm_identity(self, alias: str) -> Mapping[str, Any]:
        """Return what decides an alias's answers, those of its fallback included.

        Raises LLMError when that is not known.
        """
        from lupom.engine.llm.keys import llm_identity

        settings = self.files.settings.llms[alias]
        identity = llm_identity(alias, settings)
        if settings.fallback is not None:
            return {**identity, "fallback": self.llm_identity(settings.fallback)}
        return identity

    def embedding_identity(self, alias: str) -> Mapping[str, Any]:
        """Return what decides an embeddings alias's vectors."""
        settings = self.files.settings.embeddings.get(alias)
        if settings is None:
            return {"provider": None}
        from lupom.engine.llm.keys import embedding_identity

        return embedding_identity(settings)

    def sql(self, node: Node, *, incremental: bool = False, shown: bool = False) -> str:
        """Return a node's SQL as DuckDB gets it: relations in place, ephemeral models as CTEs.

        Sources are fetched, but where the SQL is only `shown`.
        """
        ephemeral: dict[str, str] = {}
        text = node.incremental_text if incremental else node.text
        body = self._fill(node, text or node.text, ephemeral, shown)
        if not shown:
            body = self._one_select(node, body)
        if not ephemeral:
            return body
        ctes = ",\n".join(f"{quoted(name)} as (\n{inner}\n)" for name, inner in ephemeral.items())
        return f"with {ctes}\nselect * from (\n{body}\n)"

    def _one_select(self, node: Node, body: str) -> str:
        """Hold SQL to be one select; an error gets the model's file."""
        from lupom.engine.store.statements import one_select

        try:
            return one_select(body)
        except ModelError as error:
            error.file = node.file
            if node.resource == "test" and node.refs:
                error.line = node.refs[0].line
            raise

    def _fill(self, node: Node, text: str, ephemeral: dict[str, str], shown: bool) -> str:
        def relation(name: str) -> str:
            other = self.nodes[name]
            if other.resource == "source":
                return self.sources.named(name) if shown else self.source(name)
            if other.materialization.inlined:
                if name not in ephemeral:
                    # Its own ephemeral inputs are put in first, which is the order CTEs need.
                    inner = self._fill(other, other.text, ephemeral, shown)
                    if not shown:
                        inner = self._one_select(other, inner)
                    ephemeral[name] = inner
                return quoted(name)
            return self.relation(name)

        return fill(text, quoted("main", node.name), relation)

    def relation(self, name: str) -> str:
        """Return the SQL name of a node's table or view: of this store, or of the deferred one."""
        if name in self.deferred:
            return quoted(DEFERRED, "main", name)
        return quoted("main", name)

    def source(self, name: str) -> str:
        """Return the SQL relation of a source, fetched."""
        return self.sources.relation(name)

    def changed_since(self, sources: Iterable[str]) -> set[str]:
        """Return those of some sources that were written to since the run looked at them."""
        return self.sources.changed(sources)

    def close(self) -> None:
        """Close what was opened; the ledger is flushed."""
        self.end_work()
        with self._lock:
            if self._gateway is not None:
                self._gateway.close()
                self._gateway = None
            if self._state is not None:
                self._state.close()
                self._state = None
        self.store.close()
