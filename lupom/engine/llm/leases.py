"""Leases of the calls of one ask: taken some ahead of their turn, many in one transaction.

A call is asked by whoever has leased it. Calls that another process has in flight are put aside and
waited for; those it has answered come from the ledger.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from lupom.engine.state.ledger import PENDING

if TYPE_CHECKING:
    from lupom.engine.llm.client import Client
    from lupom.engine.llm.pending import PendingCall
    from lupom.engine.state import State
    from lupom.engine.state.ledger import Entry
    from lupom.engine.state.members import Members

# Calls leased at a time, at most; what is leased in so many seconds is asked in about as many, so
# that two runs of the same calls share them nearly to the last.
MOST, SECONDS = 500, 0.5
# Seconds between two looks at calls that others have in flight: at first, and at most.
_LOOK, _RARELY = 0.1, 1.0


@dataclass(slots=True)
class Found:
    """What leasing some calls came to."""

    held: list[PendingCall] = field(default_factory=list)
    ended: list[tuple[PendingCall, Entry]] = field(default_factory=list)
    busy: list[PendingCall] = field(default_factory=list)


class Leases:
    """Takes the leases of an ask's calls in about their order; on the gateway's loop only."""

    def __init__(
        self, state: State, pending_calls: Iterable[PendingCall], places: int, client: Client
    ) -> None:
        """`places` is how many requests are in flight at once; `client` hears who was refused."""
        self._members: Members = state.members
        self._client = client
        self._waiting = {pending.key: pending for pending in pending_calls}
        self._found: dict[str, Entry | bool | None] = {}
        self._places = max(1, places)
        self._size = self._places
        self._begun = 0.0
        self._taking: asyncio.Task[None] | None = None
        self.held: set[str] = set()

    async def hold(self, pending_calls: Sequence[PendingCall]) -> Found:
        """Lease calls, or say what has become of them; some that come after are leased with them.

        What the ledger has learned of a call that is still open is put into it.
        """
        while missing := [p for p in pending_calls if p.key not in self._found]:
            if self._taking is None:
                self._take(missing)
            assert self._taking is not None
            await asyncio.shield(self._taking)
        found = Found()
        for pending in pending_calls:
            fate = self._found.pop(pending.key)
            if fate is None:
                found.held.append(pending)
            elif fate is True:
                found.busy.append(pending)
            elif not isinstance(fate, bool):
                found.ended.append((pending, fate))
        if self._taking is None and self._waiting and len(self._found) <= self._size // 2:
            self._take([])
        return found

    def _take(self, first: Sequence[PendingCall]) -> None:
        now = asyncio.get_running_loop().time()
        if self._begun:
            fast = now - self._begun < SECONDS
            self._size = min(MOST, self._size * 2) if fast else max(self._places, self._size // 2)
        self._begun = now
        chosen = {pending.key: pending for pending in first}
        for key, pending in self._waiting.items():
            if len(chosen) >= self._size:
                break
            chosen[key] = pending
        for key in chosen:
            self._waiting.pop(key, None)
        self._taking = asyncio.ensure_future(self._took(chosen))

    async def _took(self, chosen: dict[str, PendingCall]) -> None:
        try:
            known = {
                key: pending.entry.attempts
                for key, pending in chosen.items()
                if pending.fresh and pending.entry is not None
            }
            taken = await self._members.take(list(chosen), known, self._client.endpoint)
            if taken.paused > 0 and self._client.limiter is None:
                # Limits a minute of its own wait for their turn, which the refusal put off.
                self._client.adaptive_limiter.heard(taken.paused)
            for key, pending in chosen.items():
                entry = taken.known.get(key)
                if key in taken.busy:
                    self._found[key] = True
                elif key in taken.ended:
                    self._found[key] = entry
                else:
                    self.held.add(key)
                    if entry is not None and entry.status == PENDING and not pending.fresh:
                        _go_on(pending, entry)
                    self._found[key] = None
        finally:
            self._taking = None

    async def release(self, flying: Iterable[str] = ()) -> None:
        """Give back what is held and was not asked to its end; `flying` others here still ask."""
        if self._taking is not None:
            with suppress(Exception):
                await asyncio.shield(self._taking)
        left = self.held - set(flying)
        self.held.clear()
        if left:
            await self._members.release(left)


def _go_on(pending: PendingCall, entry: Entry) -> None:
    """Go on where whoever asked a call before has left off."""
    if pending.entry is None or entry.attempts > pending.entry.attempts:
        pending.entry = entry
        pending.attempts = entry.attempts


async def wait_for_others(
    state: State, aside: Sequence[PendingCall], halt: asyncio.Event
) -> tuple[list[PendingCall], list[PendingCall]]:
    """Wait until some calls that other processes have in flight are so no more.

    Returns those, answered or given back, and the others; all of the latter when `halt` is set.
    """
    pause = _LOOK
    waiting = {pending.key: pending for pending in aside}
    while not halt.is_set():
        # In a thread of its own: the server may be far away, or gone for a while.
        busy = await asyncio.to_thread(state.members.still_busy, list(waiting))
        free = [pending for key, pending in waiting.items() if key not in busy]
        if free:
            return free, [pending for key, pending in waiting.items() if key in busy]
        with suppress(TimeoutError):
            async with asyncio.timeout(pause):
                await halt.wait()
        pause = min(_RARELY, pause * 1.5)
    return [], list(waiting.values())
