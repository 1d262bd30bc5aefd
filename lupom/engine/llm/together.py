"""Rows that are asked together: the request's messages and schema, and each row's part of a reply.

What rows have in common stands once in their request, and each has a label there (`r1`, `r2`, ...).
The answer is one object with a property per label. A row's key is that of the request which asks it
alone in this form, so it depends neither on the rows asked beside it nor on how many may be.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from lupom.engine.llm import tabled, unlabelled
from lupom.engine.llm.providers.base import ProviderReply, TokenLogprobs
from lupom.engine.llm.reading import after_thoughts
from lupom.engine.llm.rows_reply import UNLABELLED, Part, parts_of, spelled
from lupom.engine.llm.rows_response import RowsResponse, label_of

if TYPE_CHECKING:
    from lupom.engine.llm.responses import RowResponse

# What the template of such a prompt has besides columns, and what each of its rows has.
ROWS, LABEL, CHOICES = "rows", "label", "choices"


@dataclass(frozen=True, slots=True, eq=False)
class Together:
    """Rows that may share a request; one object for each set of them.

    `most` are asked in one request, whose messages `write` makes of the rows' columns and their
    responses.
    """

    most: int
    write: Callable[[Sequence[tuple[Mapping[str, Any], RowResponse]]], list[dict[str, str]]]


class Member(Protocol):
    """A row to ask: alone, or together with others."""

    @property
    def messages(self) -> Sequence[Mapping[str, str]]: ...

    @property
    def response(self) -> RowResponse: ...

    @property
    def draw(self) -> int: ...

    @property
    def together(self) -> Together | None: ...

    @property
    def row(self) -> Mapping[str, Any]: ...


M = TypeVar("M", bound=Member)


def labelled(
    rows: Sequence[tuple[Mapping[str, Any], RowResponse]],
) -> list[dict[str, Any]]:
    """Return a request's rows as its template has them: columns, label, a choice's choices."""
    out = []
    for place, (row, response) in enumerate(rows):
        given = {**row, LABEL: label_of(place)}
        if response.choices is not None:
            given[CHOICES] = response.choices
        out.append(given)
    return out


def requests_of(members: Sequence[M]) -> list[list[M]]:
    """Return what is asked in each request, in the order of the first row of each.

    A request has one draw, since that is its seed.
    """
    out: list[list[M]] = []
    open_: dict[tuple[int, int], list[M]] = {}
    for member in members:
        together = member.together
        if together is None:
            out.append([member])
            continue
        name = (id(together), member.draw)
        request = open_.get(name)
        if request is None or len(request) == together.most:
            request = open_[name] = []
            out.append(request)
        request.append(member)
    return out


def messages_of(members: Sequence[Member]) -> Sequence[Mapping[str, str]]:
    """Return the messages of a request; raises LupomError where the template fails."""
    first = members[0]
    if len(members) == 1 or first.together is None:
        return first.messages
    return first.together.write([(member.row, member.response) for member in members])


@dataclass(frozen=True, slots=True)
class Written:
    """A request as it is to be asked: of one row, or of several together.

    `alone` are the characters of the requests that would ask each row alone.
    """

    messages: Sequence[Mapping[str, str]]
    response: RowResponse | RowsResponse
    rows: int
    alone: int


def requests(members: Sequence[Member]) -> list[Written]:
    """Return the requests that ask rows."""
    return [_written(members) for members in requests_of(members)]


def _written(members: Sequence[Member]) -> Written:
    alone = sum(len(message["content"]) for m in members for message in m.messages)
    if members[0].together is None:
        return Written(members[0].messages, members[0].response, 1, alone)
    response = RowsResponse([member.response for member in members])
    return Written(messages_of(members), response, len(members), alone)


def shared_out(
    reply: ProviderReply, responses: Sequence[RowResponse | None]
) -> list[ProviderReply]:
    """Return each row's part of a reply as a reply of its own, in the rows' order.

    The response of a row is None where it is not known any more: its part is as it stands. Tokens
    are shared out so that their sums are the reply's. The text of a part that is missing is empty;
    where the reply has no part at all, each row has its whole text, which answers none of several.
    """
    labels = [label_of(i) for i in range(len(responses))]
    text, found = reply.text, {}
    for text in (reply.text, *reply.otherwise):
        found = parts_of(text, labels, responses, finished=reply.finish_reason in ("stop", ""))
        if found:
            break
    if not found and len(labels) > 1:
        text, found = reply.text, _unlabelled(reply.text, labels, responses)
    # One answer to several rows is none of theirs.
    nobody = "" if found or len(labels) == 1 or not reply.text else UNLABELLED
    missing = Part(None, "" if found else reply.text, unclear=nobody)
    parts: list[Part] = []
    tokens: list[Sequence[TokenLogprobs] | None] = []
    for label, response in zip(labels, responses, strict=True):
        part = found.get(label, missing).for_row(None if label not in found else response)
        parts.append(part)
        choice = response is not None and response.choices is not None
        tokens.append(_within(reply, part) if choice and text == reply.text else None)
    cached, stored = reply.tokens_cached, reply.tokens_written
    # One of them was refused, perhaps, and not all.
    refused = reply.refused and len(responses) > 1
    finish = "refused together" if refused else reply.finish_reason
    rows = len(responses)
    plain = None if reply.tokens_in is None else split(reply.tokens_in - cached - stored, rows)
    out = None if reply.tokens_out is None else split(reply.tokens_out, rows)
    read, put = split(cached, rows), split(stored, rows)
    return [
        ProviderReply(
            text=parts[i].text,
            tokens_in=None if plain is None else plain[i] + read[i] + put[i],
            tokens_out=None if out is None else out[i],
            finish_reason=finish,
            tokens=tokens[i],
            tokens_cached=read[i],
            tokens_written=put[i],
            repaired=parts[i].repaired,
            unclear=parts[i].unclear,
        )
        for i in range(len(responses))
    ]


def split(total: int, rows: int) -> list[int]:
    """Return whole numbers that add up to a total, as equal as can be, the larger ones first."""
    least, more = divmod(total, rows)
    return [least + (i < more) for i in range(rows)]


def _unlabelled(
    text: str, labels: Sequence[str], responses: Sequence[RowResponse | None]
) -> dict[str, Part]:
    """Return the parts of a reply that is no object of labels, where whose they are is certain."""
    fields = {name for one in responses if one is not None for name in one.schema["properties"]}
    table = tabled.rows_in(after_thoughts(text) or "", labels, fields)
    columns = zip(*(row.values() for row in table.values()), strict=True)
    if table and not any(_are_options(cells, responses) for cells in columns):
        return {label: spelled(row, True) for label, row in table.items()}
    said, sure = unlabelled.in_lines(text, labels)
    if said and (sure or not _are_options(list(said.values()), responses)):
        return {one: Part(None, it, repaired=True, in_words=True) for one, it in said.items()}
    ordered = unlabelled.in_order(text, labels, fields)
    if _are_options(list(ordered.values()), responses):
        return {}
    return {label: spelled(value, True) for label, value in ordered.items()}


def _are_options(values: Sequence[Any], responses: Sequence[RowResponse | None]) -> bool:
    """Tell whether a list without labels repeats all options, or their labels, in their order."""
    given = next((one.choices for one in responses if one is not None and one.choices), None)
    if given is None or len(given) < 3 or len(given) != len(values):
        return False
    return any([one[key] for one in given] == list(values) for key in ("label", "option"))


def _within(reply: ProviderReply, part: Part) -> list[TokenLogprobs] | None:
    """Return the tokens that a part is written in; None where they cannot be told."""
    if not reply.tokens or part.start is None:
        return None
    shift = "".join(token.token for token in reply.tokens).find(reply.text)
    if shift < 0:
        return None
    begin, end = part.start + shift, part.start + shift + len(part.text)
    out, place = [], 0
    for token in reply.tokens:
        after = place + len(token.token)
        if after > begin and place < end:
            out.append(token)
        place = after
    return out
