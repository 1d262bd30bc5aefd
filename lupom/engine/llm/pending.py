"""Calls while they are pending: what they say, what the ledger knows, what their requests are."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from lupom.engine.llm.answers import Progress, Tally
from lupom.engine.llm.providers.base import ProviderRequest
from lupom.engine.llm.rows_response import RowsResponse
from lupom.engine.llm.together import Together
from lupom.engine.llm.usage import Usage
from lupom.engine.state.ledger import INVALID, PENDING, Entry

if TYPE_CHECKING:
    from lupom.engine.llm.answers import Call
    from lupom.engine.llm.budget import Budget
    from lupom.engine.llm.client import Client
    from lupom.engine.llm.forecast import Asked
    from lupom.engine.llm.responses import RowResponse
    from lupom.engine.llm.verdict import Verdict


@dataclass(slots=True)
class PendingCall:
    """A call to ask: what it says, and what the ledger knows of it.

    `characters` is what it takes of its request's messages, as far as that is known; `attempts` are
    those that the ledger has, as far as this process knows.
    """

    key: str
    messages_hash: str
    call: Call
    entry: Entry | None
    fresh: bool = False
    characters: int | None = None
    attempts: int = 0

    def __post_init__(self) -> None:
        if self.entry is not None:
            self.attempts = self.entry.attempts

    @property
    def messages(self) -> Sequence[Mapping[str, str]]:
        return self.call.messages

    @property
    def response(self) -> RowResponse:
        return self.call.response

    @property
    def draw(self) -> int:
        return self.call.draw

    @property
    def together(self) -> Together | None:
        return self.call.together

    @property
    def row(self) -> Mapping[str, Any]:
        return self.call.row


@dataclass(slots=True)
class Outcome:
    """A call's end: its entry as the ledger has it, and the parsed value where it is 'ok'."""

    entry: Entry
    value: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class AskOptions:
    """How an ask is to be made; see `Gateway.ask`."""

    node: str
    run_id: str
    tally: Tally
    stop: threading.Event | None
    retry_invalid: bool
    before: Callable[[str, Sequence[Asked]], None] | None
    verdict: Verdict | None = None


@dataclass
class AskState:
    """One `ask` while it goes on.

    Attributes
    ----------
    weights : rows per key; the counts below are of rows.
    usage : what it took so far.
    own, borrowed : ends of calls it asked itself, and of calls somebody else was asking.
    halt : set when no further request may be sent; those in flight are awaited and recorded.
    failure : what ended it, if anything did.
    verdict : on the first answers; None where all are asked whatever comes back.
    budget : of these calls; None where that of the whole process counts.
    """

    node: str
    run_id: str
    weights: Mapping[str, int]
    own: dict[str, Outcome] = field(default_factory=dict)
    borrowed: dict[str, Entry] = field(default_factory=dict)
    failure: BaseException | None = None
    verdict: Verdict | None = None
    budget: Budget | None = None
    done: int = 0
    cached: int = 0
    invalid: int = 0
    usage: Usage = field(default_factory=Usage)
    halt: asyncio.Event = field(default_factory=asyncio.Event)

    def fail(self, error: BaseException) -> None:
        """Stop asking because of an error; the first one is the one reported."""
        if self.failure is None:
            self.failure = error
        self.halt.set()

    def count(self, key: str, status: str, *, cached: bool) -> None:
        """Take note of a call's end."""
        rows = self.weights[key]
        self.done += rows
        self.cached += rows if cached else 0
        self.invalid += rows if status == INVALID else 0
        if self.verdict is not None and self.verdict.note(invalid=status == INVALID):
            self.fail(self.verdict.error())

    def progress(self, total: int, *, priced: bool) -> Progress:
        """Return how far it is; its cost is known where the alias has a price."""
        return Progress(
            done=self.done,
            total=total,
            cached=self.cached,
            invalid=self.invalid,
            asked=len(self.own),
            usage=self.usage if priced else replace(self.usage, cost=None),
        )


def row_of(client: Client, asking: AskState, pending: PendingCall) -> dict[str, Any]:
    """Return what the ledger says of a call whatever comes back."""
    choice = pending.response.top_logprobs > 0
    return {
        "key": pending.key,
        "provider": str(client.identity.get("provider")),
        "model": str(client.identity.get("model")),
        "alias": client.alias,
        "node": asking.node,
        "run_id": asking.run_id,
        "messages_hash": pending.messages_hash,
        "schema_hash": pending.call.form.schema_hash,
        "parameters": client.keys.parameters_of_choice if choice else client.keys.parameters,
        "draw": pending.draw,
        "characters": characters_of(pending.messages)
        if pending.characters is None
        else pending.characters,
    }


def started(pending: PendingCall) -> tuple[Entry, list[dict[str, Any]]]:
    """Return the entry to go on with, and its tries in this round.

    The entry is as the ledger has it, or new; a fresh round forgets earlier tries.
    """
    entry = _entry(pending)
    return entry, [attempt for attempt in entry.history if not attempt.get("earlier")]


def _entry(pending: PendingCall) -> Entry:
    if pending.entry is None:
        return Entry(pending.key, PENDING, None, None, None, [], 0, 0, None, 0.0, 0, None)
    entry = pending.entry
    if pending.fresh:
        entry.history = [{**attempt, "earlier": True} for attempt in entry.history]
    entry.status = PENDING
    entry.probabilities = entry.missing_mass = None
    return entry


def request_of(
    client: Client,
    pending: PendingCall,
    tries: Sequence[Mapping[str, Any]],
    shared: tuple[int, ...] = (),
) -> ProviderRequest:
    """Make the request of the next attempt: the messages, then each invalid answer and its
    error."""
    messages = [dict(message) for message in pending.messages]
    for attempt in tries:
        # Providers refuse an empty answer in a conversation.
        messages.append({"role": "assistant", "content": attempt["text"] or "(nothing)"})
        messages.append({"role": "user", "content": correction(attempt["error"])})
    return made(client, messages, pending.response, pending.draw, shared)


def made(
    client: Client,
    messages: Sequence[Mapping[str, str]],
    response: RowResponse | RowsResponse,
    draw: int,
    shared: tuple[int, ...],
    rows: int = 1,
) -> ProviderRequest:
    """Make a request of messages; what an answer may take is allowed for each of its rows."""
    settings = client.settings
    return ProviderRequest(
        messages=messages,
        schema=response.schema,
        schema_name=response.name,
        temperature=settings.temperature,
        max_tokens=settings.max_tokens * rows,
        top_logprobs=response.top_logprobs if settings.logprobs else 0,
        seed=draw,
        extra=settings.extra,
        shared=shared,
    )


def characters_of(messages: Sequence[Mapping[str, str]]) -> int:
    return sum(len(message["content"]) for message in messages)


def correction(error: str) -> str:
    """Return what a model is told of its invalid answer."""
    return (
        f"That answer is not valid: {error}.\n"
        "Answer again with one JSON object that fits the schema, and nothing else."
    )


def clean(text: str) -> str:
    """Return text that UTF-8 can hold: halves of surrogate pairs become question marks."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")
