"""One alias: its provider, how many ask it at once and how fast, what a request may take."""

from __future__ import annotations

import asyncio
import copy
import json
from typing import TYPE_CHECKING

from lupom.engine.llm import prices
from lupom.engine.llm.adaptive_rate_limiter import AdaptiveRateLimiter
from lupom.engine.llm.budget import Amount
from lupom.engine.llm.keys import KeyMaker, parameters
from lupom.engine.llm.providers.base import Provider, ProviderReply, ProviderRequest
from lupom.engine.llm.rate_limiter import RateLimiter, SharedRateLimiter

if TYPE_CHECKING:
    from lupom.engine.project.providers import LLMSettings
    from lupom.engine.state.members import Members

# Bytes of a request per token that are taken for the fewest, and tokens around it.
_BYTES_PER_TOKEN, _OVERHEAD = 3.0, 16


class Client:
    """Asks one alias: its provider, its semaphore and its rate limiters, on the gateway's loop."""

    def __init__(
        self,
        alias: str,
        settings: LLMSettings,
        provider: Provider,
        backoff: float,
        members: Members | None = None,
    ) -> None:
        """`members` share the alias's limits a minute; None where this process has them alone."""
        self.alias = alias
        self.settings = settings
        self.provider = provider
        self.identity = provider.identity()
        self.endpoint = json.dumps(self.identity, sort_keys=True)
        self.keys = KeyMaker({**self.identity, "parameters": parameters(settings)})
        self.semaphore = asyncio.Semaphore(settings.concurrency)
        self._members = members
        self._telling: set[asyncio.Task[None]] = set()
        self.adaptive_limiter = AdaptiveRateLimiter(backoff, self._refused)
        self.backoff = backoff
        # Whether a request may take `max_tokens` for each of its rows; some models take less.
        self.limit_per_row = True
        self.limiter: RateLimiter | None = None
        if settings.requests_per_minute or settings.tokens_per_minute:
            limits = settings.requests_per_minute, settings.tokens_per_minute
            self.limiter = (
                RateLimiter(*limits)
                if members is None
                else SharedRateLimiter(*limits, members, self.endpoint)
            )
        self._overhead = float(settings.overhead or _OVERHEAD)

    def _refused(self, seconds: float) -> None:
        """Tell the other processes that the endpoint takes nothing for some seconds."""
        if self._members is not None:
            task = asyncio.ensure_future(self._members.pause(self.endpoint, seconds))
            self._telling.add(task)
            task.add_done_callback(self._told)

    def _told(self, task: asyncio.Task[None]) -> None:
        self._telling.discard(task)
        if not task.cancelled():
            # Where the ledger is gone, whoever writes to it says so.
            task.exception()

    @property
    def cached_from(self) -> int:
        """The characters from which what requests begin with is cached; 0 where nothing is."""
        found = getattr(self.provider, "cached_from", None)
        return 0 if found is None else int(found())

    @property
    def patient(self) -> bool:
        """Whether a first request is waited for before others begin like it: where it costs more
        to put something into the cache, and only a cache point does."""
        return bool(getattr(self.provider, "cache_points", False))

    def by_batch(self, batch: bool) -> Client:
        """Return this client with a batch's prices, or the full ones; all else is shared."""
        if self.settings.by_batch == batch:
            return self
        client = copy.copy(self)
        client.settings = self.settings.with_batch(batch)
        return client

    def most(self, size: int, tokens_out: int) -> Amount:
        """Return the most that a request of so many bytes may take, answer included.

        A third of its bytes, which is more than English and JSON take, and what earlier requests
        took beyond that; all the tokens an answer may have.
        """
        tokens_in = int(size / _BYTES_PER_TOKEN + self._overhead) + 1
        price = self.settings.paid
        money = 0.0
        if price is not None:
            money = max(
                prices.cost(price, tokens_in, tokens_out),
                prices.cost(price, tokens_in, tokens_out, written=tokens_in),
            )
        return Amount(tokens_in + tokens_out, money)

    def spent(self, size: int, reply: ProviderReply | None) -> Amount:
        """Return what a request took: by its own usage, or by its length where that is not said."""
        if reply is None:
            return Amount()
        tokens_in, tokens_out = reply.tokens_in, reply.tokens_out
        if tokens_in is None:
            tokens_in = int(size / _BYTES_PER_TOKEN)
        if tokens_out is None:
            tokens_out = int(len(reply.text) / _BYTES_PER_TOKEN)
        self._overhead = max(self._overhead, tokens_in - size / _BYTES_PER_TOKEN)
        price = self.settings.paid
        money = 0.0
        if price is not None:
            cached, written = reply.tokens_cached, reply.tokens_written
            money = prices.cost(price, tokens_in, tokens_out, cached=cached, written=written)
        return Amount(tokens_in + tokens_out, money)

    @property
    def where(self) -> str:
        """The alias and its address or model, for errors."""
        address = self.identity.get("base_url") or self.identity.get("model") or "?"
        return f"llm '{self.alias}' at {address}"


def size_of(request: ProviderRequest) -> int:
    """Return the bytes of a request's texts, its schema among them."""
    texts = [message["content"] for message in request.messages]
    if request.schema is not None:
        texts.append(json.dumps(request.schema, ensure_ascii=False))
    return sum(
        len(text) if text.isascii() else len(text.encode("utf-8", "replace")) for text in texts
    )
