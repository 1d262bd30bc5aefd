"""A worker: leases calls of the queue, asks them as a run would, and records what comes back."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from lupom.engine.errors import BudgetError, LupomError
from lupom.engine.llm.budget import Budget, SharedPot
from lupom.engine.llm.pending import AskState, PendingCall
from lupom.engine.state.members import WORKER

if TYPE_CHECKING:
    from lupom.engine.llm.client import Client
    from lupom.engine.llm.dispatcher import Dispatcher
    from lupom.engine.state import State

# Seconds between two looks at an empty queue: at first, and at most.
_LOOK, _RARELY = 0.1, 1.0
# Seconds between two looks whether a place has become free.
_FULL = 0.05
# Seconds for which a worker takes no calls of an LLM that it could not ask.
_SULK = 15.0


class Refused(LupomError):
    """Calls that are not for this worker: its checkout reads their answers otherwise."""


# Makes a call of what the queue says of it; raises Refused.
Maker = Callable[[Mapping[str, Any]], PendingCall]


@dataclass(slots=True)
class Served:
    """What a worker has done: calls that it asked to their end, and those that others had ended."""

    asked: int = 0
    invalid: int = 0
    failed: int = 0


@dataclass
class Worker:
    """Serves the queue; on the gateway's loop only.

    Parameters
    ----------
    clients : by alias, of those it asks.
    project_limits : tokens and USD that the project may spend; None is none.
    note : told of what goes otherwise than it should, a line each.
    idle_exit : seconds without a call after which it ends; None is never.
    """

    state: State
    dispatcher: Dispatcher
    clients: Mapping[str, Client]
    make: Maker
    concurrency: int
    project_limits: tuple[int | None, float | None] | None = None
    note: Callable[[str], None] = lambda _text: None
    idle_exit: float | None = None
    served: Served = field(default_factory=Served)
    halt: asyncio.Event = field(default_factory=asyncio.Event)
    _refused: set[str] = field(default_factory=set)
    _failed: set[str] = field(default_factory=set)
    _told: set[str] = field(default_factory=set)
    _sulking: dict[str, float] = field(default_factory=dict)
    _budgets: dict[str, Budget | None] = field(default_factory=dict)
    _askings: list[AskState] = field(default_factory=list)
    _out: int = 0

    async def serve(self) -> Served:
        """Ask calls until there are none for a while, or `halt` is set.

        Then what is in flight is awaited and recorded, and leases of the rest are given back.
        """
        loop = asyncio.get_running_loop()
        await asyncio.to_thread(self.state.members.join, WORKER)
        tasks: set[asyncio.Task[None]] = set()
        pause, idle_since = _LOOK, loop.time()
        try:
            while not self.halt.is_set():
                rows = await self._lease(loop.time())
                for part in self._groups(rows):
                    tasks.add(asyncio.ensure_future(self._ask(part)))
                if rows:
                    pause = _LOOK
                if self._out:
                    idle_since = loop.time()
                elif self.idle_exit is not None and loop.time() - idle_since >= self.idle_exit:
                    break
                tasks = await self._rest(tasks, pause if not rows else 0.0)
                pause = min(_RARELY, pause * 1.5)
        finally:
            for asking in self._askings:
                asking.halt.set()
            if tasks:
                await asyncio.wait(tasks)
        for task in tasks:
            task.result()
        return self.served

    async def _rest(
        self, tasks: set[asyncio.Task[None]], seconds: float
    ) -> set[asyncio.Task[None]]:
        """Wait until a task is done, or for some seconds; returns the others."""
        halted = asyncio.ensure_future(self.halt.wait())
        full = self._out >= self.concurrency
        done, _ = await asyncio.wait(
            {*tasks, halted},
            timeout=_FULL if full else seconds,
            return_when=asyncio.FIRST_COMPLETED,
        )
        halted.cancel()
        with suppress(asyncio.CancelledError):
            await halted
        for task in done & tasks:
            task.result()
        return tasks - done

    async def _lease(self, now: float) -> list[dict[str, Any]]:
        free = self.concurrency - self._out
        aliases = [name for name in self.clients if self._sulking.get(name, 0.0) <= now]
        if free <= 0 or not aliases:
            return []
        rows, taken = await self.state.queue.lease(free, aliases, self._refused, self._failed)
        for row in rows:
            row["entry"] = taken.known.get(row["key"])
        return rows

    def _groups(self, rows: Sequence[dict[str, Any]]) -> list[list[dict[str, Any]]]:
        """Return rows by run, node and alias; each call on its own where it is asked alone."""
        groups: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
        for row in rows:
            groups.setdefault((row["run_id"], row["node"], row["alias"]), []).append(row)
        self._out += len(rows)
        return list(groups.values())

    async def _ask(self, rows: Sequence[dict[str, Any]]) -> None:
        first = rows[0]
        client = self.clients[first["alias"]]
        asking = AskState(first["node"], first["run_id"], defaultdict(lambda: 1))
        keys = {row["key"] for row in rows}
        self._askings.append(asking)
        if self.halt.is_set():
            asking.halt.set()
        try:
            try:
                pending_calls = [self.make(row) for row in rows]
            except Refused as error:
                await self._refuse(first, keys, error)
                return
            asking.budget = await self._budget(first["run_id"])
            done = await self._watched(client, asking, pending_calls)
            await self._ended(first, client, asking, keys - done)
        finally:
            self._askings = [one for one in self._askings if one is not asking]

    async def _watched(
        self, client: Client, asking: AskState, pending_calls: Sequence[PendingCall]
    ) -> set[str]:
        """Ask calls; a place is free for another one as soon as one of them has its end."""
        asked = asyncio.ensure_future(self.dispatcher.ask(client, asking, pending_calls))
        freed = 0
        try:
            while True:
                done, _ = await asyncio.wait({asked}, timeout=_FULL)
                ended = len(asking.own) + len(asking.borrowed)
                self._out -= ended - freed
                freed = ended
                if done:
                    break
        finally:
            self._out -= len(pending_calls) - freed
        asked.result()
        self.served.asked += len(asking.own)
        self.served.invalid += asking.invalid
        if asking.borrowed:
            await self.state.queue.ended(list(asking.borrowed))
        return set(asking.own) | set(asking.borrowed)

    async def _ended(
        self, row: Mapping[str, Any], client: Client, asking: AskState, left: set[str]
    ) -> None:
        """Say of the calls that have no end why that is."""
        error = asking.failure
        if not left or error is None:
            return
        queue = self.state.queue
        if isinstance(error, BudgetError):
            self._budgets.pop(row["run_id"], None)
            await queue.over_budget(row["run_id"], error.message)
            self._say(f"Run {row['run_id']}: {error.message}")
            return
        if not isinstance(error, LupomError):
            raise error
        self.served.failed += len(left)
        self._sulking[client.alias] = asyncio.get_running_loop().time() + _SULK
        self._failed |= left
        await queue.failed(left, str(error))
        text = f"{client.where}: {error}"
        await queue.tell(text)
        self._say(text)

    async def _refuse(self, row: Mapping[str, Any], keys: set[str], error: Refused) -> None:
        self._out -= len(keys)
        self._refused.add(f"{row['run_id']} {row['node']}")
        await self.state.members.release(keys)
        await self.state.queue.tell(str(error))
        self._say(str(error))

    async def _budget(self, run_id: str) -> Budget | None:
        if run_id not in self._budgets:
            shared = []
            limits = await asyncio.to_thread(self.state.queue.limits, run_id)
            if limits is not None:
                tokens, money = limits
                pot = SharedPot(self.state, f"run {run_id}", "the run's budget", money, tokens)
                shared.append(pot)
            if self.project_limits is not None:
                tokens, money = self.project_limits
                named = "the project's budget"
                shared.append(SharedPot(self.state, "project", named, money, tokens))
            self._budgets[run_id] = Budget(shared=shared) if shared else None
        return self._budgets[run_id]

    def _say(self, text: str) -> None:
        if text not in self._told:
            self._told.add(text)
            self.note(text)
