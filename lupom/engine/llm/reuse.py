"""What requests that begin alike leave to a provider's prompt cache, before they are made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from lupom.engine.llm.prefixes import starts

if TYPE_CHECKING:
    from lupom.engine.project.settings import LLMSettings

# Providers that say what of a prompt came from their cache whenever it did, and are told points.
TOLD = ("anthropic", "bedrock")


class Said(Protocol):
    @property
    def messages(self) -> Sequence[Mapping[str, str]]: ...


@dataclass(frozen=True, slots=True)
class Reuse:
    """Shares of the characters of requests: read from the cache at best, and put into it."""

    read: float = 0.0
    written: float = 0.0


def cached_from(settings: LLMSettings) -> int:
    """Return the characters from which an alias's provider caches beginnings; 0 for none known."""
    model = settings.model or ""
    if settings.provider == "openai":
        return 4096
    if settings.provider not in TOLD or not settings.prompt_cache:
        return 0
    if settings.provider == "bedrock" and settings.batch:
        # Records of its jobs have no cache points.
        return 0
    from lupom.engine.llm.providers import prefix

    if settings.provider == "bedrock":
        from lupom.engine.llm.providers.bedrock import start_of

        if not start_of(model).cache:
            return 0
    return prefix.cached_from(model)


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
