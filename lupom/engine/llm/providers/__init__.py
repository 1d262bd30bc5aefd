"""Providers of language models, made from an alias's settings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lupom.engine.errors import LLMError
from lupom.engine.llm.providers.base import ALONE, Provider, Surroundings
from lupom.engine.project.providers import code_of

if TYPE_CHECKING:
    from lupom.engine.project.providers import LLMSettings, ProviderSettings


def make_provider(alias: str, settings: LLMSettings, around: Surroundings = ALONE) -> Provider:
    """Make the provider an alias names, importing only that one.

    Opens no connection and loads no weights: that waits for the first `complete` or `check`.
    Raises LLMError.
    """
    made: Provider = made_by(settings, f"llm '{alias}'")(alias, settings, around)
    return made


def made_by(settings: ProviderSettings, whose: str) -> Any:
    """Return what the settings' class names as the code of its provider; raises LLMError."""
    try:
        return code_of(settings)
    except ValueError as error:
        raise LLMError(f"{whose}: {error}") from error
