"""Where the nodes of a graph are drawn: layers by longest path, few crossings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence


def layers(parents: Mapping[str, Sequence[str]]) -> dict[str, tuple[int, float]]:
    """Return column and row of every node, parents always left of their children.

    A node stands one column right of its rightmost parent; nodes without parents stand just left
    of their first child. Rows follow the mean row of the neighbours (the barycentre method of
    Sugiyama, Tagawa and Toda, 1981), six sweeps; ties keep the order by name. Every column is
    centred. Nodes without any edge stand below all others.
    """
    nodes = sorted(parents)
    column: dict[str, int] = {}
    children: dict[str, list[str]] = {name: [] for name in nodes}
    for name in nodes:
        for parent in parents[name]:
            if parent in children:
                children[parent].append(name)
    waiting = {name: sum(p in children for p in parents[name]) for name in nodes}
    ready = [name for name in nodes if not waiting[name]]
    order: list[str] = []
    while ready:
        name = ready.pop()
        order.append(name)
        above = [column[p] for p in parents[name] if p in children]
        column[name] = 1 + max(above, default=-1)
        for child in children[name]:
            waiting[child] -= 1
            if not waiting[child]:
                ready.append(child)
    for name in nodes:
        # Only of a graph with a cycle, which no project has: its nodes are drawn all the same.
        column.setdefault(name, 0)
    for name in order:
        if not any(p in children for p in parents[name]) and children[name]:
            column[name] = min(column[child] for child in children[name]) - 1
    rows: dict[int, list[str]] = {}
    alone = [n for n in nodes if not children[n] and not any(p in children for p in parents[n])]
    for name in sorted(column.keys() - set(alone)):
        rows.setdefault(column[name], []).append(name)
    place = {name: float(i) for names in rows.values() for i, name in enumerate(names)}
    for sweep in range(6):
        down = sweep % 2 == 0
        for one in sorted(rows, reverse=not down):
            near = {n: [*parents[n]] if down else children[n] for n in rows[one]}
            middle = {n: _mean([place[m] for m in near[n] if m in place], place[n]) for n in near}
            rows[one].sort(key=lambda n: (middle[n], place[n], n))
            # Centred, so that a short layer is not always at the top.
            shift = len(rows[one]) / 2
            place.update({n: i - shift for i, n in enumerate(rows[one])})
    tallest = max(map(len, rows.values()), default=0)
    first, across = min(rows, default=0), max(len(rows), 4)
    return {
        name: (one, i + (tallest - len(names)) / 2)
        for one, names in rows.items()
        for i, name in enumerate(names)
    } | {name: (first + i % across, tallest + 0.5 + i // across) for i, name in enumerate(alone)}


def _mean(values: Sequence[float], otherwise: float) -> float:
    return sum(values) / len(values) if values else otherwise
