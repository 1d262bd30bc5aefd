"""Calls asked by the batch: submitted by one run, collected by a later one, at half the price.

A batch is noted in the state before it is created, with a token it carries, so that a run killed at
any moment leaves none behind that nobody knows of. Answers go into the ledger as all others do; an
invalid one is asked again, with its error, in the next batch. Fewer calls than the alias's
`batch_minimum` are asked one by one instead, at the full price.
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar, cast

from lupom.engine.errors import WaitingError
from lupom.engine.llm.adaptive_rate_limiter import Halted
from lupom.engine.llm.asking_together import Row, receive_together, request_for
from lupom.engine.llm.booking import cost_of
from lupom.engine.llm.budget import Amount
from lupom.engine.llm.client import Client, size_of
from lupom.engine.llm.dispatcher import Dispatcher
from lupom.engine.llm.pending import AskState, PendingCall, request_of, row_of, started
from lupom.engine.llm.providers.base import BatchProvider, ProviderError, ProviderReply
from lupom.engine.llm.retry import send_with_retries
from lupom.engine.llm.together import requests_of
from lupom.engine.llm.turns import planned
from lupom.engine.llm.usage import Usage
from lupom.engine.llm.verdict import BATCH
from lupom.engine.project.providers import BatchedSettings
from lupom.engine.state.ledger import OK, PENDING

if TYPE_CHECKING:
    from lupom.engine.state import State

T = TypeVar("T")
# Answers recorded at once, so that they share commits.
_AT_ONCE = 500


class Batches:
    """Asks an alias's calls by the batch; on the gateway's loop only."""

    def __init__(self, state: State, dispatcher: Dispatcher) -> None:
        self._state = state
        self._dispatcher = dispatcher
        self._turns: dict[str, asyncio.Lock] = {}

    async def ask(
        self, client: Client, asking: AskState, pending_calls: Sequence[PendingCall]
    ) -> None:
        """Collect what has come back, submit what is not yet out.

        Where the alias is not asked by the batch (any more), nothing is submitted: what is out is
        collected, as it is paid for, and the rest is asked one by one.

        Fails the asking with WaitingError while calls are out, with BudgetError or LLMError as
        asking one by one does.
        """
        try:
            async with self._turns.setdefault(client.alias, asyncio.Lock()):
                await self._ask(client, asking, pending_calls)
        except Halted:
            return
        except Exception as error:
            asking.fail(error)

    async def _ask(
        self, client: Client, asking: AskState, pending_calls: Sequence[PendingCall]
    ) -> None:
        waiting = {pending.key: pending for pending in pending_calls}
        # Another node may have collected them while this one waited for its turn.
        for key, entry in self._state.lookup(waiting).items():
            if entry.status != PENDING and not waiting[key].fresh:
                asking.borrowed[key] = entry
                asking.count(key, entry.status, cached=True)
                del waiting[key]
        out: set[str] = set()
        batched = client.by_batch(True)
        for batch in self._state.open_batches(client.endpoint):
            out |= await self._collected(batched, asking, batch, waiting)
        rest = [i for key, i in waiting.items() if key not in out and key not in asking.own]
        if client.settings.by_batch and asking.verdict is not None and len(rest) > BATCH:
            rest = await self._first(client, asking, rest)
        few = rest
        if client.settings.by_batch:
            submitted, few = await self._submit_once(client, asking, rest)
            out |= submitted
        if few:
            await self._dispatcher.ask(client.by_batch(False), asking, few)
        count = sum(key in out for key in waiting)
        if count:
            raise WaitingError(f"{count} calls are out in a batch")

    async def _collected(
        self,
        client: Client,
        asking: AskState,
        batch: Mapping[str, Any],
        waiting: Mapping[str, PendingCall],
    ) -> set[str]:
        """Record what a batch brought back, unless another process is just doing so."""
        members, name = self._state.members, f"batch {batch['token']}"
        mine = {row["key"] for row in batch["calls"]} & set(waiting)
        if name in (await members.take([name], {})).busy:
            return mine
        try:
            still = self._state.open_batches(client.endpoint)
            if batch["token"] not in {one["token"] for one in still}:
                # It was collected a moment ago; a later ask finds the answers in the ledger.
                return mine
            return await self._collect(client, asking, batch, waiting)
        finally:
            await members.release([name])

    async def _submit_once(
        self, client: Client, asking: AskState, pending_calls: Sequence[PendingCall]
    ) -> tuple[set[str], list[PendingCall]]:
        """Submit what no other process submits, has submitted or has answered meanwhile.

        Returns as `_submit` does.
        """
        keys = {pending.key: pending for pending in pending_calls}
        known = {
            key: pending.entry.attempts
            for key, pending in keys.items()
            if pending.fresh and pending.entry is not None
        }
        if not keys:
            return set(), []
        taken = await self._state.members.take(list(keys), known)
        try:
            for key in taken.ended:
                entry = taken.known[key]
                asking.borrowed[key] = entry
                asking.count(key, entry.status, cached=True)
            out = taken.busy | (taken.held & self._state.batched(client.endpoint))
            rest = [pending for key, pending in keys.items() if key in taken.held - out]
            submitted, few = await self._submit(client, asking, rest)
        finally:
            await self._state.members.release(taken.held)
        return out | submitted, few

    async def _first(
        self, client: Client, asking: AskState, pending_calls: Sequence[PendingCall]
    ) -> list[PendingCall]:
        """Ask as many one by one as a verdict takes; returns the others, raises Halted on a bad
        one."""
        assert asking.verdict is not None
        missing = asking.verdict.missing()
        first: dict[str, PendingCall] = {}
        for members in requests_of(pending_calls):
            if len(first) < missing:
                first |= {pending.key: pending for pending in members}
        if first:
            await self._dispatcher.ask(client.by_batch(False), asking, list(first.values()))
        if asking.halt.is_set():
            raise Halted
        return [pending for pending in pending_calls if pending.key not in first]

    async def _collect(
        self,
        client: Client,
        asking: AskState,
        batch: Mapping[str, Any],
        waiting: Mapping[str, PendingCall],
    ) -> set[str]:
        """Record what a batch brought back; returns the keys that are still out."""
        provider = cast(BatchProvider, client.provider)
        calls = {row["key"]: row for row in batch["calls"]}
        records = _records(batch["calls"])
        token, batch_id = batch["token"], batch["batch_id"]
        if batch_id is None:
            # Killed between the note and the answer to it: it was created, or it was not.
            batch_id = await self._send(client, asking, token, lambda: provider.find_batch(token))
            if batch_id is None:
                await self._state.update_batch(token, status="lost")
                return set()
            await self._state.update_batch(token, batch_id=batch_id, status="out")
        found = await self._send(client, asking, token, lambda: provider.collect_batch(batch_id))
        if found.replies is None:
            return set(calls)
        failed: list[ProviderError] = []
        refused: list[PendingCall] = []

        passed = any(not isinstance(reply, ProviderError) for reply in found.replies.values())

        async def one(key: str, reply: ProviderReply | ProviderError) -> None:
            pending = waiting.get(key)
            if isinstance(reply, ProviderError) and reply.alone and passed:
                # Others of the batch passed, so it is this row's own fault.
                reply.refused = True
            asking.usage += Usage(requests=int(not isinstance(reply, ProviderError)))
            if key in records:
                pending_calls = [waiting.get(row["key"]) for row in records[key]]
                if not isinstance(reply, ProviderError):
                    await self._end_together(client, asking, pending_calls, records[key], reply)
                elif reply.refused:
                    refused.extend(pending for pending in pending_calls if pending is not None)
                else:
                    failed.append(reply)
            elif isinstance(reply, ProviderError) and (pending is None or not reply.refused):
                failed.append(reply)
            elif pending is None:
                await self._keep(client, calls.get(key), cast(ProviderReply, reply))
            else:
                await self._end(client, asking, pending, reply)

        replies = list(found.replies.items())
        for i in range(0, len(replies), _AT_ONCE):
            await asyncio.gather(*(one(*pair) for pair in replies[i : i + _AT_ONCE]))
        await self._state.update_batch(token, status="done")
        if found.error is not None:
            raise ProviderError(f"the batch {batch_id} failed: {found.error}")
        if failed and len(failed) == len(replies):
            # None of them got through, so the next batch would fare no better.
            raise failed[0]
        if refused:
            # In the next batch they would be refused again; at once they are asked by halves.
            await self._dispatcher.ask(client.by_batch(False), asking, refused)
        return set()

    async def _end(
        self,
        client: Client,
        asking: AskState,
        pending: PendingCall,
        reply: ProviderReply | ProviderError,
    ) -> None:
        entry, tries = started(pending)
        if isinstance(reply, ProviderError):
            outcome = await self._dispatcher.refuse(client, asking, pending, entry, reply)
        else:
            received = await self._dispatcher.receive(client, asking, pending, entry, tries, reply)
            if received is None:
                pending.entry, pending.fresh = entry, False
                return
            outcome = received
        asking.own[pending.key] = outcome
        asking.count(pending.key, outcome.entry.status, cached=False)

    async def _end_together(
        self,
        client: Client,
        asking: AskState,
        pending_calls: Sequence[PendingCall | None],
        calls: Sequence[Mapping[str, Any]],
        reply: ProviderReply,
    ) -> None:
        """Record the parts of a reply to rows that were asked together; None is of no row now."""
        rows = [
            None if pending is None else Row(pending, *started(pending))
            for pending in pending_calls
        ]
        parts = await receive_together(self._dispatcher, client, asking, rows, reply)
        for row, call, part in zip(rows, calls, parts, strict=True):
            if row is None and part.text and not part.unclear:
                await self._keep(client, call, part)
            elif row is not None and not row.ended:
                row.pending.entry, row.pending.fresh = row.entry, False

    async def _keep(
        self, client: Client, row: Mapping[str, Any] | None, reply: ProviderReply
    ) -> None:
        """Record an answer nobody asks for any more, since its prompt was changed meanwhile.

        It was paid for, and if the prompt is changed back it is there.
        """
        known = {} if row is None else self._state.statuses([row["key"]])
        if row is None or known.get(row["key"], PENDING) != PENDING:
            return
        cost = cost_of(client.settings.paid, reply)
        await self._state.record(
            {
                **row,
                **{"status": OK, "answer": reply.text, "error": None, "history": "[]"},
                **{"probabilities": None, "missing_mass": None, "latency": 0.0, "attempts": 1},
                **{"tokens_in": reply.tokens_in, "tokens_out": reply.tokens_out, "cost": cost},
                "repaired": reply.repaired,
            }
        )

    async def _submit(
        self, client: Client, asking: AskState, pending_calls: Sequence[PendingCall]
    ) -> tuple[set[str], list[PendingCall]]:
        """Submit calls; returns the keys of those that are out, and those too few for a batch."""
        provider = cast(BatchProvider, client.provider)
        out: set[str] = set()
        for part in self._parts(client, pending_calls):
            if len(part) < client.settings.least_batch:
                return out, [pending for record in part for pending in record.pending_calls]
            if asking.halt.is_set():
                raise Halted
            lines = [record.text for record in part]
            most = Amount(
                sum(record.most.tokens for record in part),
                sum(record.most.money for record in part),
            )
            budget = self._dispatcher.budget
            if budget is not None:
                await budget.hold(most, asking.halt)
            token = secrets.token_hex(8)
            try:
                await self._state.begin_batch(
                    token,
                    **{"endpoint": client.endpoint, "alias": client.alias, "node": asking.node},
                    **{"run_id": asking.run_id, "tokens": most.tokens, "money": most.money},
                    calls=[row for record in part for row in record.calls(client, asking)],
                )
            finally:
                if budget is not None:
                    # Nothing of it comes back in this run.
                    budget.settle(most, most)
            submit = self._submitting(provider, lines, token)
            batch_id = await self._send(client, asking, token, submit)
            await self._state.update_batch(token, batch_id=batch_id, status="out")
            out |= {pending.key for record in part for pending in record.pending_calls}
        return out, []

    def _parts(
        self, client: Client, pending_calls: Sequence[PendingCall]
    ) -> Iterator[list[_Record]]:
        """Yield requests as records with the most they may take, as many as fit one batch."""
        provider = cast(BatchProvider, client.provider)
        limits = cast(BatchedSettings, client.settings)
        part: list[_Record] = []
        size = 0
        for asked in planned(pending_calls, 0):
            members = asked.pending_calls
            if members[0].together is None:
                request = request_of(client, members[0], started(members[0])[1])
            else:
                request = request_for(client, [Row(i, *started(i)) for i in members], asked)
            name = _name_of(members)
            text = provider.batch_line(name, request)
            if part and (len(part) == limits.most_requests or size + len(text) > limits.most_bytes):
                yield part
                part, size = [], 0
            part.append(
                _Record(name, members, text, client.most(size_of(request), request.max_tokens))
            )
            size += len(text)
        if part:
            yield part

    @staticmethod
    def _submitting(
        provider: BatchProvider, lines: Sequence[str], token: str
    ) -> Callable[[], Awaitable[str]]:
        tried = False

        async def submit() -> str:
            # A first try may have created it and lost the answer on the way.
            nonlocal tried
            found = await provider.find_batch(token) if tried else None
            tried = True
            return found or await provider.submit_batch(lines, token)

        return submit

    async def _send(
        self, client: Client, asking: AskState, name: str, action: Callable[[], Awaitable[T]]
    ) -> T:
        return await send_with_retries(
            action,
            client.adaptive_limiter,
            asking.halt,
            name=name,
            retries=client.settings.max_retries,
            backoff=client.backoff,
        )


@dataclass(frozen=True, slots=True)
class _Record:
    """A request of a batch: its name there, the calls it asks, its line, the most it may take."""

    name: str
    pending_calls: Sequence[PendingCall]
    text: str
    most: Amount

    def calls(self, client: Client, asking: AskState) -> list[dict[str, Any]]:
        """Return what the state notes of its calls; of several, which record they are in."""
        rows = [row_of(client, asking, pending) for pending in self.pending_calls]
        if self.pending_calls[0].together is None:
            return rows
        return [{**row, "record": self.name} for row in rows]


def _name_of(pending_calls: Sequence[PendingCall]) -> str:
    if len(pending_calls) == 1:
        return pending_calls[0].key
    return hashlib.sha256("".join(pending.key for pending in pending_calls).encode()).hexdigest()


def _records(calls: Sequence[Mapping[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """Return the calls that were asked together by the name of their record, in their order."""
    found: dict[str, list[dict[str, Any]]] = {}
    for call in calls:
        if "record" in call:
            row = {name: value for name, value in call.items() if name != "record"}
            found.setdefault(call["record"], []).append(row)
    return found
