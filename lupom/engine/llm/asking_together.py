"""One request after another until each of several rows has its answer.

Each reply is committed row by row before the next request: what is valid is kept, and only the
other rows are asked again, in a smaller request.
"""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from lupom.engine.llm.adaptive_rate_limiter import Halted
from lupom.engine.llm.pending import (
    AskState,
    Outcome,
    PendingCall,
    characters_of,
    correction,
    made,
    started,
)
from lupom.engine.llm.providers.base import ProviderError, ProviderReply, ProviderRequest
from lupom.engine.llm.providers.endpoint import is_of_limit
from lupom.engine.llm.rows_response import RowsResponse, label_of
from lupom.engine.llm.together import shared_out, split
from lupom.engine.llm.turns import Request, part_of
from lupom.engine.state.ledger import INVALID, Entry

if TYPE_CHECKING:
    from lupom.engine.llm.client import Client

MISSING = "it is missing from the answer"


class Recorder(Protocol):
    """What sends a request, and records what came of it: the dispatcher, as it is needed here."""

    def replied(
        self, client: Client, asking: AskState, request: ProviderRequest, name: str
    ) -> AbstractAsyncContextManager[ProviderReply]:
        """Send a request within budget and rate limits until it has a reply, to be recorded
        within."""
        ...

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
        """Record a reply; None where it is not valid and attempts are left."""
        ...

    async def refuse(
        self,
        client: Client,
        asking: AskState,
        pending: PendingCall,
        entry: Entry,
        error: ProviderError,
    ) -> Outcome:
        """Record a call that the provider will never answer."""
        ...

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
        ...

    async def record(
        self, client: Client, asking: AskState, pending: PendingCall, entry: Entry
    ) -> Entry | None:
        """Write a call to the ledger as it stands; returns what stands instead, if anything."""
        ...

    def end(self, asking: AskState, pending: PendingCall, outcome: Outcome) -> None:
        """Take note of the end of a call, and tell whoever waits for it."""
        ...


@dataclass(slots=True)
class Row:
    """A row while it is asked: its entry, its tries in this round, and whether it has its end."""

    pending: PendingCall
    entry: Entry
    tries: list[dict[str, Any]]
    ended: bool = False


async def ask_together(
    dispatcher: Recorder, client: Client, asking: AskState, asked: Request
) -> None:
    """Ask rows until each has a valid answer or no attempts left.

    Rows without a valid answer are asked again together. Where a reply had none at all, or the
    request was refused (too long, filtered), they are asked by halves: something in one row must
    not cost the others their answers.
    """
    rows = [Row(pending, *started(pending)) for pending in asked.pending_calls]
    waiting: deque[list[Row]] = deque([rows])
    round_ = 0
    while waiting:
        group = [row for row in waiting.popleft() if not row.ended]
        for row in group:
            if len(row.tries) >= client.settings.attempts:
                # Left pending by a run with more attempts than there are now.
                row.entry.status = INVALID
                await dispatcher.record(client, asking, row.pending, row.entry)
                _end(dispatcher, asking, row, Outcome(row.entry, None))
        group = [row for row in group if not row.ended]
        if not group:
            continue
        if asking.halt.is_set() and round_:
            raise Halted
        round_ += 1
        request = request_for(client, group, part_of(asked, [row.pending for row in group]))
        begun = asyncio.get_running_loop().time()
        try:
            async with dispatcher.replied(
                client, asking, request, f"{group[0].pending.key}/{round_ - 1}"
            ) as reply:
                taken = asyncio.get_running_loop().time() - begun
                for row in group:
                    row.entry.latency += taken
                await receive_together(dispatcher, client, asking, group, reply)
        except ProviderError as error:
            if is_of_limit(error.message) and len(group) > 1 and client.limit_per_row:
                # No model's own limit is a multiple of what one row is allowed.
                client.limit_per_row = False
                waiting.appendleft(group)
                continue
            if not error.refused:
                for row in rows:
                    # Should they be asked again, their tries so far are not forgotten.
                    row.pending.entry, row.pending.fresh = row.entry, False
                raise
            if len(group) > 1:
                waiting.extend(_halves(group))
            else:
                row = group[0]
                outcome = await dispatcher.refuse(client, asking, row.pending, row.entry, error)
                _end(dispatcher, asking, row, outcome)
            continue
        left = [row for row in group if not row.ended]
        if left:
            none = len(left) == len(group) and len(left) > 1
            waiting.extend(_halves(left) if none else [left])


async def receive_together(
    dispatcher: Recorder,
    client: Client,
    asking: AskState,
    group: Sequence[Row | None],
    reply: ProviderReply,
) -> list[ProviderReply]:
    """Record each row's part of a reply, and return the parts; None is a row nobody asks for now.

    Rows it has a valid answer to, or which have no attempts left, have ended then.
    """
    replies = shared_out(reply, [None if row is None else row.pending.response for row in group])
    # What lies behind the cut of a reply that others fitted into is not the row's fault.
    found = [part for part in replies if part.text and part.text != reply.text]
    cut = reply.finish_reason == "length" and bool(found)

    async def one(row: Row | None, part: ProviderReply) -> None:
        if row is None:
            return
        if cut and not part.text:
            dispatcher.pay(client, asking, row.pending, row.entry, row.tries, part)
            await dispatcher.record(client, asking, row.pending, row.entry)
            return
        missing = part.unclear or (None if part.text else MISSING)
        outcome = await dispatcher.receive(
            client, asking, row.pending, row.entry, row.tries, part, missing=missing
        )
        if outcome is not None:
            _end(dispatcher, asking, row, outcome)

    # At once, so that they share a commit.
    ends = await asyncio.gather(
        *(one(row, part) for row, part in zip(group, replies, strict=True)), return_exceptions=True
    )
    for end in ends:
        if isinstance(end, BaseException):
            raise end
    return replies


def request_for(client: Client, group: Sequence[Row], asked: Request) -> ProviderRequest:
    """Make the request for rows: its messages, then what was invalid in their last answers."""
    pending_calls = asked.pending_calls
    messages = list(asked.messages)
    shares = split(characters_of(messages), len(pending_calls))
    for pending, share in zip(pending_calls, shares, strict=True):
        if pending.characters is None:
            pending.characters = share
    last = [(label_of(i), row.tries[-1]) for i, row in enumerate(group) if row.tries]
    if last:
        messages += _corrected(last)
    response = RowsResponse([pending.response for pending in pending_calls])
    rows = len(pending_calls) if client.limit_per_row else 1
    return made(client, messages, response, pending_calls[0].draw, asked.shared, rows)


def _corrected(last: Sequence[tuple[str, Mapping[str, Any]]]) -> list[dict[str, str]]:
    """Return the turns that show rows' invalid answers, and what is wrong with each."""
    parts: dict[str, Any] = {}
    whole: dict[str, None] = {}
    for label, attempt in last:
        text = attempt["text"]
        try:
            parts[label] = json.loads(text)
        except ValueError:
            if text:
                whole[text] = None
    said = [*whole, *([json.dumps(parts, ensure_ascii=False)] if parts else [])]
    wrong = "; ".join(f"{label}: {attempt['error']}" for label, attempt in last)
    return [
        {"role": "assistant", "content": "\n".join(said) or "(nothing)"},
        {"role": "user", "content": correction(wrong)},
    ]


def _halves(group: list[Row]) -> list[list[Row]]:
    middle = (len(group) + 1) // 2
    return [group[:middle], group[middle:]]


def _end(dispatcher: Recorder, asking: AskState, row: Row, outcome: Outcome) -> None:
    row.ended = True
    dispatcher.end(asking, row.pending, outcome)
