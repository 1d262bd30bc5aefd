"""Messages as blocks of text, and where a prompt cache ends: with what all requests share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from lupom.engine.llm.providers.base import ProviderRequest

# Prompts whose common beginning is shorter are cached by no model (1,024 tokens at least).
CACHED_FROM = 4096


def place_of(request: ProviderRequest, texts: Sequence[tuple[str, str]]) -> tuple[int, int] | None:
    """Return the message and the place in it where what all requests share ends; None for too
    little.

    It ends where a line does, so that no word falls apart into other tokens.
    """
    left = request.shared
    if left < CACHED_FROM or len(texts) != len(request.messages):
        return None
    whole: tuple[int, int] | None = None
    for i, (_, text) in enumerate(texts):
        if left < len(text):
            cut = text.rfind("\n", 0, left) + 1
            return (i, cut) if cut else whole
        left -= len(text)
        whole = (i, len(text))
    return whole


def in_blocks(
    texts: Sequence[tuple[str, str]],
    place: tuple[int, int] | None,
    blocks: Callable[[str, int | None], list[dict[str, Any]]],
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return the system's blocks, and the messages with theirs.

    `blocks` makes those of a text, given the place in it where what is shared ends, if it does.
    """
    system: list[dict[str, Any]] = []
    messages: list[dict[str, Any]] = []
    for i, (role, text) in enumerate(texts):
        made = blocks(text, place[1] if place is not None and place[0] == i else None)
        if role == "system":
            system += made
        else:
            messages.append({"role": role, "content": made})
    return system, messages
