"""The order of requests: of those that begin alike one goes first, to warm a prompt cache."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from lupom.engine.llm.pending import PendingCall
from lupom.engine.llm.prefixes import Messages, common, starts
from lupom.engine.llm.together import messages_of, requests_of


@dataclass(frozen=True, slots=True, eq=False)
class Request:
    """Calls that are asked in one request.

    Attributes
    ----------
    shared : places of cache points in its messages.
    group : number of the requests that begin like it; None where no other does.
    """

    pending_calls: Sequence[PendingCall]
    messages: Messages
    shared: tuple[int, ...] = ()
    group: int | None = None


def planned(pending_calls: Sequence[PendingCall], cached_from: int) -> list[Request]:
    """Return the requests for calls, which are in the order of their texts.

    Beginnings of `cached_from` characters and more are worth a cache point; 0 is none.
    """
    requests = [Request(members, messages_of(members)) for members in requests_of(pending_calls)]
    if not cached_from:
        return requests
    begun = starts([request.messages for request in requests], cached_from)
    return [
        Request(request.pending_calls, request.messages, start.points, start.group)
        for request, start in zip(requests, begun, strict=True)
    ]


def part_of(request: Request, pending_calls: Sequence[PendingCall]) -> Request:
    """Return the request for some of a request's calls.

    Points stay where the messages begin as they did.
    """
    if len(pending_calls) == len(request.pending_calls):
        return request
    messages = messages_of(pending_calls)
    alike = common(request.messages, messages)
    shared = tuple(point for point in request.shared if point <= alike)
    return Request(pending_calls, messages, shared, request.group)


@dataclass
class Turns:
    """Hands out requests to those who ask them.

    The first of each group is handed out before the others of it, which follow once it is
    answered. Meanwhile other groups have their turn. When there is nothing else left, those who are
    `patient` wait for the answer of a first one, as writing to a cache has its price; others go on.
    """

    requests: Sequence[Request]
    patient: bool
    _ready: deque[Request] = field(default_factory=deque)
    _first: deque[Request] = field(default_factory=deque)
    _behind: dict[int, list[Request]] = field(default_factory=dict)
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        for request in self.requests:
            if request.group is None:
                self._first.append(request)
            elif request.group in self._behind:
                self._behind[request.group].append(request)
            else:
                self._behind[request.group] = []
                self._first.append(request)

    async def next(self) -> Request | None:
        """Return the next request; None when there is none left."""
        while True:
            if self._ready:
                return self._ready.popleft()
            if self._first:
                return self._first.popleft()
            if not self._behind:
                return None
            if not self.patient:
                self._ready.extend(self._behind.pop(next(iter(self._behind))))
                continue
            self._changed.clear()
            await self._changed.wait()

    def turn_round(self) -> None:
        """Go on in another part of the queue."""
        self._first.rotate(-(len(self._first) // 2))

    def ended(self, request: Request) -> None:
        """Take note that a request has its end, whatever it is."""
        if request.group is not None:
            self._ready.extend(self._behind.pop(request.group, ()))
        self._changed.set()
