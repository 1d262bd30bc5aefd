"""Providers of language models, made from an alias's settings."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from lupom.engine.errors import LLMError
from lupom.engine.llm.providers.base import Provider

if TYPE_CHECKING:
    from lupom.engine.llm.providers.capabilities import Memory
    from lupom.engine.project.settings import LLMSettings


def make_provider(
    alias: str,
    settings: LLMSettings,
    *,
    cache_dir: Path | None = None,
    memory: Memory | None = None,
) -> Provider:
    """Make the provider an alias names, importing only that one.

    Opens no connection and loads no weights: that waits for the first `complete` or `check`.
    `cache_dir` is where an embedded provider keeps converted weights, `memory` where it is kept
    how an endpoint takes requests. Raises LLMError.
    """
    if settings.provider == "openai":
        from lupom.engine.llm.providers.openai import OpenAIProvider

        return OpenAIProvider(alias, settings, memory)
    if settings.provider == "embedded":
        from lupom.engine.llm.providers.embedded import EmbeddedProvider

        return EmbeddedProvider(alias, settings, cache_dir=cache_dir)
    if settings.provider == "bedrock":
        from lupom.engine.llm.providers.bedrock import BedrockProvider

        return BedrockProvider(alias, settings, memory)
    if settings.provider == "anthropic":
        from lupom.engine.llm.providers.anthropic import AnthropicProvider

        return AnthropicProvider(alias, settings, memory)
    if settings.provider == "instructor":
        from lupom.engine.llm.providers.instructor import InstructorProvider

        return InstructorProvider(alias, settings, memory)
    raise LLMError(
        f"llm '{alias}': unknown provider '{settings.provider}'",
        hint="known: openai, embedded, bedrock, anthropic, instructor",
    )
