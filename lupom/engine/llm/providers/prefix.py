"""Messages as blocks of text with cache points between them, as Claude and Converse take them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from lupom.engine.llm.providers.base import ProviderRequest

# English has about four characters to a token.
_PER_TOKEN = 4
_NEW_NAME = re.compile(r"(opus|sonnet|haiku)-(\d{1,2})(?!\d)(?:-(\d{1,2})(?!\d))?")


def cached_from(model: str) -> int:
    """Return the length in characters from which a model caches what requests begin with.

    By the minima that Anthropic and AWS publish: 1,024 tokens for most models, 2,048 for Haiku
    before 4.5 and for Sonnet from 4.6 on, 4,096 for Haiku and Opus from 4.5 on. A point that is
    too early is passed over by the provider and costs nothing.
    """
    name = model.lower()
    tokens = 1024
    found = _NEW_NAME.search(name)
    if found is not None:
        version = int(found[2]), int(found[3] or 0)
        if found[1] == "sonnet":
            tokens = 2048 if version >= (4, 6) else 1024
        else:
            tokens = 4096 if version >= (4, 5) else 1024
    elif "haiku" in name:
        tokens = 2048
    return tokens * _PER_TOKEN


def _places_of(request: ProviderRequest, texts: Sequence[tuple[str, str]]) -> list[tuple[int, int]]:
    """Return the message and the place in it of each of a request's cache points.

    None where messages were put together differently, so that places are no more what they were.
    """
    if not request.shared or len(texts) != len(request.messages):
        return []
    out: list[tuple[int, int]] = []
    for point in request.shared:
        left = point
        for i, (_, text) in enumerate(texts):
            if left <= len(text):
                out.append((i, left))
                break
            left -= len(text)
    return list(dict.fromkeys(out))


def in_blocks(
    request: ProviderRequest,
    texts: Sequence[tuple[str, str]],
    lasts: str | bool,
    kind: str,
    blocks: Callable[[str, Sequence[int], Mapping[str, Any]], list[dict[str, Any]]],
) -> dict[str, Any]:
    """Return `messages`, and `system` where there is one, with cache points at what is shared.

    Parameters
    ----------
    texts : role and text of each message as it is sent.
    lasts : how long beginnings are cached, '5m' or '1h' (True: the provider's own); False: not.
    kind : of a cache point, as the provider calls it.
    blocks : makes the blocks of a text, given the places of cache points in it and what each is.
    """
    places = _places_of(request, texts) if lasts else []
    point = {"type": kind, **({"ttl": "1h"} if lasts == "1h" else {})}
    system: list[dict[str, Any]] = []
    messages: list[dict[str, Any]] = []
    for i, (role, text) in enumerate(texts):
        made = blocks(text, [cut for message, cut in places if message == i], point)
        if role == "system":
            system += made
        else:
            messages.append({"role": role, "content": made})
    return {"system": system, "messages": messages} if system else {"messages": messages}


def pieces_of(text: str, cuts: Sequence[int]) -> list[tuple[str, bool]]:
    """Return the pieces of a text between cache points, and whether a point follows each."""
    out: list[tuple[str, bool]] = []
    before = 0
    for cut in cuts:
        if cut > before:
            out.append((text[before:cut], True))
            before = cut
    if before < len(text) or not out:
        out.append((text[before:], False))
    return out
