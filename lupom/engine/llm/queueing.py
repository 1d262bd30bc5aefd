"""Calls that a run leaves to workers: put into the ledger's queue, and waited for."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from lupom.engine.errors import BudgetError, LLMError
from lupom.engine.llm.pending import AskState, Outcome, PendingCall
from lupom.engine.llm.responses import InvalidAnswer
from lupom.engine.llm.turns import planned
from lupom.engine.llm.usage import Usage
from lupom.engine.state.ledger import INVALID, OK, PENDING, Entry
from lupom.engine.state.queue import BUDGET, QueuedCall

if TYPE_CHECKING:
    from lupom.engine.llm.budget import Budget
    from lupom.engine.llm.client import Client
    from lupom.engine.state import State

# Calls of one ask in the queue at a time: what is not yet in it can still be thought better of.
_MOST = 2000
# Seconds between two looks at the queue: at first, and at most.
_LOOK, _RARELY = 0.1, 1.0
# Seconds without a worker before the run says so.
_PATIENCE = 5.0
# Tries that a call has failed with before it is taken for the provider's fault, of more workers as
# many as there are: each tries it once before one does again.
_FAILURES = 3
# Seconds since the last call's end after which that is held to be so.
_GIVE_UP = 60.0


def content_of(client: Client, pending: PendingCall, group: str | None) -> str:
    """Return what a worker has to know of a call, as JSON.

    `group` names those it may be asked together with.
    """
    call = pending.call
    content: dict[str, Any] = {
        "messages": [dict(message) for message in call.messages],
        "draw": call.draw,
        "class": call.response.name,
        "class_hash": call.response.source_hash,
        "limits": call.response.limits,
        "endpoint": client.endpoint,
    }
    if call.together is not None:
        content |= {"group": group, "most": call.together.most, "row": dict(call.row)}
    return json.dumps(content, ensure_ascii=True, default=_plain)


def _plain(value: Any) -> Any:
    return value.tolist() if hasattr(value, "tolist") else str(value)


class Queueing:
    """Has workers ask calls; on the gateway's loop only."""

    def __init__(self, state: State, note: Callable[[str], None]) -> None:
        self._state = state
        self._note = note
        self._told: set[str] = set()
        self.budget: Budget | None = None

    async def ask(
        self, client: Client, asking: AskState, pending_calls: Sequence[PendingCall]
    ) -> None:
        """Put calls into the queue, and wait until workers have asked them.

        Fails the asking with LLMError where several workers could not ask a call, with BudgetError
        where the budget is reached.
        """
        try:
            await self._ask(client, asking, pending_calls)
        except Exception as error:
            asking.fail(error)

    async def _ask(
        self, client: Client, asking: AskState, pending_calls: Sequence[PendingCall]
    ) -> None:
        queue, loop = self._state.queue, asyncio.get_running_loop()
        if self.budget is not None and (limits := self.budget.of_run) is not None:
            await queue.limit(asking.run_id, *limits)
        groups: dict[int, str] = {}
        waiting: deque[PendingCall] = deque()
        for request in planned(pending_calls, client.cached_from):
            waiting += request.pending_calls
        out: dict[str, PendingCall] = {}
        pause, alone_since = _LOOK, loop.time()
        ended_at: float | None = None
        while waiting or out:
            if asking.halt.is_set() and (waiting or out):
                waiting.clear()
                await queue.withdraw(list(out))
            new = self._next(asking, waiting, len(out))
            if new:
                rows = [self._queued(client, asking, pending, groups) for pending in new]
                await queue.put(asking.run_id, rows)
                out |= {pending.key: pending for pending in new}
            # In threads of their own: the server may be far away, or gone for a while.
            left = await asyncio.to_thread(queue.waiting, list(out))
            gone = {key: pending for key, pending in out.items() if key not in left}
            if gone:
                found = await asyncio.to_thread(self._state.lookup, list(gone))
                for key, pending in gone.items():
                    del out[key]
                    entry = found.get(key)
                    if entry is not None and _ended(pending, entry):
                        self._end(asking, pending, entry)
                    elif not asking.halt.is_set():
                        # Another run had put it in, and took it out.
                        waiting.appendleft(pending)
                pause, ended_at = _LOOK, loop.time()
            # While others can ask, a worker that cannot is no reason to end the run.
            idle = ended_at is None or loop.time() - ended_at > _GIVE_UP
            self._look_at_failures(asking, left, idle)
            if out and not any(one.leased for one in left.values()):
                if asking.halt.is_set():
                    # It has just failed: nobody waits for these any more.
                    await queue.withdraw(list(out))
                    return
                alone_since = await self._look_for_workers(client, alone_since)
            else:
                alone_since = loop.time()
            if out and not gone:
                with suppress(TimeoutError):
                    async with asyncio.timeout(pause):
                        if asking.halt.is_set():
                            await asyncio.sleep(pause)
                        await asking.halt.wait()
                pause = min(_RARELY, pause * 1.5)

    def _next(self, asking: AskState, waiting: deque[PendingCall], out: int) -> list[PendingCall]:
        """Return the calls that go into the queue now: before a verdict no more than it takes."""
        new: list[PendingCall] = []
        while waiting and out + len(new) < _MOST:
            if asking.verdict is not None and not asking.verdict.may_send(1):
                break
            new.append(waiting.popleft())
        return new

    def _queued(
        self, client: Client, asking: AskState, pending: PendingCall, groups: dict[int, str]
    ) -> QueuedCall:
        group = None
        if pending.together is not None:
            # One object for each set of rows: it lives as long as these calls do.
            group = groups.setdefault(id(pending.together), f"{asking.run_id} {len(groups)}")
        return QueuedCall(
            pending.key,
            client.alias,
            asking.node,
            content_of(client, pending, group),
            pending.fresh,
            0 if pending.entry is None else pending.entry.attempts,
        )

    def _end(self, asking: AskState, pending: PendingCall, entry: Entry) -> None:
        before = pending.entry
        value: Mapping[str, Any] | None = None
        if entry.status == OK:
            try:
                value = pending.response.parse(entry.answer or "")
            except InvalidAnswer as error:
                entry.status, entry.error = INVALID, error.message
        tokens_in, tokens_out, cost = entry.tokens_in, entry.tokens_out, entry.cost
        cached, attempts = entry.tokens_cached, entry.attempts
        if before is not None:
            tokens_in = _less(tokens_in, before.tokens_in)
            tokens_out = _less(tokens_out, before.tokens_out)
            cost = None if cost is None else cost - (before.cost or 0.0)
            cached, attempts = cached - before.tokens_cached, attempts - before.attempts
        asking.usage += Usage(tokens_in, tokens_out, cost, cached, requests=attempts)
        asking.own[pending.key] = Outcome(entry, None if value is None else dict(value))
        asking.count(pending.key, entry.status, cached=False)

    def _look_at_failures(self, asking: AskState, left: Mapping[str, Any], idle: bool) -> None:
        for one in left.values():
            if one.error is None or asking.halt.is_set():
                continue
            if one.error.startswith(BUDGET):
                message = one.error.removeprefix(BUDGET)
                if self.budget is not None:
                    self.budget.reached = self.budget.reached or message
                asking.fail(BudgetError(message))
            elif idle and one.failures >= max(_FAILURES, one.workers):
                asking.fail(LLMError(f"workers tried {one.failures} times: {one.error}"))
            else:
                self._say(f"A worker could not ask: {one.error}")

    async def _look_for_workers(self, client: Client, since: float) -> float:
        """Say, where nobody asks anything for a while, that there is no worker, or what it says."""
        now = asyncio.get_running_loop().time()
        if now - since < _PATIENCE:
            return since
        workers = await asyncio.to_thread(self._state.queue.workers)
        if not workers:
            self._say(
                "No worker is alive, so the calls wait. Start one in a checkout of this project, on"
                " any machine: lupom worker (with this run's --target)"
            )
        for worker in workers:
            if worker["message"]:
                self._say(f"Worker {worker['place']}: {worker['message']}")
        return now

    def _say(self, text: str) -> None:
        if text not in self._told:
            self._told.add(text)
            self._note(text)


def _ended(pending: PendingCall, entry: Entry) -> bool:
    known = pending.entry.attempts if pending.fresh and pending.entry is not None else -1
    return entry.status != PENDING and entry.attempts != known


def _less(one: int | None, other: int | None) -> int | None:
    return None if one is None or other is None else one - other
