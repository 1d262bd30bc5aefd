"""wordllama's vectors of words, in this process."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from lupom.engine.project.providers import EmbeddingSettings, Provides

MODEL, SIZE = "l2_supercat", 256


class WordllamaSettings(EmbeddingSettings):
    """wordllama's vectors, in this process."""

    provider: Literal["wordllama"]
    """Which interface is spoken."""

    made_by: ClassVar[str] = "lupom.engine.llm.wordllama:embed_here"
    needs_model: ClassVar[bool] = False
    in_process: ClassVar[bool] = True

    def identity(self) -> dict[str, Any]:
        """Return what decides a text's vector: the version, too, as its words may change."""
        from importlib.metadata import version

        return {
            **{"provider": "wordllama", "version": version("wordllama"), "model": MODEL},
            "dimensions": self.dimensions or SIZE,
        }


PROVIDES = Provides(embeddings=WordllamaSettings)
