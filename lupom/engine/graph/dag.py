"""The graph of a project's nodes: who reads whom, and in which order they are built.

Every walk is a loop, so a chain of 10,000 models meets no recursion limit, and every tie is
broken by name, so that one project always gives one order and one error.
"""

from __future__ import annotations

import heapq
import re
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Generic, NoReturn, Protocol, TypeVar

from lupom.engine.errors import GraphError, did_you_mean

SHOWN = 5  # further places an error lists, so that it still fits a screen


class Ref(Protocol):
    """A reference to another node by name, and where it is written."""

    @property
    def name(self) -> str: ...
    @property
    def file(self) -> str: ...
    @property
    def line(self) -> int | None: ...


class Node(Protocol):
    """What the graph asks of a node; a source's name is 'source_name.table_name'."""

    @property
    def name(self) -> str: ...
    @property
    def resource(self) -> str: ...
    @property
    def file(self) -> str: ...
    @property
    def tags(self) -> frozenset[str]: ...
    @property
    def config(self) -> Mapping[str, object]: ...
    @property
    def refs(self) -> Sequence[Ref]: ...


N = TypeVar("N", bound=Node)
Edges = dict[str, tuple[str, ...]]


class Graph(Generic[N]):
    """The directed acyclic graph of a project's nodes.

    Takes time linear in nodes and references, but for the sorting of names.

    Raises GraphError for two nodes of one name, a reference to nothing, or a cycle.
    """

    def __init__(self, nodes: Iterable[N]) -> None:
        self.nodes: dict[str, N] = _by_name(nodes)
        self._parents = _parents(self.nodes)
        self._children = _reversed(self._parents)
        self.order: tuple[str, ...] = self._topological()
        self._position = {name: i for i, name in enumerate(self.order)}

    def __getitem__(self, name: str) -> N:
        return self.nodes[name]

    def __contains__(self, name: object) -> bool:
        return name in self.nodes

    def __iter__(self) -> Iterator[str]:
        """Iterate over the names in topological order."""
        return iter(self.order)

    def __len__(self) -> int:
        return len(self.order)

    def parents(self, name: str) -> tuple[str, ...]:
        """Return the nodes this one reads, by name, each once. Raises KeyError if unknown."""
        return self._parents[name]

    def children(self, name: str) -> tuple[str, ...]:
        """Return the nodes that read this one, by name, each once. Raises KeyError if unknown."""
        return self._children[name]

    def ancestors(self, names: str | Iterable[str], depth: int | None = None) -> frozenset[str]:
        """Return what is reached from any of the names upwards, over 1 to `depth` references.

        A start is in the answer only if it is itself above another start.
        """
        return _reach(self._parents, names, depth)

    def descendants(self, names: str | Iterable[str], depth: int | None = None) -> frozenset[str]:
        """Return what is reached from any of the names downwards, over 1 to `depth` references.

        A start is in the answer only if it is itself below another start.
        """
        return _reach(self._children, names, depth)

    def sort(self, names: Iterable[str]) -> tuple[str, ...]:
        """Return the names in topological order, each once. Raises KeyError if one is unknown."""
        return tuple(sorted(set(names), key=self._position.__getitem__))

    def within(self, names: Iterable[str]) -> Edges:
        """Return each of the names, in topological order, with those of the names it waits for.

        These are its nearest ancestors among the names; the way to them may lead through nodes
        that are not among them: of a -> b -> c with `names` a and c, c waits for a.
        """
        kept = set(names)
        if len(kept) == len(self):
            return {name: self._parents[name] for name in self.order}
        below = self.descendants(kept)
        nearest: dict[str, frozenset[str]] = {}  # of the nodes left out
        waits: Edges = {}
        for name in self.order:
            if name not in kept and name not in below:
                continue
            found: set[str] = set()
            for parent in self._parents[name]:
                if parent in kept:
                    found.add(parent)
                else:
                    found |= nearest.get(parent, frozenset())
            if name in kept:
                waits[name] = tuple(sorted(found))
            else:
                nearest[name] = frozenset(found)
        return waits

    @cached_property
    def levels(self) -> tuple[tuple[str, ...], ...]:
        """The nodes by the length of the longest way to them; each level is sorted by name."""
        level: dict[str, int] = {}
        for name in self.order:
            level[name] = 1 + max((level[p] for p in self._parents[name]), default=-1)
        levels: list[list[str]] = [[] for _ in range(max(level.values(), default=-1) + 1)]
        for name in sorted(level):
            levels[level[name]].append(name)
        return tuple(map(tuple, levels))

    def _topological(self) -> tuple[str, ...]:
        # Kahn's algorithm with a heap: of all topological orders, the first by name.
        open_parents = {name: len(parents) for name, parents in self._parents.items()}
        ready = [name for name, count in open_parents.items() if not count]
        heapq.heapify(ready)
        order: list[str] = []
        while ready:
            name = heapq.heappop(ready)
            order.append(name)
            for child in self._children[name]:
                open_parents[child] -= 1
                if not open_parents[child]:
                    heapq.heappush(ready, child)
        if len(order) < len(open_parents):
            _raise_cycle(self.nodes, self._parents, open_parents.keys() - set(order))
        return tuple(order)


def check_guarded(graph: Graph[N], guarded_tags: Iterable[str]) -> None:
    """Check that a node with a guarded tag is read only by nodes that may read it.

    These are nodes with the tag themselves, and nodes whose config says `filters_<tag>: true`,
    by which a model declares that it takes what is guarded out. (A character of the tag that is
    not a letter, digit or underscore is an underscore in that key.)

    Raises GraphError at the file and line of the first reference that breaks the rule, and for
    a guarded tag that no node has but one nearly has.
    """
    for tag in sorted(set(guarded_tags)):
        guarded = {name for name, node in graph.nodes.items() if tag in node.tags}
        if not guarded:
            _check_spelling(graph, tag)
            continue
        key = "filters_" + re.sub(r"\W", "_", tag)
        breaches = [
            (ref.file or node.file, ref.line or 0, ref.name, node.name)
            for node in graph.nodes.values()
            if tag not in node.tags and node.config.get(key) is not True
            for ref in node.refs
            if ref.name in guarded
        ]
        if breaches:
            _raise_guarded(graph, tag, key, sorted(breaches))


def _by_name(nodes: Iterable[N]) -> dict[str, N]:
    # DuckDB takes Foo and foo for one table, and so must we; a source keeps its own case, since
    # it may be a file.
    groups: defaultdict[str, list[N]] = defaultdict(list)
    for node in nodes:
        groups[node.name if node.resource == "source" else node.name.lower()].append(node)
    twice = min((key for key, group in groups.items() if len(group) > 1), default=None)
    if twice is None:
        return {group[0].name: group[0] for group in groups.values()}
    group = sorted(groups[twice], key=lambda node: (node.file, node.name))
    names = sorted({node.name for node in group})
    files = " and ".join(f"{node.resource} {node.file or node.name}" for node in group)
    if len(names) == 1:
        raise GraphError(
            f"{len(group)} nodes are named '{names[0]}': {files}",
            file=group[0].file or None,
            hint="names are unique over models, seeds and sources; rename one",
        )
    raise GraphError(
        f"the names {' and '.join(map(repr, names))} differ only in case: {files}",
        file=group[0].file or None,
        hint="DuckDB takes them for one table; rename one",
    )


def _parents(nodes: Mapping[str, N]) -> Edges:
    parents: Edges = {}
    missing: list[tuple[str, int, str, str]] = []
    for name, node in nodes.items():
        names = {ref.name for ref in node.refs}
        parents[name] = tuple(sorted(names))
        if not names <= nodes.keys():
            missing.extend(
                (ref.file or node.file, ref.line or 0, ref.name, name)
                for ref in node.refs
                if ref.name not in nodes
            )
    if missing:
        _raise_missing(nodes, sorted(set(missing)))
    return parents


def _reversed(parents: Edges) -> Edges:
    children: dict[str, list[str]] = {name: [] for name in parents}
    for name in sorted(parents):
        for parent in parents[name]:
            children[parent].append(name)
    return {name: tuple(found) for name, found in children.items()}


def _reach(edges: Edges, names: str | Iterable[str], depth: int | None) -> frozenset[str]:
    frontier = [names] if isinstance(names, str) else list(names)
    reached: set[str] = set()
    steps = 0
    while frontier and (depth is None or steps < depth):
        step = {end for name in frontier for end in edges[name]} - reached
        reached |= step
        frontier = list(step)
        steps += 1
    return frozenset(reached)


def _raise_missing(nodes: Mapping[str, N], missing: list[tuple[str, int, str, str]]) -> NoReturn:
    file, line, ref, name = missing[0]
    what = "source" if "." in ref else "model, seed or source"
    hints = [did_you_mean(ref, nodes) or f"no {what} has a name near it"]
    if others := missing[1:]:
        hints.append(f"also missing: {_places(others)}")
    raise GraphError(
        f"{nodes[name].resource} '{name}' refers to '{ref}', but there is no such {what}",
        file=file,
        line=line or None,
        hint="; ".join(hints),
    )


def _places(found: list[tuple[str, int, str, str]]) -> str:
    texts = [f"'{ref}' at {file}{f':{line}' if line else ''}" for file, line, ref, _ in found]
    more = len(texts) - SHOWN
    return ", ".join(texts[:SHOWN]) + (f" and {more} more" if more > 0 else "")


def _raise_cycle(nodes: Mapping[str, N], parents: Edges, rest: set[str]) -> NoReturn:
    # Every node Kahn leaves over has a parent left over: walking up from any one must come round.
    walk: dict[str, None] = {}
    name = min(rest)
    while name not in walk:
        walk[name] = None
        name = next(parent for parent in parents[name] if parent in rest)
    start = min(list(walk)[list(walk).index(name) :])
    cycle = _way_round(parents, start, rest)
    first = cycle.index(min(cycle))
    cycle = cycle[first:] + cycle[:first]
    if len(cycle) == 1:
        ref = _ref(nodes[start], start)
        raise GraphError(
            f"{nodes[start].resource} '{start}' refers to itself: {start} -> {start}",
            file=ref.file or nodes[start].file,
            line=ref.line,
            hint="an incremental model reads its own table as {{ this }}",
        )
    refs = [
        _ref(nodes[name], after) for name, after in zip(cycle, cycle[1:] + cycle[:1], strict=True)
    ]
    places = [(ref.file, ref.line or 0, ref.name, "") for ref in refs]
    raise GraphError(
        f"a cycle, each refers to the next: {' -> '.join([*cycle, cycle[0]])}",
        file=refs[0].file or nodes[cycle[0]].file,
        line=refs[0].line,
        hint=f"take one of these references out: {_places(places)}",
    )


def _way_round(parents: Edges, start: str, rest: set[str]) -> list[str]:
    """Return a shortest cycle through `start`, in the direction of the references."""
    came: dict[str, str] = {}
    queue = deque([start])
    while start not in came:
        name = queue.popleft()
        for parent in parents[name]:
            if parent in rest and parent not in came:
                came[parent] = name
                queue.append(parent)
    cycle = [start]
    while (before := came[cycle[-1]]) != start:
        cycle.append(before)
    return [start, *reversed(cycle[1:])]


def _ref(node: Node, name: str) -> Ref:
    return next(ref for ref in node.refs if ref.name == name)


def _check_spelling(graph: Graph[N], tag: str) -> None:
    tags = {tag for node in graph.nodes.values() for tag in node.tags}
    if hint := did_you_mean(tag, tags):
        raise GraphError(
            f"guarded_tags lists '{tag}', a tag that no model, seed or source has", hint=hint
        )


def _raise_guarded(
    graph: Graph[N], tag: str, key: str, breaches: list[tuple[str, int, str, str]]
) -> NoReturn:
    file, line, ref, name = breaches[0]
    filters = [n for n in graph.children(ref) if graph[n].config.get(key) is True]
    hints = []
    if filters:
        hints.append(f"did you mean '{filters[0]}', which reads '{ref}' and filters '{tag}' out?")
    if key in graph[name].config:
        hints.append(f"'{name}' sets {key} to {graph[name].config[key]!r}; it must be true")
    hints.append(
        f"a model that may see what is guarded has the tag '{tag}' itself; "
        f"one that takes it out says {key}=true"
    )
    if others := breaches[1:]:
        hints.append(f"the same at {_places(others)}")
    raise GraphError(
        f"{graph[name].resource} '{name}' refers to '{ref}', which is guarded by the tag "
        f"'{tag}', and '{name}' has no such tag",
        file=file,
        line=line or None,
        hint="; ".join(hints),
    )
