"""Endpoints that turn texts into vectors: OpenAI's interface, and Titan on Bedrock."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from lupom.engine.errors import LLMError
from lupom.engine.llm.providers import made_by
from lupom.engine.llm.providers.base import Embedder, ProviderError
from lupom.engine.llm.providers.endpoint import Endpoint
from lupom.engine.llm.token_counts import tokens_of

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from lupom.engine.llm.settings.bedrock import TitanSettings
    from lupom.engine.llm.settings.openai import OpenAIEmbeddingSettings
    from lupom.engine.project.providers import EmbeddingSettings


def make_embedder(settings: EmbeddingSettings) -> Embedder:
    """Make the embedder of an alias that is not in process; opens nothing yet.

    Raises LLMError where its package cannot be loaded.
    """
    made: Embedder = made_by(settings, "embeddings")(settings)
    return made


def embed_here(settings: EmbeddingSettings, texts: Sequence[str]) -> npt.NDArray[np.float32]:
    """Return the vectors of texts from an alias in this process, (n, dimensions) float32.

    Raises LLMError.
    """
    import numpy as np

    found = np.asarray(made_by(settings, "embeddings")(settings, texts), dtype=np.float32)
    if found.ndim != 2 or len(found) != len(texts):
        raise LLMError(
            f"embeddings of {settings.provider} are of shape {found.shape} for {len(texts)} texts"
        )
    return found


class OpenAIEmbedder:
    """Any address with OpenAI's embeddings; it takes 2,048 texts and 300,000 tokens a request."""

    batch, at_once = 128, 4

    def __init__(self, settings: OpenAIEmbeddingSettings) -> None:
        self._settings = settings
        self._endpoint = Endpoint("embeddings", settings)
        self.where = self._endpoint.url

    async def vectors(self, texts: Sequence[str]) -> tuple[list[bytes], int | None]:
        body: dict[str, Any] = {"model": self._settings.model, "input": list(texts)}
        if self._settings.dimensions:
            body["dimensions"] = self._settings.dimensions
        reply = await self._endpoint.post("/embeddings", body)
        self._endpoint.raise_fault(reply)
        try:
            data = sorted(reply["data"], key=lambda item: item["index"])
            found = [_vector(item["embedding"]) for item in data]
            if len(found) != len(texts):
                raise ValueError("count")
            usage = reply.get("usage")
            usage = usage if isinstance(usage, dict) else {}
            return found, tokens_of(usage.get("prompt_tokens") or usage.get("total_tokens")) or None
        except (KeyError, TypeError, ValueError):
            raise self._endpoint.error(
                "the body is not a list of embeddings", retryable=True
            ) from None

    async def close(self) -> None:
        await self._endpoint.close()


class TitanEmbedder:
    """Titan text embeddings on Bedrock, one text a request."""

    batch, at_once = 1, 8

    def __init__(self, settings: TitanSettings) -> None:
        from lupom.engine.llm.providers.aws import Runtime

        self._settings = settings
        self._runtime = Runtime(
            "embeddings", settings, threads=self.at_once, under="the embeddings alias"
        )
        self.where = f"Bedrock's {settings.model}"

    async def vectors(self, texts: Sequence[str]) -> tuple[list[bytes], int | None]:
        (text,) = texts
        # Titan refuses an empty text; a space means as little.
        body: dict[str, Any] = {"inputText": text or " "}
        if self._settings.dimensions:
            body["dimensions"] = self._settings.dimensions
        reply = await self._runtime.call(
            "invoke_model", body=json.dumps(body), contentType="application/json"
        )
        try:
            value = json.loads(reply["body"])
            return [_vector(value["embedding"])], tokens_of(
                value.get("inputTextTokenCount")
            ) or None
        except (KeyError, TypeError, ValueError):
            raise ProviderError("the body is not an embedding", retryable=True) from None

    async def close(self) -> None:
        await self._runtime.close()


def _vector(values: Any) -> bytes:
    """Return a vector's bytes; raises ValueError for anything but finite numbers in a row."""
    import numpy as np

    vector = np.asarray(values, dtype="<f4")
    if vector.ndim != 1 or not np.isfinite(vector).all():
        raise ValueError("shape")
    return vector.tobytes()
