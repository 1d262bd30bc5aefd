"""Rate limits that an alias sets itself: requests and tokens a minute."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from lupom.engine.llm.adaptive_rate_limiter import turn

MINUTE = 60.0
# Late wake-ups may be made up for within so many seconds; the intervals allow for it.
SLACK = 0.05
# Seconds between two looks at `halt`.
_LOOK = 0.25


class RateLimiter:
    """Spreads requests and tokens evenly over the minute; shared by all who ask an alias.

    In no minute are more requests sent than allowed. A request counts with the tokens it may take
    until its answer says how many it took, which is how providers count; tokens a minute are
    exceeded by one request at most. (The generic cell rate algorithm, ITU-T I.371, twice.)
    """

    def __init__(self, requests: int | None, tokens: int | None) -> None:
        self._per_request = 0.0 if requests is None else (MINUTE + SLACK) / requests
        self._per_token = 0.0 if tokens is None else MINUTE / tokens
        # Times at which what was sent so far is worked off.
        self._requests_at = 0.0
        self._tokens_at = 0.0
        self._queue = asyncio.Lock()
        self._given_back = asyncio.Event()

    async def acquire(self, tokens: int, halt: asyncio.Event) -> None:
        """Wait for one's turn to send a request of so many tokens; raises Halted on `halt`."""
        async with turn(self._queue, halt, self._wait, self._sleep) as now:
            self._requests_at = max(self._requests_at, now) + self._per_request
            self._tokens_at = max(self._tokens_at, now) + tokens * self._per_token

    def _wait(self, now: float) -> float:
        return max(self._requests_at, self._tokens_at) - SLACK - now

    async def _sleep(self, seconds: float) -> None:
        self._given_back.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(min(seconds, _LOOK)):
                await self._given_back.wait()

    def give_back(self, tokens: int) -> None:
        """Return tokens that a request did not take; fewer than none are taken on top."""
        self._tokens_at -= tokens * self._per_token
        self._given_back.set()
