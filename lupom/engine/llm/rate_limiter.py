"""Rate limits that an alias sets itself: requests and tokens a minute."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

from lupom.engine.llm.adaptive_rate_limiter import turn

if TYPE_CHECKING:
    from lupom.engine.state.members import Members

MINUTE = 60.0
# Late wake-ups may be made up for within so many seconds; the intervals allow for it.
SLACK = 0.05
# Seconds between two looks at `halt`.
_LOOK = 0.25
# Seconds of a limit that a process reserves at a time, and requests in that time at most: what it
# has no use for is lost, and fewer would ask the ledger for every request.
_AHEAD, _MOST = 0.25, 64


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


class SharedRateLimiter(RateLimiter):
    """The same limits for all processes that share a ledger, which keeps the times.

    Each process reserves a quarter of a second at a time. What was reserved and not sent in its
    time, and tokens that were not taken when it ends, are lost: limits are not exceeded for it.
    """

    def __init__(
        self, requests: int | None, tokens: int | None, members: Members, endpoint: str
    ) -> None:
        super().__init__(requests, tokens)
        self._members = members
        self._endpoint = endpoint
        # Requests that are still reserved, and tokens of each.
        self._left = 0
        self._each = 0
        self._returned = 0

    async def acquire(self, tokens: int, halt: asyncio.Event) -> None:
        """Wait for one's turn to send a request of so many tokens; raises Halted on `halt`."""
        async with self._queue:
            late = self._due() < asyncio.get_running_loop().time() - SLACK
            if not self._left or late or tokens > self._each:
                await self._reserve(tokens)
            due = self._due()
            self._left -= 1
            self._returned += self._each - tokens
            self._requests_at += self._per_request
            self._tokens_at += self._each * self._per_token
        async with turn(asyncio.Lock(), halt, lambda now: due - now, self._sleep):
            return

    def _due(self) -> float:
        return max(self._requests_at, self._tokens_at)

    async def _reserve(self, tokens: int) -> None:
        # More than were reserved for each: what is left of those is given back.
        self._returned += self._left * self._each
        slowest = max(self._per_request, tokens * self._per_token)
        count = max(1, min(_MOST, int(_AHEAD / slowest)))
        returned, self._returned = self._returned, 0
        due = await self._members.reserve(
            self._endpoint,
            count * self._per_request,
            count * tokens * self._per_token,
            returned * self._per_token,
        )
        now = asyncio.get_running_loop().time()
        self._requests_at, self._tokens_at = now + due[0], now + due[1]
        self._left, self._each = count, tokens

    def give_back(self, tokens: int) -> None:
        """Return tokens that a request did not take; fewer than none are taken on top."""
        self._returned += tokens
