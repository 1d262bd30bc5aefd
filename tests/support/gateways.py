"""A gateway to a server on loopback, and the message it is asked."""

from __future__ import annotations

from lupom.engine.llm.gateway import Gateway
from lupom.engine.project.providers import llm_settings
from lupom.engine.state import State


def make_gateway(base_url: str | None, state: State, **settings) -> Gateway:
    """A gateway whose alias `default` is at `base_url` and which retries at once."""
    given = {"provider": "openai", "base_url": base_url, "model": "test-model", **settings}
    return Gateway(state, {"default": llm_settings(**given)}, backoff=0.001)


def user(text: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": text}]
