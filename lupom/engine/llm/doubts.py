"""Requests that failed while it is not known whose fault that is: the row's, or everybody's.

Providers say in many words that one text is too long, filtered or unwelcome, and in as many that a
parameter is wrong or an account empty. What tells them apart is whether other rows pass.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lupom.engine.llm.turns import Request, Turns, part_of

if TYPE_CHECKING:
    from lupom.engine.llm.pending import PendingCall
    from lupom.engine.llm.providers.base import ProviderError

# Rows that fail one after another, with none that passes, before it is everybody's fault: where
# nothing has been answered yet (they are taken from far apart), where something has (a filter may
# take one in three), and where each was tried until its tries were used up.
_AT_FIRST, _LATER, _OUTAGE = 3, 12, 2
# Of the last rows of all nobody comes after to speak for the endpoint.
_LAST = 3


@dataclass(slots=True)
class Suspect:
    """A row whose request failed: with what, when, and whether others passed meanwhile."""

    pending: PendingCall
    error: ProviderError
    at: float
    vouched: bool


class Doubts:
    """What one ask has seen fail and pass; on the gateway's loop only.

    Attributes
    ----------
    suspects : rows put aside until it is known whose fault it is.
    """

    def __init__(self, turns: Turns, *, answered: bool) -> None:
        """`answered` says that the endpoint has answered to this process before."""
        self.suspects: list[Suspect] = []
        self._turns = turns
        self._halves: deque[Request] = deque()
        self._answered = answered
        self._proof = -1.0
        self._streak: list[Suspect] = []
        self._in_flight = 0
        self._changed = asyncio.Event()

    async def next(self, halt: asyncio.Event) -> Request | None:
        """Return the next request; None when there is none, or asking was stopped.

        While nothing speaks for the endpoint one goes at a time, from another part of the queue:
        neighbours may share what is wrong with them.
        """
        while not halt.is_set():
            if self._must_wait():
                self._changed.clear()
                await self._changed.wait()
                continue
            if self._is_careful():
                self._turns.turn_round()
            request = self._halves.popleft() if self._halves else await self._turns.next()
            if request is None:
                return None
            if self._must_wait():
                # Something failed while this one was waited for.
                self._halves.append(request)
                continue
            self._in_flight += 1
            return request
        return None

    def _must_wait(self) -> bool:
        return self._is_careful() and self._in_flight > 0

    def _is_careful(self) -> bool:
        unproven = not self._answered or any(s.error.retryable for s in self._streak)
        return bool(self._streak) and unproven

    def ended(self, request: Request) -> None:
        """A request has ended, however it did."""
        self._in_flight -= 1
        self._turns.ended(request)
        self._changed.set()

    def passed(self, begun: float) -> None:
        """A request begun then was answered: what failed before is not its fault."""
        self._answered = True
        self._proof = max(self._proof, begun)
        self._streak = [suspect for suspect in self._streak if suspect.at >= self._proof]

    def failed(self, request: Request, error: ProviderError, at: float) -> bool:
        """Put a request's rows aside; False when it is everybody's fault, or cannot be a row's.

        Rows that were asked together are asked by halves first.
        """
        if not (error.alone or (error.retryable and not error.throttled)):
            return False
        pending_calls = request.pending_calls
        since = at if error.since is None else error.since
        suspect = Suspect(pending_calls[0], error, at, vouched=since < self._proof)
        if len(pending_calls) > 1:
            middle = (len(pending_calls) + 1) // 2
            halves = (pending_calls[middle:], pending_calls[:middle])
            self._halves.extendleft(part_of(request, half) for half in halves)
        else:
            self.suspects.append(suspect)
        if suspect.vouched:
            return True
        self._streak.append(suspect)
        most = _LATER if self._answered else _AT_FIRST
        return len(self._streak) < (_OUTAGE if error.retryable else most)

    def first(self, error: ProviderError) -> ProviderError:
        """Return the error that the failures began with."""
        return self._streak[0].error if self._streak else error

    def is_own_fault(self, suspect: Suspect, *, before: bool) -> bool:
        """Tell at the end whether a row failed by itself; `before` says that rows of the same node
        were answered in an earlier run."""
        if suspect.vouched or suspect.at < self._proof:
            return True
        # The last ones have nobody after them; those before them were answered.
        return (self._answered or before) and len(self._streak) <= _LAST
