"""Messages for models that take fewer kinds of them: no system's, or one turn only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence


def without_system(messages: Sequence[Mapping[str, str]]) -> list[Mapping[str, str]]:
    """Put what the system is told before what the user says first."""
    told = [message["content"] for message in messages if message["role"] == "system"]
    rest = [message for message in messages if message["role"] != "system"]
    if not told or not rest:
        return list(messages)
    first = {**rest[0], "content": "\n\n".join([*told, rest[0]["content"]])}
    return [first, *rest[1:]]


def in_one_turn(messages: Sequence[Mapping[str, str]]) -> list[Mapping[str, str]]:
    """Put a conversation into one message of the user; the system's stays apart."""
    system = [message for message in messages if message["role"] == "system"]
    rest = [message for message in messages if message["role"] != "system"]
    if len(rest) < 2:
        return list(messages)
    said = [
        f"You answered:\n{message['content']}"
        if message["role"] == "assistant"
        else message["content"]
        for message in rest
    ]
    return [*system, {**rest[0], "content": "\n\n".join(said)}]
