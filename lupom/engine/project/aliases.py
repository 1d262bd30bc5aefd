"""Aliases that are there without being declared; `llms:` may override each of their keys.

Prices are USD per million tokens, on demand, in us-east-1, as of November 2026. A price belongs to
its model: an alias with another model has no price until it is given one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# Claude by the youngest models that take a temperature and answer without thinking first, which is
# what a prediction of one label wants. Mistral Large and Llama 3 as in the published ablation.
_BEDROCK: dict[str, dict[str, Any]] = {
    "haiku": {
        "model": "global.anthropic.claude-haiku-4-5-20251001-v1:0",
        "price": {"input": 1.0, "output": 5.0, "cache_read": 0.1, "cache_write": 1.25},
    },
    "sonnet": {
        "model": "global.anthropic.claude-sonnet-4-6",
        "price": {"input": 3.0, "output": 15.0, "cache_read": 0.3, "cache_write": 3.75},
    },
    "mistrallarge": {
        "model": "mistral.mistral-large-2402-v1:0",
        "price": {"input": 4.0, "output": 12.0},
    },
    "llama70b3": {
        "model": "meta.llama3-70b-instruct-v1:0",
        "price": {"input": 2.65, "output": 3.5},
    },
}
_ANTHROPIC: dict[str, dict[str, Any]] = {
    "haiku": {"model": "claude-haiku-4-5-20251001", "price": _BEDROCK["haiku"]["price"]},
    "sonnet": {"model": "claude-sonnet-4-6", "price": _BEDROCK["sonnet"]["price"]},
}
_READY: dict[str, dict[str, dict[str, Any]]] = {"bedrock": _BEDROCK, "anthropic": _ANTHROPIC}
READY = tuple(_BEDROCK)


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
        provider = given.get("provider", "bedrock")
        ready = dict(_READY.get(provider, {}).get(name, {}))
        if given.get("model", ready.get("model")) != ready.get("model"):
            ready.pop("price", None)
        out[name] = {**ready, "provider": provider, **given}
    return out
