"""What a run would do, and why, before it does anything."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from lupom.engine.graph import Graph
from lupom.engine.llm.forecast import Range
from lupom.engine.project.nodes import Node
from lupom.engine.run import identities as ids
from lupom.engine.run.identities import Identities

RUN, MAYBE, UP_TO_DATE = "run", "maybe", "up to date"


@dataclass(slots=True)
class Estimate:
    """LLM calls of a node as far as they are known before it runs.

    A range (`low`, `high`) where what the node reads may still change; `high` is None where it is
    not built at all. `out` counts rows whose calls are out in a batch; the others are of the calls
    to make: tokens and money (USD) as a range of its own; money None is "price unknown". `unpriced`
    names the aliases whose price is unknown: where rows are asked of several, money is of the
    others. `from_cache` of the tokens come from the provider's prompt cache, None is unknown;
    `saved` are the tokens that asking rows together saves. `guessed` says that answers above were
    made up, so that all numbers are about so many; `embeds` that they are of texts to embed and not
    of rows to ask. `fault` is why nothing is known where something is wrong.
    """

    rows: int | None = None
    cached: int | None = None
    out: int = 0
    low: int | None = None
    high: int | None = None
    tokens: Range | None = None
    from_cache: Range | None = None
    saved: Range | None = None
    cost: Range | None = None
    unpriced: list[str] = field(default_factory=list)
    note: str = ""
    guessed: bool = False
    embeds: bool = False
    fault: str = ""


@dataclass(slots=True)
class Step:
    """One node of a plan: 'run', 'maybe' (would run if an input changes) or 'up to date'."""

    node: str
    kind: str
    action: str
    reason: str = ""
    estimate: Estimate | None = None


@dataclass(slots=True)
class Plan:
    """A run's steps in the order they would be taken.

    `fault` is what is wrong with one of `before_llms`, so that no LLM would be asked.
    """

    steps: list[Step] = field(default_factory=list)
    fault: str = ""

    def _repr_html_(self) -> str:
        from lupom.engine.run.html_tables import table_html

        rows = []
        for step in self.doing():
            e = step.estimate
            calls = "" if e is None or e.high is None else f"{e.low:,}-{e.high:,}"
            calls = f"~{calls}" if e is not None and e.guessed else calls
            cost = "" if e is None or e.cost is None else f"${e.cost.low:.2f}-${e.cost.high:.2f}"
            rows.append([step.node, step.kind, step.action, step.reason, calls, cost])
        if not rows:
            return "<p>Nothing to do: everything is up to date.</p>"
        columns = ["node", "kind", "action", "reason", "calls", "cost"]
        return table_html(columns, rows, limit=None)

    def doing(self) -> list[Step]:
        """Return the steps that would or might do something."""
        return [step for step in self.steps if step.action != UP_TO_DATE]


def make_plan(
    graph: Graph[Node],
    nodes: Mapping[str, Node],
    selected: tuple[str, ...],
    known: Identities,
    *,
    full_refresh: bool = False,
    no_llm: bool = False,
    quarantined: frozenset[str] = frozenset(),
) -> Plan:
    """Say for each selected node whether it would run and why. Pure: no I/O, no call.

    Parameters
    ----------
    selected : names in topological order.
    known : identities of what stands in the store.
    quarantined : LLM nodes whose invalid answers are to be asked again.
    """
    plan = Plan()
    actions: dict[str, str] = {}

    # What will, and what may, change above a node that keeps no rows of its own and is not built
    # here: an ephemeral model, or a view left out of the selection.
    above: dict[str, tuple[list[str], list[str]]] = {}
    chosen = set(selected)

    def changing(node: Node) -> tuple[list[str], list[str]]:
        certain: dict[str, None] = {}
        possible: dict[str, None] = {}
        for parent in node.parents:
            if parent in above:
                certain |= dict.fromkeys(above[parent][0])
                possible |= dict.fromkeys(above[parent][1])
            elif actions.get(parent) == RUN:
                certain[parent] = None
            elif actions.get(parent) == MAYBE:
                possible[parent] = None
        return list(certain), list(possible)

    for name in graph.order:
        node = nodes[name]
        if node.materialization.inlined or (node.materialization.is_view and name not in chosen):
            above[name] = changing(node)
            continue
        if name not in chosen or not node.materialization.is_built:
            continue
        record = known.record(name)
        inputs = known.inputs(node)
        certain, possible = changing(node)
        action, reason = UP_TO_DATE, ""
        if record is None:
            action = RUN
            reason = "its relation is gone" if known.lost(name) else "first build"
        elif full_refresh:
            action, reason = RUN, "full refresh"
        elif name in quarantined:
            action, reason = RUN, "invalid answers are asked again"
        elif no_llm and node.materialization.needs_llm:
            action = UP_TO_DATE
        else:
            reasons = ids.changes(node, record, inputs)
            # An input that is to be rebuilt is spoken of below: what it was is no reason any more.
            moot = {f"input {parent} changed" for parent in (*certain, *possible)}
            reasons = [reason for reason in reasons if reason not in moot]
            if reasons:
                action, reason = RUN, ", ".join(reasons)
            elif certain or possible:
                action = MAYBE
                names = list(dict.fromkeys([*certain, *possible]))
                reason = f"would run if {' or '.join(names)} changes"
        actions[name] = action
        plan.steps.append(Step(name, node.materialized, action, reason))
    return plan
