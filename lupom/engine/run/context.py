"""What every node of a run shares: nodes, store, state, LLMs. Heavy parts are made when needed."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from lupom.engine.compiler.sql import fill
from lupom.engine.errors import CompileError
from lupom.engine.project.discovery import ProjectFiles
from lupom.engine.project.nodes import Node
from lupom.engine.run.results import Reporter, Silent
from lupom.engine.store.duck import Store
from lupom.engine.store.names import literal, quoted

if TYPE_CHECKING:
    from lupom.engine.llm.gateway import Gateway
    from lupom.engine.state import State


class Context:
    """The parts a run works with.

    `state` and `gateway` open on first use: a run in which nothing is to do needs neither.
    """

    def __init__(self, files: ProjectFiles, nodes: Mapping[str, Node], store: Store) -> None:
        self.files = files
        self.nodes = nodes
        self.store = store
        self.reporter: Reporter = Silent()
        self.stop = threading.Event()
        self._lock = threading.RLock()
        self._state: State | None = None
        self._gateway: Gateway | None = None

    @property
    def state(self) -> State:
        with self._lock:
            if self._state is None:
                from lupom.engine.state import State

                self._state = State(self.files.state_folder / "state.db")
            return self._state

    @property
    def has_state(self) -> bool:
        return self._state is not None or (self.files.state_folder / "state.db").is_file()

    @property
    def gateway(self) -> Gateway:
        with self._lock:
            if self._gateway is None:
                from lupom.engine.llm.gateway import Gateway

                self._gateway = Gateway(self.state, self.files.settings.llms)
            return self._gateway

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

    def sql(self, node: Node, *, incremental: bool = False) -> str:
        """Return a node's SQL as DuckDB gets it: relations in place, ephemeral models as CTEs."""
        ephemeral: dict[str, str] = {}
        text = node.incremental_text if incremental else node.text
        body = self._fill(node, text or node.text, ephemeral)
        if not ephemeral:
            return body
        ctes = ",\n".join(f"{quoted(name)} as (\n{inner}\n)" for name, inner in ephemeral.items())
        return f"with {ctes}\nselect * from (\n{body}\n)"

    def _fill(self, node: Node, text: str, ephemeral: dict[str, str]) -> str:
        def relation(name: str) -> str:
            other = self.nodes[name]
            if other.resource == "source":
                return self.source(name)
            if other.materialized == "ephemeral":
                if name not in ephemeral:
                    # Its own ephemeral inputs are put in first, which is the order CTEs need.
                    inner = self._fill(other, other.text, ephemeral)
                    ephemeral[name] = inner
                return quoted(name)
            return quoted("main", name)

        return fill(text, quoted("main", node.name), relation)

    def source(self, name: str) -> str:
        """Return the SQL that reads a source."""
        source, properties = self.files.sources[name]
        if source.file is None:
            return quoted(source.schema, source.identifier)
        if not source.file.is_file():
            raise CompileError(
                f"the file of source '{name}' is not there: {source.file}",
                file=properties.file,
                line=properties.line,
            )
        reader = {".csv": "read_csv", ".parquet": "read_parquet"}.get(
            source.file.suffix, "read_json_auto"
        )
        return f"{reader}({literal(str(source.file))})"

    def close(self) -> None:
        """Close what was opened; the ledger is flushed."""
        with self._lock:
            if self._gateway is not None:
                self._gateway.close()
                self._gateway = None
            if self._state is not None:
                self._state.close()
                self._state = None
        self.store.close()
