"""Which nodes, tests and sources a command is about."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from lupom.engine.graph import Graph, select
from lupom.engine.project.nodes import Node
from lupom.engine.run.context import Context
from lupom.engine.run.methods import default_selector, methods
from lupom.engine.run.staleness import records

Names = str | Sequence[str] | None


def words(names: Names) -> list[str] | None:
    """Return names given as one string or several; None for none."""
    if names is None:
        return None
    return ([names] if isinstance(names, str) else list(names)) or None


def select_in(
    context: Context, graph: Graph[Node], select_: Names, exclude: Names = None
) -> tuple[str, ...]:
    """Return what selectors name in a graph, in topological order, sources among it."""
    chosen = words(select_)
    if chosen is None and (default := default_selector(context.files.root)):
        chosen = [default]
    return select(graph, chosen, words(exclude), methods(context, context.compare_with))


def select_nodes(context: Context, select_: Names = None, exclude: Names = None) -> tuple[str, ...]:
    """Return names of nodes in topological order; sources are never among them."""
    names = select_in(context, context.graph, select_, exclude)
    return tuple(name for name in names if context.nodes[name].resource != "source")


def select_beside_tests(
    context: Context, select_: Names = None, exclude: Names = None
) -> tuple[str, ...]:
    """Return the nodes of a selection that may name data tests as well, as `select_nodes` does."""
    names = select_in(context, context.with_tests, select_, exclude)
    nodes = context.nodes
    return tuple(n for n in names if n in nodes and nodes[n].resource != "source")


def select_tests(context: Context, select_: Names = None, exclude: Names = None) -> tuple[str, ...]:
    """Return names of data tests: those selected by name, and those of any selected node.

    Excluded are those excluded by name, and those of any excluded node, as in dbt.
    """
    chosen = set(select_in(context, context.with_tests, select_))
    left_out = set(select_in(context, context.with_tests, exclude)) if exclude else set()
    return tuple(
        name
        for name, test in context.tests.items()
        if (name in chosen or chosen & set(test.parents))
        and name not in left_out
        and not left_out & set(test.parents)
    )


def buildable_tests(
    context: Context, select_: Names, exclude: Names, selected: tuple[str, ...]
) -> list[Node]:
    """Return the tests of a selection whose tables it builds, or stand already."""
    known = set(selected) | {n for n, record in records(context).items() if record.exists}
    return [
        test
        for test in (context.tests[name] for name in select_tests(context, select_, exclude))
        if test.config["test"] == "unit"
        or all(
            parent in known or not context.nodes[parent].materialization.is_built
            for parent in test.parents
        )
    ]


def with_seeds(context: Context, selected: tuple[str, ...]) -> tuple[str, ...]:
    """Add the seeds that selected nodes read, directly or through ephemeral models."""
    wanted = set(selected)
    pending = list(selected)
    while pending:
        for parent in context.nodes[pending.pop()].parents:
            node = context.nodes[parent]
            if parent in wanted:
                continue
            if node.resource == "seed":
                wanted.add(parent)
            elif node.materialization.inlined:
                wanted.add(parent)
                pending.append(parent)
    return context.graph.sort(wanted)


def check_sources(context: Context, readers: Iterable[Node], *, offline: bool = False) -> None:
    """Find out what the sources hold that nodes and tests read, and fetch what is new."""
    note = context.reporter.note
    context.sources.check(read_by(context, readers), offline=offline, fetch=True, note=note)


def read_by(context: Context, readers: Iterable[Node]) -> tuple[str, ...]:
    """Return the sources that nodes read, directly or through what keeps no rows."""
    found: dict[str, None] = {}
    pending = list(readers)
    seen = {node.name for node in pending}
    while pending:
        for parent in pending.pop().parents:
            node = context.nodes[parent]
            if node.resource == "source":
                found[parent] = None
            elif node.materialization.read_through and parent not in seen:
                seen.add(parent)
                pending.append(node)
    return tuple(found)
