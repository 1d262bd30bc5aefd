"""Sending a request until it is answered, or clearly will not be."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import TypeVar

from lupom.engine.llm.adaptive_rate_limiter import AdaptiveRateLimiter, pause
from lupom.engine.llm.providers.base import ProviderError
from lupom.engine.llm.rate_limiter import RateLimiter

T = TypeVar("T")
# The longest pause between two tries of one request, in seconds.
LONGEST = 30.0


async def send_with_retries(
    send: Callable[[], Awaitable[T]],
    adaptive_limiter: AdaptiveRateLimiter,
    halt: asyncio.Event,
    *,
    name: str,
    retries: int,
    backoff: float,
    limiter: RateLimiter | None = None,
    tokens: int = 0,
) -> T:
    """Send until there is an answer: transport failures are tried again, `retries` times at most.

    The n-th pause is `backoff` x 2^n seconds, LONGEST at most, times a factor between 0.5 and 1
    that depends on `name` and n alone. A 429 costs a try only when the address has answered nobody
    since the last one, so a queue at a rate limit ends by itself and a dead limit does not go on.
    Each try takes its part of `limiter`, `tokens` at most; a failed one gives the tokens back.

    Raises
    ------
    ProviderError : the last failure, when tries are used up or it cannot be retried.
    Halted : when `halt` was set between two tries.
    """
    failures = 0
    since: float | None = None
    while True:
        if limiter is not None:
            await limiter.acquire(tokens, halt)
        sent = await adaptive_limiter.acquire(halt)
        successes = adaptive_limiter.successes
        try:
            answer = await send()
        except ProviderError as error:
            if limiter is not None:
                limiter.give_back(tokens)
            now = asyncio.get_running_loop().time()
            error.since = since = now if since is None else since
            if not error.retryable:
                raise
            if error.throttled and adaptive_limiter.successes > successes:
                failures = 0
            failures += 1
            if error.throttled:
                adaptive_limiter.refused(sent, error.retry_after)
            elif error.retry_after is not None:
                adaptive_limiter.hold(error.retry_after)
            if failures > retries:
                raise
            if not error.throttled:
                jitter = random.Random(f"{name}/{failures}").uniform(0.5, 1.0)
                await pause(min(LONGEST, backoff * 2 ** (failures - 1)) * jitter, halt)
            continue
        adaptive_limiter.succeeded()
        return answer
