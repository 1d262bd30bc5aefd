"""Servers that refuse a part of a request, and how many requests it takes to find it out."""

from __future__ import annotations

from tests.support.odd_server import complaint

TEXTS = ["Person 1", "Person 2", "Person 3"]
GOOD = '{"text": "fine"}'


def while_it_has(name, reply):
    """Refuse requests that have a part."""
    return lambda _number, body: reply if name in body else GOOD


# What an endpoint does not take: found out by the first request.
PARTS = {
    "the limit of answered tokens has another name": (
        while_it_has("max_tokens", complaint(400, "Unrecognized argument: max_tokens")),
        *("ok", 4),
    ),
    "several parts named in one complaint": (
        lambda _n, body: (
            complaint(400, "Unsupported: temperature, max_tokens")
            if "temperature" in body or "max_tokens" in body
            else GOOD
        ),
        *("ok", 4),
    ),
    "a part it does not name": (
        while_it_has("temperature", complaint(400, "This endpoint is picky")),
        # Refused, refused without another part, answered.
        *("ok", 5),
    ),
    "system role not supported": (
        lambda _n, body: (
            complaint(400, "System role not supported")
            if body["messages"][0]["role"] == "system"
            else GOOD
        ),
        *("ok", 4),
    ),
    "roles must alternate": (
        lambda number, body: (
            complaint(500, "Conversation roles must alternate")
            if len(body["messages"]) > 2
            else "no idea"
            if "You answered" not in str(body["messages"])
            else GOOD
        ),
        # Three rows, each corrected once; refused with the system's message, and with turns.
        *("ok", 8),
    ),
}
