"""How many LLM calls a plan's steps make, how many texts they have embedded, and what they cost.

No call is made, and no text embedded but in this process.
"""

from __future__ import annotations

from lupom.engine.errors import LupomError, StateError
from lupom.engine.graph import Graph
from lupom.engine.llm import prices
from lupom.engine.llm.forecast import Forecast, Range
from lupom.engine.llm.together import requests
from lupom.engine.project.nodes import Node
from lupom.engine.run.context import Context
from lupom.engine.run.identities import Identities
from lupom.engine.run.plan import Estimate, Plan
from lupom.engine.run.scratch import Scratch, scratch
from lupom.engine.run.spending import said, taking


def estimate_calls(
    context: Context,
    graph: Graph[Node],
    plan: Plan,
    known: Identities,
    *,
    retry_invalid: bool,
    rehearse: bool = False,
) -> None:
    """Add an Estimate to each step that would or might ask an LLM, or an endpoint for embeddings.

    The rows are read, the calls made up and looked up in the ledger: the counts are exact. Where
    seeds, SQL or Python models above are stale, they are built in memory first. Below an LLM model
    that is to be asked, and below texts that are to be embedded, the rows of today give a range.
    Where there are none, nothing is known yet; with `rehearse`, answers and vectors are made up,
    and all between is built in memory, too. Where one of `before_llms` fails, nothing is asked.

    Raises StateError where the ledger cannot be read.
    """
    doing = {step.node: step for step in plan.doing()}
    here = {n for n, s in context.files.settings.embeddings.items() if s.in_process}
    steps = [
        step
        for name, step in doing.items()
        if context.nodes[name].materialization.needs_llm or {*context.nodes[name].embeddings} - here
    ]
    if not steps:
        return
    # An LLM model that stands is read as it is.
    new = {step.node for step in steps if known.of(step.node) is None}
    above_others = {name for step in steps for name in graph.ancestors(step.node)}
    with scratch(context, rehearse=rehearse) as memory:
        plan.fault = _gate_fault(context, graph, set(doing), memory)
        if plan.fault:
            for step in steps:
                if context.nodes[step.node].materialization.needs_llm:
                    step.estimate = Estimate(low=0, high=0, note="nothing is asked")
            return
        for step in steps:
            node = context.nodes[step.node]
            above = [name for name in graph.sort(graph.ancestors(node.name)) if name in doing]
            asked = [name for name in above if context.nodes[name].materialization.needs_llm]
            unknown = any(known.of(parent) is None for parent in node.parents)
            try:
                if not node.materialization.needs_llm:
                    first = asked[0] if asked and unknown and not rehearse else None
                    first = first or memory.build(tuple(above))
                    today = asked[0] if asked and not unknown else None
                    step.estimate = _embedding(memory, node, first, today)
                    continue
                first = asked[0] if asked and not (rehearse and unknown) else None
                first = first or memory.build(tuple(above))
                if first is not None:
                    step.estimate = _below(context, node, known, first, retry_invalid)
                else:
                    step.estimate = _estimate(memory.context, context, node, retry_invalid)
                    step.estimate.guessed = bool(asked) or memory.rests_on_made_up(node)
                if rehearse and step.node in new and node.name in above_others:
                    failed = memory.stand_in(node)
                    if failed:
                        notes = [
                            step.estimate.note,
                            f"no answer can be made up for {failed:,} rows",
                        ]
                        step.estimate.note = "; ".join(note for note in notes if note)
            except StateError:
                # What was answered before is all that a plan is about, and no run could begin.
                raise
            except LupomError as error:
                step.estimate = Estimate(note=str(error), fault=str(error))


def _gate_fault(context: Context, graph: Graph[Node], doing: set[str], memory: Scratch) -> str:
    """Return what is wrong with one of the models that LLM models wait for; '' if nothing is."""
    for gate in context.files.settings.before_llms:
        if gate not in doing:
            continue
        names = [name for name in graph.sort(graph.ancestors(gate)) if name in doing] + [gate]
        if any(context.nodes[name].materialization.needs_llm for name in names):
            continue
        try:
            memory.build(tuple(names))
        except LupomError as error:
            return str(error)
    return ""


def _embedding(
    memory: Scratch, node: Node, asked: str | None, today: str | None
) -> Estimate | None:
    """Estimate what a Python model has embedded; None where that is nothing.

    `asked` is a model above it that is to ask first, `today` one that stands and may change.
    """
    if asked is not None:
        return Estimate(
            note=f"texts to embed, if any, are known once {asked} is built", embeds=True
        )
    memory.build((node.name,))
    found = memory.embedding.get(node.name)
    if found is None:
        return None
    whole = sum(found.taking.values(), Forecast.none())
    priced = [one.cost for one in found.taking.values() if one.cost is not None]
    cost = sum(priced, Range()) if priced or not found.missing else None
    least = 0.0 if today else 1.0
    return Estimate(
        rows=len(found.texts),
        cached=len(found.texts) - found.missing,
        low=0 if today else found.missing,
        high=found.missing,
        tokens=whole.tokens.times(least, 1.0),
        cost=None if cost is None else cost.times(least, 1.0),
        unpriced=[name for name, one in sorted(found.taking.items()) if one.cost is None],
        note=f"texts to embed{f', by those of today; {today} may change them' if today else ''}",
        guessed=found.made_up,
        embeds=True,
    )


def _below(
    context: Context, node: Node, known: Identities, asked: str, retry_invalid: bool
) -> Estimate:
    """Estimate a node below one that is itself to be asked, or to have texts embedded."""
    if any(known.of(parent) is None for parent in node.parents):
        return Estimate(note=f"rows are known once {asked} is built")
    estimate = _estimate(context, context, node, retry_invalid, anew=True)
    estimate.low, estimate.high = 0, estimate.rows
    estimate.tokens = Range(0, estimate.tokens.high) if estimate.tokens else None
    estimate.cost = Range(0, estimate.cost.high) if estimate.cost else None
    note = f"by today's rows; {asked} may change them"
    estimate.note = "; ".join(part for part in (note, estimate.note) if part)
    return estimate


def _estimate(
    reading: Context, context: Context, node: Node, retry_invalid: bool, *, anew: bool = False
) -> Estimate:
    """Count a node's calls; rows are read in one context, the ledger in the other.

    `anew` prices every row as one to be asked, whatever was answered before.
    """
    from lupom.engine.llm.verdict import FIRST
    from lupom.engine.run.materializations.llm import verdicts_of
    from lupom.engine.run.materializations.rows import prepare

    with reading.store.reading() as cursor:
        prepared = prepare(reading, node, cursor)
    rows, count, out = 0, 0, 0
    taken: dict[str, Forecast] = {}
    verdicts = verdicts_of(context, node, prepared)
    for part in prepared.parts():
        for alias, indices in part.by_alias().items():
            calls = [part.calls[i] for i in indices]
            waiting = context.gateway.unanswered(alias, calls, retry_invalid=retry_invalid)
            rows += waiting.rows
            out += waiting.out
            if alias in verdicts:
                verdicts[alias].known(len(calls) - waiting.rows, waiting.invalid)
            count += waiting.count
            for name, asked in ({alias: requests(calls)} if anew else waiting.calls).items():
                one = taking(context, node.name, {name: asked})
                taken[name] = taken[name] + one if name in taken else one
    priced = [one.cost for one in taken.values() if one.cost is not None]
    notes = [f"{out:,} rows are out in a batch"] if out else []
    whole = sum(taken.values(), Forecast.none())
    if whole.rows > whole.calls:
        fewer = prices.span(whole.saved.low, whole.saved.high)
        notes.append(f"{whole.rows:,} rows in {whole.calls:,} requests save {fewer} tokens")
    if whole.cached is None:
        notes.append("how much comes from the prompt cache is unknown")
    elif whole.cached.high:
        cached = prices.span(whole.cached.low, whole.cached.high)
        notes.append(f"{cached} tokens from the prompt cache")
    failed = [verdict.error().message for verdict in verdicts.values() if verdict.failed]
    if failed:
        notes.append(f"would stop at once: {failed[0]}")
    elif any(verdict.missing() for verdict in verdicts.values()) and count > FIRST:
        share = next(iter(verdicts.values())).share
        notes.append(f"stops if over {share:.0%} of the first {FIRST} answers are invalid")
    if len(prepared.asked) > 1:
        notes += [_said(name, taken[name]) for name in sorted(taken)]
    return Estimate(
        rows=len(prepared),
        cached=len(prepared) - rows,
        out=out,
        low=count,
        high=count,
        tokens=whole.tokens,
        from_cache=whole.cached,
        saved=whole.saved,
        cost=sum(priced, Range()) if priced or not taken else None,
        unpriced=[name for name, one in sorted(taken.items()) if one.cost is None],
        note="; ".join(notes),
    )


def _said(alias: str, one: Forecast) -> str:
    return f"{alias}: {one.calls:,} calls, {said(one.tokens, one.cost)}"
