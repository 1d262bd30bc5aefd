"""What requests begin with in common: where cache points stand, and which request goes first.

Requests in the order of their texts have the tree of their common beginnings in them: what
neighbours share is the deepest, what the first and the last share is common to all. A beginning is
worth a point where at least two requests have it and it goes on long enough beyond the last one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

Messages = Sequence[Mapping[str, str]]
# Providers take four points in a request.
MOST_POINTS = 4
# Characters from one point to the next, about 250 tokens: writing costs a quarter more than
# reading anew, and beginnings that two texts share by accident are short.
STEP = 1000


@dataclass(frozen=True, slots=True)
class Start:
    """How a request begins.

    Attributes
    ----------
    points : places in characters over all its messages, ascending, each the end of a beginning
        that another request has.
    group : number of the requests that share the longest of them; None where there is none.
    """

    points: tuple[int, ...] = ()
    group: int | None = None


def starts(requests: Sequence[Messages], least: int) -> list[Start]:
    """Return how each of some requests begins, in their order: that of their texts.

    Beginnings of fewer than `least` characters are of no use. Points stand where a line ends, so
    that no word falls apart into other tokens.
    """
    count = len(requests)
    out = [Start()] * count
    if least <= 0 or count < 2 or all(_length(request) < least for request in requests):
        return out
    near = [common(requests[i], requests[i + 1]) for i in range(count - 1)]
    groups = 0
    # Ranges of requests with the points that all of them have, from the outermost inwards.
    waiting: list[tuple[int, int, tuple[int, ...], int | None]] = [(0, count - 1, (), None)]
    while waiting:
        first, last, points, group = waiting.pop()
        if first == last:
            out[first] = Start(points[:MOST_POINTS], group)
            continue
        depth = min(near[first:last])
        place = line_end(requests[last], depth)
        before = points[-1] if points else 0
        enough = STEP if points else 1
        if place >= least and place - before >= enough and len(points) < MOST_POINTS:
            points, group = (*points, place), groups
            groups += 1
        begin = first
        for i in range(first, last):
            if near[i] == depth:
                waiting.append((begin, i, points, group))
                begin = i + 1
        waiting.append((begin, last, points, group))
    return out


def _length(request: Messages) -> int:
    return sum(len(message["content"]) for message in request)


def common(one: Messages, other: Messages) -> int:
    """Return how many characters, over all messages, two requests begin with alike."""
    shared = 0
    for mine, theirs in zip(one, other, strict=False):
        if mine["role"] != theirs["role"]:
            break
        text, text_ = mine["content"], theirs["content"]
        if text == text_:
            shared += len(text)
            continue
        return shared + _alike(text, text_)
    return shared


def _alike(one: str, other: str) -> int:
    """Return how many characters two texts begin with alike, by halving: comparing is quick."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        if one[low:middle] == other[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def line_end(messages: Messages, place: int) -> int:
    """Return the last end of a line, or of a message, up to a place; 0 where there is none."""
    before = 0
    for message in messages:
        text = message["content"]
        if place >= before + len(text):
            before += len(text)
            continue
        cut = text.rfind("\n", 0, place - before) + 1
        return before + cut
    return before
