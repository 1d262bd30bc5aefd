"""Stale tables built in memory, so that a plan can count the calls below them.

Seeds, SQL and Python models cost nothing but time: before the first run they are built here, on top
of what already stands in the store, and thrown away again. What lies below an LLM model that is to
be asked takes made-up answers in its place, and what texts that have none yet vectors that are made
up. Nothing here asks a provider.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from lupom.engine.errors import LupomError, ModelError, StoreError
from lupom.engine.llm.forecast import Forecast
from lupom.engine.project.nodes import Node
from lupom.engine.run.context import Context
from lupom.engine.store.base import CATALOG, Store
from lupom.engine.store.instances import take
from lupom.engine.store.names import quoted
from lupom.engine.store.records import TableRecord

if TYPE_CHECKING:
    import duckdb
    import numpy as np

    from lupom.engine.llm.answers import Answer

_BUILT = "lupom_built"


class ScratchStore(Store):
    """A store in memory that shows the tables of a real one until they are built anew in it.

    Without a real one it is empty.
    """

    def __init__(self, real: Store | None = None) -> None:
        super().__init__(wait=0.0)
        self._real = real
        if real is not None:
            self.attached, self.beside = real.attached, real.beside

    @property
    def place(self) -> str:
        return ":memory:"

    @property
    def exists(self) -> bool:
        return True

    def attach(self, connection: duckdb.DuckDBPyConnection, alias: str) -> None:
        """Refuse: it is in one connection's memory."""
        raise StoreError("a store in memory cannot be attached")

    def _open(self, read_only: bool) -> duckdb.DuckDBPyConnection:
        connection = take()
        connection.execute(f"attach ':memory:' as {CATALOG}")
        connection.execute(f"use {CATALOG}")
        self._prepare(connection)
        if self._real is not None and self._real.exists:
            self._real.attach(connection, _BUILT)
            connection.execute(f"use {_BUILT}")
            standing = self._real.relations(connection, alias=_BUILT)
            connection.execute(f"use {CATALOG}")
            for name in standing:
                connection.execute(
                    f"create view main.{quoted(name)} as"
                    f" select * from {quoted(_BUILT, 'main', name)}"
                )
        return connection


@dataclass(slots=True)
class Embedding:
    """What a node has embedded by endpoints.

    Attributes
    ----------
    made_up : the texts rest on answers that are made up.
    texts, missing : the keys of all, and how many of them have no vector yet.
    taking : what these will take, by alias.
    """

    made_up: bool
    texts: set[str] = field(default_factory=set)
    missing: int = 0
    taking: dict[str, Forecast] = field(default_factory=dict)


@contextmanager
def scratch(context: Context, *, rehearse: bool = False) -> Iterator[Scratch]:
    """Open a scratch store over a project's own; it is gone at the end of the block.

    With `rehearse` what rests on made-up vectors is built, too.
    """
    store = ScratchStore(context.store)
    inner = Context(context.files, lambda: context.graphs, store, context.sources)
    inner.deferred = context.deferred
    inner.shared_state = context.shared_state
    store.acquire()
    try:
        yield Scratch(inner, context, rehearse=rehearse)
    finally:
        inner.close()


class Scratch:
    """Builds nodes in memory on request, each once.

    Attributes
    ----------
    context : reads and builds in the scratch store.
    embedding : what each node has embedded by endpoints, as far as it was built.
    """

    def __init__(self, inner: Context, real: Context, *, rehearse: bool) -> None:
        self.context = inner
        self.embedding: dict[str, Embedding] = {}
        self._real = real
        self._rehearse = rehearse
        self._built: set[str] = set()
        # Nodes with something made up in them, of their own or of a node above.
        self._made_up: set[str] = set()
        inner.embeds = self._vectors

    def build(self, names: tuple[str, ...]) -> str | None:
        """Build nodes, in the order given, but those that ask an LLM.

        Returns None, or, unless it is a rehearsal, the node that has texts to be embedded first,
        where it ends: nothing below is known. Raises LupomError with the file of one that fails.
        """
        for name in names:
            node = self.context.nodes[name]
            if self._is_to_build(node):
                self._build(node)
            if name in self._made_up and not self._rehearse:
                return name
        return None

    def _is_to_build(self, node: Node) -> bool:
        stands = node.name in self._built or node.materialization.needs_llm
        return not stands and node.materialization.is_built

    def _build(self, node: Node) -> None:
        from lupom.engine.run.materializations import build

        kind = node.materialization.relation
        record = TableRecord(node.name, kind, fingerprint="", code="", measured=node.measured)
        try:
            build(self.context, node, record, whole=True)
        except LupomError:
            raise
        except Exception as error:
            # A run would say so of this node, and a plan says it of those below.
            message = "\n".join(row for row in str(error).splitlines() if row.strip())
            raise ModelError(message, file=node.file) from error
        self._built.add(node.name)
        if self.rests_on_made_up(node):
            self._made_up.add(node.name)

    def rests_on_made_up(self, node: Node) -> bool:
        """Tell whether anything that a node reads is made up, or made of what is."""
        for parent in node.parents:
            other = self.context.nodes[parent]
            if parent in self._made_up:
                return True
            if other.materialization.inlined and self.rests_on_made_up(other):
                return True
        return False

    def _vectors(self, node: Node, alias: str, texts: Sequence[str]) -> np.ndarray:
        """Return vectors that cost nothing: an alias's in this process, those that are kept, and
        for texts of which one has none, or that are made up themselves, made-up ones."""
        from lupom.engine.llm.embeddings import keys, recalled
        from lupom.engine.llm.forecast import of_texts
        from lupom.engine.llm.stand_ins import vectors

        settings = self.context.files.settings.embeddings[alias]
        made_up = self.rests_on_made_up(node)
        if settings.in_process:
            return vectors(texts) if made_up else self._real.gateway.embed(settings, texts)
        found, missing = recalled(self._real.state, settings, texts)
        asked = self.embedding.setdefault(node.name, Embedding(made_up))
        new = {key: text for key, text in missing.items() if key not in asked.texts}
        asked.texts.update(keys(settings, texts))
        asked.missing += len(new)
        asked.taking[alias] = asked.taking.get(alias, Forecast.none()) + of_texts(
            settings, list(new.values())
        )
        if found is not None:
            return found
        self._made_up.add(node.name)
        return vectors(texts)

    def stand_in(self, node: Node) -> int:
        """Make an LLM model's table of the ledger's answers, and of made-up ones for the rest.

        Returns for how many rows none was found that their class takes.
        """
        from lupom.engine.llm.stand_ins import stand_in
        from lupom.engine.run.materializations.llm import build_from
        from lupom.engine.run.materializations.rows import Part, prepare
        from lupom.engine.state.ledger import OK

        context = self.context
        with context.store.reading() as cursor:
            prepared = prepare(context, node, cursor)

        def answers(part: Part) -> list[Answer]:
            out: list[Answer | None] = [None] * len(part.calls)
            for alias, places in part.by_alias().items():
                known = self._real.gateway.recall(alias, [part.calls[i] for i in places])
                for i, answer in zip(places, known, strict=True):
                    out[i] = answer
            if None in out or self.rests_on_made_up(node):
                self._made_up.add(node.name)
            return [
                answer or stand_in(f"{node.name} {part.start + i}", call.response)
                for i, (answer, call) in enumerate(zip(out, part.calls, strict=True))
            ]

        kind = node.materialization.relation
        record = TableRecord(node.name, kind, fingerprint="", code="", measured=node.measured)
        failed = 0

        def counted(part: Part) -> list[Answer]:
            nonlocal failed
            out = answers(part)
            failed += sum(answer.status != OK for answer in out)
            return out

        build_from(context, node, record, prepared, counted)
        return failed
