"""Messages for models that take fewer kinds of them: no system's, or one turn only."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from lupom.engine.llm.providers.capabilities import Capabilities

# Complaints about kinds of messages: chat templates', and Google's of Gemma.
_OF_SYSTEM = re.compile(r"system|developer instruction")
_OF_TURNS = re.compile(r"\broles?\b|alternat|assistant|multi-?turn")


def with_fewer(capabilities: Capabilities, about: str, roles: Sequence[str]) -> bool:
    """Do without the system's message, or without more than one turn, as a complaint wants it.

    `roles` are those of the messages that were sent, the system's among them. False where the
    complaint is not about them, or nothing is left to do without.
    """
    of_system = _OF_SYSTEM.search(about) is not None
    if not of_system and _OF_TURNS.search(about) is None:
        return False
    if "system" in roles:
        capabilities.system = False
        return True
    if len(roles) > 1 and not of_system:
        capabilities.turns = False
        return True
    return False


def as_taken(
    messages: Sequence[Mapping[str, str]], capabilities: Capabilities
) -> Sequence[Mapping[str, str]]:
    """Return messages in the form that an endpoint takes."""
    messages = messages if capabilities.turns else in_one_turn(messages)
    return messages if capabilities.system else without_system(messages)


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
