"""Where a prompt cache should begin to differ: the end of what all requests have in common."""

from __future__ import annotations

from collections.abc import Sequence

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
