"""Calls as they go into the gateway, and answers as they come out of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from lupom.engine.llm.responses import InvalidAnswer, RowResponse
from lupom.engine.llm.rows_response import RowsResponse
from lupom.engine.llm.together import Together, Written
from lupom.engine.llm.usage import Usage
from lupom.engine.state.ledger import INVALID, OK, Entry


@dataclass(frozen=True, slots=True)
class Call:
    """One question to an LLM: chat messages, what may come back, and which draw of it this is.

    With `together` it is one of several rows that may share a request: `row` are its columns, and
    `messages` those of the request that asks it alone.
    """

    messages: Sequence[Mapping[str, str]]
    response: RowResponse
    draw: int = 0
    together: Together | None = None
    row: Mapping[str, Any] = field(default_factory=dict)

    @property
    def rows(self) -> int:
        """A call is of one row; a request may be of several."""
        return 1

    @property
    def alone(self) -> int:
        """Characters of the request that asks it alone."""
        return sum(len(message["content"]) for message in self.messages)

    @property
    def form(self) -> RowResponse | RowsResponse:
        """What comes back to the request that asks it alone."""
        return self.response if self.together is None else self.response.labelled


@dataclass(slots=True)
class Answer:
    """The end of a call.

    Attributes
    ----------
    status : 'ok' or 'invalid' (quarantined: no valid answer after the last attempt).
    value : the validated answer; None when invalid.
    probabilities : of a choice's options, where the provider gives them; they sum to 1.
    missing_mass : the probability of anything but an option, before that.
    tokens_in, tokens_out, cost : of all attempts; USD; None is unknown.
    cached : it was in the ledger, or is the answer of an equal call, and cost nothing now.
    text : what the model wrote last.
    """

    key: str
    status: str
    value: dict[str, Any] | None
    probabilities: dict[str, float] | None = None
    missing_mass: float | None = None
    error: str | None = None
    tokens_in: int | None = 0
    tokens_out: int | None = 0
    cost: float | None = None
    cached: bool = False
    text: str | None = None


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an ask is, in rows.

    `asked` calls have ended that it made itself; `usage` is what it spent.
    """

    done: int
    total: int
    cached: int
    invalid: int
    asked: int = 0
    usage: Usage = field(default_factory=Usage)


class Tally:
    """The progress of an ask over all the aliases it goes through.

    Attributes
    ----------
    reopened : rows that had no valid answer and are asked of another alias.
    """

    def __init__(self, total: int, told: Callable[[Progress], None] | None) -> None:
        self._told = told
        self._ended = self._last = Progress(0, total, 0, 0)
        self.reopened = 0

    def report(self, now: Progress) -> None:
        """Pass on how far the alias being asked is; its counts are of its own rows."""
        ended = self._ended
        self._last = Progress(
            done=ended.done + now.done,
            total=ended.total,
            cached=ended.cached + now.cached,
            invalid=ended.invalid + now.invalid,
            asked=ended.asked + now.asked,
            usage=ended.usage + now.usage,
        )
        if self._told is not None:
            self._told(self._last)

    def reopen(self, rows: int, cached: int) -> None:
        """Take note that rows, so many of them from the ledger, go to another alias."""
        last = self._last
        self.reopened = rows
        self._ended = replace(
            last,
            done=last.done - rows,
            cached=last.cached - cached,
            invalid=last.invalid - rows,
        )

    def settle(self) -> None:
        """Take note that what was asked so far stays as it is: other rows are next."""
        self.reopened, self._ended = 0, self._last


@dataclass(slots=True)
class Unanswered:
    """What an ask would have to ask: rows without an end, and the requests for them by alias.

    A row whose answer is invalid at one alias waits for that alias's fallback. Of the rows, `out`
    wait for a batch: their calls are made already. `invalid` rows have ended without an answer.
    """

    rows: int = 0
    out: int = 0
    invalid: int = 0
    calls: dict[str, list[Written]] = field(default_factory=dict)

    @property
    def count(self) -> int:
        return sum(len(calls) for calls in self.calls.values())


def counts(keys: Iterable[str]) -> dict[str, int]:
    """Return how often each key is there."""
    found: dict[str, int] = {}
    for key in keys:
        found[key] = found.get(key, 0) + 1
    return found


def in_order(keys: Sequence[str], answers: Mapping[str, Answer]) -> list[Answer | None]:
    """Return an answer per key; of equal calls the later ones cost nothing."""
    out: list[Answer | None] = []
    seen: set[str] = set()
    for key in keys:
        answer = answers.get(key)
        out.append(replace(answer, cached=True) if answer is not None and key in seen else answer)
        seen.add(key)
    return out


def from_ledger(entry: Entry, response: RowResponse) -> Answer:
    """Return a kept answer, read by the response class as it is today."""
    answer = answer_of(entry, None, cached=True)
    if entry.status != OK:
        return answer
    try:
        answer.value = response.parse(entry.answer or "")
    except InvalidAnswer as error:
        # The class has got stricter since. It was paid for, so it is not asked again by itself.
        return replace(
            answer, status=INVALID, error=error.message, probabilities=None, missing_mass=None
        )
    return answer


def answer_of(entry: Entry, value: dict[str, Any] | None, *, cached: bool) -> Answer:
    """Return the answer that an entry is."""
    return Answer(
        key=entry.key,
        status=entry.status,
        value=value,
        probabilities=entry.probabilities,
        missing_mass=entry.missing_mass,
        error=entry.error,
        tokens_in=entry.tokens_in,
        tokens_out=entry.tokens_out,
        cost=entry.cost,
        cached=cached,
        text=entry.answer,
    )
