"""Claude at Anthropic."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from lupom.engine.llm.settings.bedrock import HAIKU, SONNET
from lupom.engine.project.providers import AddressSettings, LLMSettings, ModedSettings, Provides


class AnthropicSettings(AddressSettings, ModedSettings, LLMSettings):
    """Claude at Anthropic."""

    provider: Literal["anthropic"]
    """Which interface is spoken."""
    prompt_cache: bool | Literal["5m", "1h"] = True
    """Mark what all prompts begin with, for as long."""

    needs: ClassVar[str] = "`pip install 'lupom[anthropic]'`, `ANTHROPIC_API_KEY`"
    made_by: ClassVar[str] = "lupom.engine.llm.providers.anthropic:AnthropicProvider"
    overhead: ClassVar[int] = 600
    tells_cached: ClassVar[bool] = True
    ready: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "haiku": {"model": "claude-haiku-4-5-20251001", "price": HAIKU},
        "sonnet": {"model": "claude-sonnet-4-6", "price": SONNET},
    }

    @property
    def cached_from(self) -> int:
        if not self.prompt_cache:
            return 0
        from lupom.engine.llm.providers.prefix import cached_from

        return cached_from(self.model or "")


PROVIDES = Provides(llms=AnthropicSettings)
