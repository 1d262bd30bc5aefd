"""What a package needs to add a provider of LLMs or of embeddings: docs/providers.md.

Imports neither DuckDB nor any client: a project that names the provider imports this, and the
module of its settings, whenever it is opened.
"""

from __future__ import annotations

from lupom.engine.llm.providers.base import (
    BatchProvider,
    Collected,
    Embedder,
    Provider,
    ProviderError,
    ProviderReply,
    ProviderRequest,
    Surroundings,
    TokenLogprobs,
)
from lupom.engine.project.providers import (
    AddressSettings,
    BatchedSettings,
    EmbeddingSettings,
    LLMSettings,
    ModedSettings,
    Price,
    Provides,
)

__all__ = [
    "AddressSettings",
    "BatchProvider",
    "BatchedSettings",
    "Collected",
    "Embedder",
    "EmbeddingSettings",
    "LLMSettings",
    "ModedSettings",
    "Price",
    "Provider",
    "ProviderError",
    "ProviderReply",
    "ProviderRequest",
    "Provides",
    "Surroundings",
    "TokenLogprobs",
]
