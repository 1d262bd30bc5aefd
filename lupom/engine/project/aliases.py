"""Aliases that are there without being declared; `llms:` may override each of their keys.

What is ready of one stands with its provider. A price belongs to its model: an alias with another
model has no price until it is given one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lupom.engine.project.providers import READY_AT, LLMSettings

READY = ("haiku", "sonnet", "mistrallarge", "llama70b3")


def with_ready(declared: Mapping[str, Any]) -> dict[str, Any]:
    """Return declared aliases completed by what is ready of them, and the ready ones not declared.

    An alias of a ready one's name is on Bedrock unless it says otherwise. What is malformed is left
    for whoever validates it.
    """
    out: dict[str, Any] = dict(declared)
    for name in READY:
        given = declared.get(name, {})
        if not isinstance(given, Mapping):
            continue
        provider = given.get("provider", READY_AT)
        ready = dict(_ready_of(provider).get(name, {}))
        if given.get("model", ready.get("model")) != ready.get("model"):
            ready.pop("price", None)
        out[name] = {**ready, "provider": provider, **given}
    return out


def _ready_of(provider: Any) -> Mapping[str, Mapping[str, Any]]:
    try:
        return LLMSettings.by_name(provider).ready
    except (KeyError, TypeError, ValueError):
        return {}
