"""Stale tables built in memory, so that a plan can count the calls below them.

Seeds, SQL and Python models cost nothing but time: before the first run they are built here, on top
of what already stands in the store, and thrown away again. What lies below an LLM model that is to
be asked takes made-up answers in its place.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from lupom.engine.errors import LupomError, ModelError, StoreError
from lupom.engine.project.nodes import Node
from lupom.engine.run.context import Context
from lupom.engine.store.base import CATALOG, Store
from lupom.engine.store.instances import take
from lupom.engine.store.names import quoted
from lupom.engine.store.records import TableRecord

if TYPE_CHECKING:
    import duckdb

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


@contextmanager
def scratch(context: Context, *, rehearse: bool = False) -> Iterator[Scratch]:
    """Open a scratch store over a project's own; it is gone at the end of the block.

    With `rehearse` Python models get made-up vectors for embeddings.
    """
    store = ScratchStore(context.store)
    inner = Context(context.files, context.nodes, store, context.sources)
    inner.deferred = context.deferred
    inner.rehearses = rehearse
    store.acquire()
    try:
        yield Scratch(inner)
    finally:
        inner.close()


class Scratch:
    """Builds nodes in memory on request, each once.

    Attributes
    ----------
    context : reads and builds in the scratch store.
    """

    def __init__(self, context: Context) -> None:
        self.context = context
        self._built: set[str] = set()

    def build(self, names: tuple[str, ...]) -> None:
        """Build nodes, in the order given, but those that ask an LLM.

        Raises LupomError with the file of one that fails.
        """
        from lupom.engine.run.materializations import build

        for name in names:
            node = self.context.nodes[name]
            stands = name in self._built or node.materialization.needs_llm
            if stands or not node.materialization.is_built:
                continue
            kind = node.materialization.relation
            record = TableRecord(name, kind, fingerprint="", code="", measured=node.measured)
            try:
                build(self.context, node, record, whole=True)
            except LupomError:
                raise
            except Exception as error:
                # A run would say so of this node, and a plan says it of those below.
                message = "\n".join(row for row in str(error).splitlines() if row.strip())
                raise ModelError(message, file=node.file) from error
            self._built.add(name)

    def stand_in(self, node: Node) -> int:
        """Make an LLM model's table of the ledger's answers, and of made-up ones for the rest.

        Returns for how many rows none was found that their class takes.
        """
        from lupom.engine.llm.stand_ins import stand_in
        from lupom.engine.run.materializations.llm import build_from
        from lupom.engine.run.materializations.rows import Part, prepare
        from lupom.engine.state.ledger import OK

        context = self.context
        with context.store.hold(read_only=context.store.idle) as cursor:
            prepared = prepare(context, node, cursor)

        def answers(part: Part) -> list[Answer]:
            out: list[Answer] = [
                stand_in(f"{node.name} {part.start + i}", call.response)
                for i, call in enumerate(part.calls)
            ]
            for alias, places in part.by_alias().items():
                known = context.gateway.recall(alias, [part.calls[i] for i in places])
                for i, answer in zip(places, known, strict=True):
                    out[i] = answer or out[i]
            return out

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
