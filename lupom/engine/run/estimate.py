"""How many LLM calls a plan's steps make and what they cost, with no call made."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lupom.engine.errors import LupomError
from lupom.engine.project.nodes import Node
from lupom.engine.run.context import Context
from lupom.engine.run.identities import Identities
from lupom.engine.run.plan import UP_TO_DATE, Estimate, Plan

if TYPE_CHECKING:
    from lupom.engine.llm.gateway import Call

# Characters per token of English in the tokenizers in use (3.5 to 4.5); no tokenizer is loaded,
# since those that are exact come by download.
_CHARACTERS = 4.0


def estimate_calls(
    context: Context, plan: Plan, known: Identities, *, retry_invalid: bool = False
) -> None:
    """Add an Estimate to each LLM step that would or might run.

    Where nothing upstream is to change, the rows are read, the calls made up and looked up in the
    ledger: the counts are exact. Below a step that is to run, the rows of today give a range.
    """
    doing = {step.node for step in plan.doing()}
    for step in plan.steps:
        node = context.nodes[step.node]
        if node.materialized != "llm" or step.action == UP_TO_DATE:
            continue
        moving = [p for p in _upstream(context, node) if p in doing]
        missing = [p for p in node.parents if known.of(p) is None]
        if missing:
            step.estimate = Estimate(note=f"rows are known once {missing[0]} is built")
            continue
        try:
            step.estimate = _estimate(context, node, retry_invalid)
        except LupomError as error:
            step.estimate = Estimate(note=str(error))
            continue
        if moving:
            step.estimate.low = 0
            step.estimate.high = step.estimate.rows
            step.estimate.note = f"by today's rows; {moving[0]} may change them"


def _upstream(context: Context, node: Node) -> list[str]:
    """Return what a node reads, seen through views and ephemeral models."""
    out: dict[str, None] = {}
    for parent in node.parents:
        out[parent] = None
        if context.nodes[parent].materialized in ("view", "ephemeral"):
            out.update(dict.fromkeys(_upstream(context, context.nodes[parent])))
    return list(out)


def _estimate(context: Context, node: Node, retry_invalid: bool) -> Estimate:
    from lupom.engine.run.materializations.llm import prepare

    with context.store.hold(read_only=context.store.idle) as cursor:
        prepared = prepare(context, node, cursor)
    alias = node.config["llm"]
    keys = [context.gateway.key(alias, call) for call in prepared.calls]
    answered = context.gateway.lookup(keys)
    settled = {key for key, status in answered.items() if status == "ok" or not retry_invalid}
    calls = {k: c for k, c in zip(keys, prepared.calls, strict=True) if k not in settled}
    cached = sum(key in settled for key in keys)
    tokens_in = round(sum(_characters(call) for call in calls.values()) / _CHARACTERS)
    tokens_out = len(calls) * _mean_out(context, node)
    price = context.files.settings.llms[alias].price
    cost = None
    if price is not None:
        cost = (tokens_in * price.input + tokens_out * price.output) / 1e6
    return Estimate(
        rows=len(keys),
        cached=cached,
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
