"""What a reply took, booked: known where the provider says it, unknown where it does not."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from lupom.engine.llm import prices
from lupom.engine.llm.usage import Usage

if TYPE_CHECKING:
    from lupom.engine.llm.client import Client
    from lupom.engine.llm.pending import AskState
    from lupom.engine.llm.providers.base import ProviderReply
    from lupom.engine.project.providers import Price
    from lupom.engine.state.ledger import Entry


def book(
    client: Client, asking: AskState, entry: Entry, reply: ProviderReply, size: Callable[[], int]
) -> None:
    """Add to an entry, and to what is being asked, what a reply took.

    Tokens that the provider does not say are unknown, and with them the sums they are part of. A
    budget counts the request's own estimate then, from the bytes of its texts (`size`).
    """
    cost = cost_of(client.settings.paid, reply)
    if reply.tokens_in is None or reply.tokens_out is None or entry.counted_tokens is not None:
        _count(client, entry, reply, size())
    # What was never asked took nothing; what was asked before may have taken nobody knows what.
    before = entry.cost if entry.attempts else 0.0
    entry.attempts += 1
    entry.cost = prices.plus(before, cost)
    entry.tokens_in = prices.whole(entry.tokens_in, reply.tokens_in)
    entry.tokens_out = prices.whole(entry.tokens_out, reply.tokens_out)
    entry.tokens_cached += reply.tokens_cached
    entry.tokens_written += reply.tokens_written
    asking.usage += Usage(reply.tokens_in, reply.tokens_out, cost, reply.tokens_cached)


def _count(client: Client, entry: Entry, reply: ProviderReply, size: int) -> None:
    spent = client.spent(size, reply)
    if entry.counted_tokens is None:
        entry.counted_tokens = (entry.tokens_in or 0) + (entry.tokens_out or 0)
        entry.counted_cost = entry.cost
    entry.counted_tokens += spent.tokens
    if client.settings.paid is not None:
        entry.counted_cost = (entry.counted_cost or 0.0) + spent.money


def cost_of(price: Price | None, reply: ProviderReply) -> float | None:
    """Return what a reply cost in USD; None where its price or its tokens are unknown."""
    if price is None or reply.tokens_in is None or reply.tokens_out is None:
        # Nothing is what something free costs, however much of it there was.
        return 0.0 if price is not None and prices.is_free(price) else None
    return prices.cost(
        price,
        reply.tokens_in,
        reply.tokens_out,
        cached=reply.tokens_cached,
        written=reply.tokens_written,
    )
