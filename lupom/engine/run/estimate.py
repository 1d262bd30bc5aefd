"""How many LLM calls a plan's steps make and what they cost, with no call made."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lupom.engine.errors import LupomError
from lupom.engine.graph import Graph
from lupom.engine.project.nodes import Node
from lupom.engine.run.context import Context
from lupom.engine.run.identities import Identities
from lupom.engine.run.plan import Estimate, Plan
from lupom.engine.run.scratch import scratch

if TYPE_CHECKING:
    from lupom.engine.llm.gateway import Call

# Characters per token of English in the tokenizers in use (3.5 to 4.5); no tokenizer is loaded,
# since those that are exact come by download.
_CHARACTERS = 4.0


def estimate_calls(
    context: Context, graph: Graph[Node], plan: Plan, known: Identities, *, retry_invalid: bool
) -> None:
    """Add an Estimate to each LLM step that would or might run.

    The rows are read, the calls made up and looked up in the ledger: the counts are exact. Where
    seeds, SQL or Python models above are stale, they are built in memory first. Below an LLM model
    that is to be asked, the rows of today give a range, or nothing is known yet.
    """
    doing = {step.node: step for step in plan.doing()}
    steps = [step for step in plan.doing() if context.nodes[step.node].materialized == "llm"]
    if not steps:
        return
    with scratch(context) as memory:
        for step in steps:
            node = context.nodes[step.node]
            above = [name for name in graph.sort(graph.ancestors(node.name)) if name in doing]
            asked = [name for name in above if context.nodes[name].materialized == "llm"]
            try:
                if asked:
                    step.estimate = _below(context, node, known, asked[0], retry_invalid)
                else:
                    memory.build(tuple(above))
                    step.estimate = _estimate(memory.context, context, node, retry_invalid)
            except LupomError as error:
                step.estimate = Estimate(note=str(error))


def _below(
    context: Context, node: Node, known: Identities, asked: str, retry_invalid: bool
) -> Estimate:
    """Estimate a node below an LLM model that is itself to be asked."""
    if any(known.of(parent) is None for parent in node.parents):
        return Estimate(note=f"rows are known once {asked} is built")
    estimate = _estimate(context, context, node, retry_invalid)
    estimate.low, estimate.high = 0, estimate.rows
    estimate.note = f"by today's rows; {asked} may change them"
    return estimate


def _estimate(reading: Context, context: Context, node: Node, retry_invalid: bool) -> Estimate:
    """Count a node's calls; rows are read in one context, the ledger in the other."""
    from lupom.engine.run.materializations.llm import prepare

    with reading.store.hold(read_only=reading.store.idle) as cursor:
        prepared = prepare(reading, node, cursor)
    alias = node.config["llm"]
    keys = [context.gateway.key(alias, call) for call in prepared.calls]
    answered = context.gateway.lookup(keys)
    settled = {key for key, status in answered.items() if status == "ok" or not retry_invalid}
    calls = {k: c for k, c in zip(keys, prepared.calls, strict=True) if k not in settled}
    tokens_in = round(sum(_characters(call) for call in calls.values()) / _CHARACTERS)
    tokens_out = len(calls) * _mean_out(context, node)
    price = context.files.settings.llms[alias].price
    cost = None
    if price is not None:
        cost = (tokens_in * price.input + tokens_out * price.output) / 1e6
    return Estimate(
        rows=len(keys),
        cached=sum(key in settled for key in keys),
        low=len(calls),
        high=len(calls),
        tokens_in=tokens_in,
        tokens_out=tokens_out,
        cost=cost,
    )


def _characters(call: Call) -> int:
    return sum(len(message["content"]) for message in call.messages)


def _mean_out(context: Context, node: Node) -> int:
    """Return answer tokens a call of this node took so far, or a fifth of what it may take."""
    mean = context.state.ledger.mean_tokens_out(node.name)
    settings = context.files.settings.llms[node.config["llm"]]
    return round(mean) if mean is not None else max(1, settings.max_tokens // 5)
