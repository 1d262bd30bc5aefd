"""What requests that begin alike leave to a provider's prompt cache, before they are made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from lupom.engine.llm.prefixes import starts


class Said(Protocol):
    @property
    def messages(self) -> Sequence[Mapping[str, str]]: ...


@dataclass(frozen=True, slots=True)
class Reuse:
    """Shares of the characters of requests: read from the cache at best, and put into it."""

    read: float = 0.0
    written: float = 0.0


def reuse(requests: Sequence[Said], least: int) -> Reuse:
    """Return what requests can leave to the cache when each finds what earlier ones put there."""
    wholes = [("".join(m["content"] for m in r.messages), r.messages) for r in requests]
    wholes.sort(key=lambda pair: [message["content"] for message in pair[1]])
    characters = sum(len(whole) for whole, _ in wholes)
    if not least or not characters or all(len(whole) < least for whole, _ in wholes):
        return Reuse()
    seen: set[tuple[int, int]] = set()
    read = written = 0
    begun = starts([messages for _, messages in wholes], least)
    for (whole, _), start in zip(wholes, begun, strict=True):
        found = 0
        for point in start.points:
            mark = (point, hash(whole[:point]))
            if mark in seen:
                found = point
            seen.add(mark)
        read += found
        written += (start.points[-1] if start.points else 0) - found
    return Reuse(read / characters, written / characters)
