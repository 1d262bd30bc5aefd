"""OpenAI, and any address that speaks its interface."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from lupom.engine.project.providers import (
    AddressSettings,
    BatchedSettings,
    EmbeddingSettings,
    ModedSettings,
    Provides,
)

URL = "https://api.openai.com/v1"


class OpenAISettings(AddressSettings, ModedSettings, BatchedSettings):
    """OpenAI, and any address that speaks its chat completions."""

    provider: Literal["openai"]
    """Which interface is spoken."""

    needs: ClassVar[str] = "`OPENAI_API_KEY`, or nothing at a `base_url` of one's own"
    made_by: ClassVar[str] = "lupom.engine.llm.providers.openai:OpenAIProvider"
    gives_logprobs: ClassVar[bool] = True

    @property
    def cached_from(self) -> int:
        return 4096


class OpenAIEmbeddingSettings(AddressSettings, EmbeddingSettings):
    """OpenAI, and any address that speaks its embeddings."""

    provider: Literal["openai"]
    """Which interface is spoken."""

    needs: ClassVar[str] = "`OPENAI_API_KEY`, or nothing at a `base_url` of one's own"
    made_by: ClassVar[str] = "lupom.engine.llm.embedders:OpenAIEmbedder"

    def identity(self) -> dict[str, Any]:
        """Return what decides a text's vector: the address, too."""
        return {
            **{"provider": "openai", "base_url": (self.base_url or URL).rstrip("/")},
            **{"model": self.model, "dimensions": self.dimensions},
        }


PROVIDES = Provides(llms=OpenAISettings, embeddings=OpenAIEmbeddingSettings)
