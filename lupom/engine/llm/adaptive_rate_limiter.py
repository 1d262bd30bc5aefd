"""Limits what one alias sends to the rate its provider has been seen to take, and to its pauses."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

# Seconds over which sends are counted to learn the rate a provider takes.
WINDOW = 1.0
# After a refusal: a tenth below what was taken at first, later a fifth below the rate it came at.
BACK, DOWN = 0.9, 0.8
# The rate then grows by 5 % a second; eightfold where too little was taken to learn from, so that
# one passing refusal costs two seconds and not a minute.
GROWTH, START_GROWTH, ENOUGH = 1.05, 8.0, 10
SLOWEST = 2.0
_FASTEST = 1e5
# Late wake-ups may be made up for, within this many seconds.
_SLACK = 0.05
# A pause that is told again ends as much later at most.
_NEWS = 0.25


class Halted(Exception):
    """Waiting ended because the asking was stopped."""


class AdaptiveRateLimiter:
    """Says when the next request may be sent; shared by all who ask an alias, on one event loop.

    While nothing is refused it never waits. A refusal (429) pauses everybody until the provider's
    retry-after; from then on requests are spread at the rate the provider was seen to take.
    Refusals with no success between them double the pause.
    """

    def __init__(
        self, backoff: float, tell: Callable[[float], None] = lambda seconds: None
    ) -> None:
        """`tell` hears for how many seconds a refusal pauses everybody."""
        self._backoff = backoff
        self._tell = tell
        self._queue = asyncio.Lock()
        self._until = 0.0
        self._rate = 0.0
        self._growth = GROWTH
        self._rated_at = 0.0
        self._next = 0.0
        self._refused = False
        self._misses = 0
        self._sends: deque[float] = deque()
        self._refusals: deque[float] = deque()
        self.successes = 0

    async def acquire(self, halt: asyncio.Event) -> float:
        """Wait for one's turn and return the time of sending; raises Halted when `halt` is set."""
        if halt.is_set():
            raise Halted
        now = asyncio.get_running_loop().time()
        if self._rate or self._refused or now < self._until:
            now = await self._slowly(halt)
        self._sends.append(now)
        while self._sends[0] < now - WINDOW:
            self._sends.popleft()
        return now

    async def _slowly(self, halt: asyncio.Event) -> float:
        async with turn(self._queue, halt, self._wait, lambda wait: pause(wait, halt)) as now:
            if self._rate:
                self._next = max(self._next, now - _SLACK) + 1.0 / self._rate_at(now)
            return now

    def _wait(self, now: float) -> float:
        if now < self._until:
            return self._until - now
        if self._refused:
            self._learn(now)
        return self._next - now if self._rate else 0.0

    def succeeded(self) -> None:
        """Take note of an answer."""
        self.successes += 1
        self._misses = 0

    def hold(self, seconds: float) -> None:
        """Send nothing for some seconds: a provider that is not there yet, not one at its limit."""
        self._until = max(self._until, asyncio.get_running_loop().time() + seconds)

    def refused(self, sent: float, retry_after: float | None) -> None:
        """Take note of a 429 to the request sent at `sent`."""
        now = asyncio.get_running_loop().time()
        self._refusals.append(sent)
        if sent < self._until and retry_after is None:
            # One of the burst that was refused together: the pause it causes stands already.
            return
        if sent >= self._until:
            self._misses += 1
        wait = max(retry_after or 0.0, self._backoff * 2 ** min(self._misses - 1, 6))
        if now + wait > self._until:
            self._tell(wait)
        self._until = max(self._until, now + wait)
        self._refused = True

    def heard(self, seconds: float) -> None:
        """Take note that another process was refused, and that nobody sends for some seconds."""
        until = asyncio.get_running_loop().time() + seconds
        if until > self._until + _NEWS:
            self._until, self._refused = until, True

    def _rate_at(self, now: float) -> float:
        # Within the minute the rate has left any limit behind, and the power stays a number.
        return float(min(_FASTEST, self._rate * self._growth ** min(now - self._rated_at, 60.0)))

    def _learn(self, now: float) -> None:
        """Set the rate; at first from the second before the last send, less what was refused."""
        self._refused = False
        if self._rate:
            if self._misses <= 1:
                # Once an episode: refusals with no success between them are one and the same limit.
                self._rate = max(SLOWEST, self._rate_at(self._until) * DOWN)
            self._growth = GROWTH
        else:
            last = self._sends[-1] if self._sends else now
            taken = sum(1 for t in self._sends if t >= last - WINDOW)
            taken -= sum(1 for t in self._refusals if t >= last - WINDOW)
            self._rate = max(SLOWEST, taken * BACK / WINDOW)
            self._growth = GROWTH if taken >= ENOUGH else START_GROWTH
        self._refusals.clear()
        self._rated_at = self._next = now


@asynccontextmanager
async def turn(
    queue: asyncio.Lock,
    halt: asyncio.Event,
    wait: Callable[[float], float],
    sleep: Callable[[float], Awaitable[None]],
) -> AsyncIterator[float]:
    """Be the first of a queue, wait there for one's turn, and yield its time.

    Parameters
    ----------
    wait : of the time of the loop, how many seconds are left; asked again after each sleep.
    sleep : waits for so many seconds, or less.

    Raises Halted when `halt` is set.
    """
    loop = asyncio.get_running_loop()
    async with queue:
        while True:
            if halt.is_set():
                raise Halted
            now = loop.time()
            left = wait(now)
            if left <= 0:
                break
            await sleep(left)
        yield now


async def pause(seconds: float, halt: asyncio.Event) -> None:
    """Sleep, or raise Halted as soon as `halt` is set."""
    try:
        async with asyncio.timeout(seconds):
            await halt.wait()
    except TimeoutError:
        return
    raise Halted
