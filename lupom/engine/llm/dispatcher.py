"""One request after another until a call has its answer, and many calls at once.

Everything here runs on the gateway's event loop; nothing in it needs a lock.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

from lupom.engine.errors import BudgetError, LLMError, ModelError, WaitingError
from lupom.engine.llm.adaptive_rate_limiter import Halted
from lupom.engine.llm.asking_together import ask_together
from lupom.engine.llm.booking import book
from lupom.engine.llm.budget import Amount, Budget
from lupom.engine.llm.client import Client, size_of
from lupom.engine.llm.doubts import Doubts, Suspect
from lupom.engine.llm.leases import Leases, wait_for_others
from lupom.engine.llm.pending import (
    AskState,
    Outcome,
    PendingCall,
    clean,
    request_of,
    row_of,
    started,
)
from lupom.engine.llm.providers.base import ProviderError, ProviderReply, ProviderRequest
from lupom.engine.llm.responses import InvalidAnswer, Reading
from lupom.engine.llm.retry import send_with_retries
from lupom.engine.llm.together import messages_of
from lupom.engine.llm.turns import Request, Turns, part_of, planned
from lupom.engine.llm.usage import Usage
from lupom.engine.state.ledger import INVALID, OK, PENDING, Entry

if TYPE_CHECKING:
    from lupom.engine.state import State


class Dispatcher:
    """Asks calls, each once, however many threads and nodes want it."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._flying: dict[str, asyncio.Future[Entry | None]] = {}
        # Ends of calls while several asks are going on: one of them may have read the ledger
        # before another's answer was in it.
        self.recent: dict[str, Entry] = {}
        self.keep_recent = False
        self.budget: Budget | None = None

    async def ask(
        self, client: Client, asking: AskState, pending_calls: Sequence[PendingCall]
    ) -> None:
        """Ask calls in their order, as many requests at once as the alias allows.

        Calls that another process has in flight are put aside, and waited for when there is nothing
        else left to do.
        """
        rest: Sequence[PendingCall] = pending_calls
        aside: list[PendingCall] = []
        budget = asking.budget or self.budget
        while rest and not asking.halt.is_set():
            aside += await self._ask(client, asking, rest)
            rest = []
            if budget is not None:
                # Those who are waited for may wait for what this process has reserved.
                await budget.rest()
            if aside:
                rest, aside = await wait_for_others(self._state, aside, asking.halt)

    async def _ask(
        self, client: Client, asking: AskState, pending_calls: Sequence[PendingCall]
    ) -> list[PendingCall]:
        """Ask calls; returns those that another process has in flight."""
        requests = planned(pending_calls, client.cached_from)
        turns = Turns(requests, client.patient)
        doubts = Doubts(turns, answered=client.adaptive_limiter.successes > 0)
        places = min(len(requests), client.settings.concurrency)
        in_order = (pending for request in requests for pending in request.pending_calls)
        leases = Leases(self._state, in_order, places, client)
        aside: list[PendingCall] = []
        try:
            await asyncio.gather(
                *(self._work(client, asking, doubts, leases, aside) for _ in range(places))
            )
            if doubts.suspects and not asking.halt.is_set():
                await asyncio.gather(
                    *(self._judge(client, asking, doubts, suspect) for suspect in doubts.suspects)
                )
        finally:
            # What was recorded as ended is leased no more.
            leases.held.difference_update(
                key for key, outcome in asking.own.items() if outcome.entry.status != PENDING
            )
            await leases.release(self._flying)
        return aside

    async def _work(
        self,
        client: Client,
        asking: AskState,
        doubts: Doubts,
        leases: Leases,
        aside: list[PendingCall],
    ) -> None:
        clock = asyncio.get_running_loop().time
        while (request := await doubts.next(asking.halt)) is not None:
            try:
                if asking.verdict is not None:
                    await asking.verdict.turn(len(request.pending_calls), asking.halt)
                begun = clock()
                asked, busy = await self._end(client, asking, request, leases)
                if busy:
                    aside += busy
                    if asking.verdict is not None:
                        asking.verdict.put_aside(len(busy))
                if asked:
                    doubts.passed(begun)
            except Halted:
                return
            except ProviderError as error:
                left = [
                    i for i in request.pending_calls if i.key not in asking.own
                ] or request.pending_calls
                if not doubts.failed(part_of(request, left), error, clock()):
                    asking.fail(doubts.first(error))
                    return
                if asking.verdict is not None:
                    asking.verdict.put_aside(len(left))
            except Exception as error:
                asking.fail(error)
                return
            finally:
                doubts.ended(request)

    async def _judge(
        self, client: Client, asking: AskState, doubts: Doubts, suspect: Suspect
    ) -> None:
        """End a row whose request failed while others passed, or fail with its error.

        What may have been a passing trouble is asked once more.
        """
        pending, error = suspect.pending, suspect.error
        if pending.key in asking.own or pending.key in asking.borrowed:
            return
        try:
            if error.retryable:
                await self._end(client, asking, Request([pending], messages_of([pending])))
                return
        except Halted:
            return
        except ProviderError as again:
            error = again
        except Exception as other:
            asking.fail(other)
            return
        before = self._was_answered(client, asking)
        if error.broke_off or not doubts.is_own_fault(suspect, before=before):
            asking.fail(error)
            return
        outcome = await self.refuse(client, asking, pending, started(pending)[0], error)
        self.end(asking, pending, outcome)

    def _was_answered(self, client: Client, asking: AskState) -> bool:
        """Tell whether an earlier run had answers to this node from this alias."""
        model = str(client.identity.get("model"))
        taken = self._state.ledger.taken(
            node=asking.node, alias=client.alias, model=model, limit=20
        )
        return any(call.ok for call in taken)

    async def _end(
        self, client: Client, asking: AskState, request: Request, leases: Leases | None = None
    ) -> tuple[bool, list[PendingCall]]:
        """See to it that the calls of a request have their ends: others', or asked for here.

        Returns whether anything was asked, and the calls that another process has in flight.
        Without `leases` they are this process's already.
        """
        busy: list[PendingCall] = []
        asked = False
        if leases is not None and (free := self._free(request.pending_calls)):
            found = await leases.hold(free)
            busy = found.busy
            for pending, entry in found.ended:
                asking.borrowed[pending.key] = entry
                asking.count(pending.key, entry.status, cached=True)
        out = {pending.key for pending in busy} | set(asking.borrowed)
        pending_calls = [pending for pending in request.pending_calls if pending.key not in out]
        # While leases were waited for, another node may have begun to ask the same.
        if free := self._free(pending_calls):
            asked = True
            await self._own(client, asking, part_of(request, free))
        for pending in pending_calls:
            if pending.key not in asking.own:
                asked = True
                await self._borrow(client, asking, request, pending)
        return asked, busy

    def _free(self, pending_calls: Sequence[PendingCall]) -> list[PendingCall]:
        """Return the calls that nobody in this process asks, or asked a moment ago."""
        return [i for i in pending_calls if i.key not in self.recent and i.key not in self._flying]

    async def _borrow(
        self, client: Client, asking: AskState, request: Request, pending: PendingCall
    ) -> None:
        """Wait for the end of a call that somebody else asks, or asked a moment ago."""
        while True:
            entry = self.recent.get(pending.key)
            flying = self._flying.get(pending.key)
            if entry is None and flying is not None:
                # Somebody is asking this very call. If they stop, it is ours to ask.
                entry = await asyncio.shield(flying)
                if entry is None and asking.halt.is_set():
                    raise Halted
            elif entry is None:
                await self._own(client, asking, part_of(request, [pending]))
                return
            if entry is not None:
                asking.borrowed[pending.key] = entry
                asking.count(pending.key, entry.status, cached=True)
                return

    async def _own(self, client: Client, asking: AskState, request: Request) -> None:
        loop = asyncio.get_running_loop()
        pending_calls = request.pending_calls
        futures: dict[str, asyncio.Future[Entry | None]] = {}
        for pending in pending_calls:
            futures[pending.key] = self._flying[pending.key] = loop.create_future()
        try:
            async with client.semaphore:
                if asking.halt.is_set():
                    raise Halted
                if pending_calls[0].together is None:
                    self.end(asking, pending_calls[0], await self._asked(client, asking, request))
                else:
                    await ask_together(self, client, asking, request)
        finally:
            for key, future in futures.items():
                if not future.done():
                    del self._flying[key]
                    future.set_result(None)

    def end(self, asking: AskState, pending: PendingCall, outcome: Outcome) -> None:
        """Take note of the end of a call, and tell whoever waits for it."""
        asking.own[pending.key] = outcome
        asking.count(pending.key, outcome.entry.status, cached=False)
        if self.keep_recent:
            self.recent[pending.key] = outcome.entry
        future = self._flying.pop(pending.key, None)
        if future is not None:
            future.set_result(outcome.entry)

    async def _asked(self, client: Client, asking: AskState, asked: Request) -> Outcome:
        """Ask one call until it has a valid answer or no attempts are left.

        Each attempt is committed before the next one, so that after a crash at any moment nothing
        that had come back is asked again.
        """
        pending = asked.pending_calls[0]
        entry, tries = started(pending)
        loop = asyncio.get_running_loop()
        if len(tries) >= client.settings.attempts:
            # Left pending by a run with more attempts than there are now.
            entry.status = INVALID
            await self.record(client, asking, pending, entry)
            return Outcome(entry, None)
        while True:
            request = request_of(client, pending, tries, asked.shared)
            begun = loop.time()
            try:
                async with self.replied(
                    client, asking, request, f"{pending.key}/{len(tries)}"
                ) as reply:
                    entry.latency += loop.time() - begun
                    outcome = await self.receive(client, asking, pending, entry, tries, reply)
            except ProviderError as error:
                if not error.refused:
                    # Should it be asked again, its tries so far are not forgotten.
                    pending.entry, pending.fresh = entry, False
                    raise
                return await self.refuse(client, asking, pending, entry, error)
            if outcome is not None:
                return outcome
            if asking.halt.is_set():
                raise Halted

    async def refuse(
        self,
        client: Client,
        asking: AskState,
        pending: PendingCall,
        entry: Entry,
        error: ProviderError,
    ) -> Outcome:
        """Record a call that the provider will never answer."""
        entry.status, entry.error = INVALID, f"refused: {error.message}"
        standing = await self.record(client, asking, pending, entry)
        return Outcome(entry, None) if standing is None else _another(pending, standing)

    async def receive(
        self,
        client: Client,
        asking: AskState,
        pending: PendingCall,
        entry: Entry,
        tries: list[dict[str, Any]],
        reply: ProviderReply,
        *,
        missing: str | None = None,
    ) -> Outcome | None:
        """Record a reply; None where it is not valid and attempts are left.

        `missing` says why there is not an answer in it.
        """
        self.pay(client, asking, pending, entry, tries, reply)
        try:
            value = self._read(client, pending, entry, reply, missing)
        except ModelError:
            # The class is broken, not the answer: it is kept, and read again once it is fixed.
            entry.status, entry.error = OK, None
            await self.record(client, asking, pending, entry)
            raise
        if value is None:
            tries.append(entry.history[-1])
            if len(tries) >= client.settings.attempts or reply.refused:
                # A model that refuses is not asked again in the same words, nor past a filter.
                entry.status = INVALID
        standing = await self.record(client, asking, pending, entry)
        if standing is not None:
            return _another(pending, standing)
        return None if entry.status == PENDING else Outcome(entry, value)

    @asynccontextmanager
    async def replied(
        self, client: Client, asking: AskState, request: ProviderRequest, name: str
    ) -> AsyncIterator[ProviderReply]:
        """Send a request within budget and rate limits until it has a reply.

        What the request was promised of the budget is kept until the reply is recorded, which is to
        be done within.
        """
        budget, limiter = asking.budget or self.budget, client.limiter
        size, most = 0, Amount()
        if budget is not None or limiter is not None:
            size = size_of(request)
            most = client.most(size, request.max_tokens)
        if budget is not None:
            await budget.hold(most, asking.halt)
        reply: ProviderReply | None = None
        try:
            reply = await send_with_retries(
                partial(client.provider.complete, request),
                client.adaptive_limiter,
                asking.halt,
                name=name,
                retries=client.settings.max_retries,
                backoff=client.backoff,
                limiter=limiter,
                tokens=most.tokens,
            )
            asking.usage += Usage(requests=1)
            if limiter is not None:
                limiter.give_back(most.tokens - client.spent(size, reply).tokens)
            yield reply
        finally:
            if budget is not None:
                budget.settle(most, client.spent(size, reply))

    def _read(
        self,
        client: Client,
        pending: PendingCall,
        entry: Entry,
        reply: ProviderReply,
        missing: str | None,
    ) -> dict[str, Any] | None:
        """Put a reply into the entry; returns the value if it is valid."""
        text = clean(reply.text)
        entry.answer, entry.repaired = text, False
        try:
            if missing is not None:
                raise InvalidAnswer(missing)
            reading = pending.response.read(text, finished=reply.finish_reason in ("stop", ""))
        except InvalidAnswer as error:
            found = self._elsewhere(pending, reply)
            if found is None:
                entry.status, entry.error = PENDING, clean(_said(client, reply, error.message))
                entry.history.append({"text": text, "error": entry.error})
                return None
            entry.answer, reading = found
        entry.status, entry.error = OK, None
        entry.repaired = reading.repaired or reply.repaired
        read = pending.response.distribution(entry.answer, reply.tokens, reading)
        entry.probabilities, entry.missing_mass = read if read is not None else (None, None)
        return reading.value

    @staticmethod
    def _elsewhere(pending: PendingCall, reply: ProviderReply) -> tuple[str, Reading] | None:
        """Return the answer from where else a reply may have it, and its text."""
        for other in map(clean, reply.otherwise):
            try:
                ended = reply.finish_reason in ("stop", "")
                return other, pending.response.read(other, finished=ended)
            except InvalidAnswer:
                continue
        return None

    def pay(
        self,
        client: Client,
        asking: AskState,
        pending: PendingCall,
        entry: Entry,
        tries: Sequence[Mapping[str, Any]],
        reply: ProviderReply,
    ) -> None:
        """Count what a reply took."""
        book(client, asking, entry, reply, partial(_size, client, asking, pending, tuple(tries)))

    async def record(
        self, client: Client, asking: AskState, pending: PendingCall, entry: Entry
    ) -> Entry | None:
        """Write a call to the ledger as it stands; returns what stands instead, if anything."""
        since, pending.attempts = pending.attempts, entry.attempts
        return await self._state.record(
            {
                **row_of(client, asking, pending),
                "since": since,
                "status": entry.status,
                "answer": entry.answer,
                "probabilities": None
                if entry.probabilities is None
                else json.dumps(entry.probabilities, ensure_ascii=False),
                "missing_mass": entry.missing_mass,
                "history": json.dumps(entry.history, ensure_ascii=False) if entry.history else "[]",
                "tokens_in": entry.tokens_in,
                "tokens_out": entry.tokens_out,
                "tokens_cached": entry.tokens_cached,
                "tokens_written": entry.tokens_written,
                "cost": entry.cost,
                "latency": entry.latency,
                "attempts": entry.attempts,
                "error": entry.error,
                "repaired": entry.repaired,
                "counted_tokens": entry.counted_tokens,
                "counted_cost": entry.counted_cost,
            }
        )


def _another(pending: PendingCall, standing: Entry) -> Outcome:
    """Return the answer that another process has written first: both have the same table then."""
    try:
        return Outcome(standing, pending.response.parse(standing.answer or ""))
    except InvalidAnswer as error:
        standing.status, standing.error = INVALID, error.message
        return Outcome(standing, None)


def _size(
    client: Client, asking: AskState, pending: PendingCall, tries: Sequence[Mapping[str, Any]]
) -> int:
    """Return the bytes of a call's request; of one that others are in, about its part."""
    if pending.together is not None and pending.characters is not None:
        said = sum(len(attempt["text"]) + len(attempt["error"]) for attempt in tries)
        return pending.characters + len(pending.response.schema_text) + said
    return size_of(request_of(client, pending, tries))


def _said(client: Client, reply: ProviderReply, why: str) -> str:
    """Say why an answer is not valid, with how the model ended."""
    if reply.finish_reason == "length":
        return f"cut off at max_tokens={client.settings.max_tokens}: {why}"
    if reply.refused:
        why = reply.text.strip()[:200] or why
    return (
        why
        if reply.finish_reason in ("stop", "")
        else f"finished by '{reply.finish_reason}': {why}"
    )


def failure_of(client: Client, error: BaseException, kept: int, total: int) -> LLMError:
    """Return the error an ask ends with: where, why, and what is safe."""
    if isinstance(error, BudgetError | WaitingError):
        return type(error)(error.message, hint=error.hint)
    cause = error.message if isinstance(error, LLMError) else f"{type(error).__name__}: {error}"
    hint = error.hint if isinstance(error, LLMError) else None
    return LLMError(
        f"{client.where}: {cause}; {kept} of {total} answers are in the ledger and will not be"
        " asked again",
        hint=hint,
    )
