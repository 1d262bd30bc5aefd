"""A GGUF model in this process."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal, Self

from pydantic import Field, model_validator

from lupom.engine.project.providers import LLMSettings, Price, Provides


class EmbeddedSettings(LLMSettings):
    """A GGUF model in this process; [SmolLM2](llms.md#the-embedded-model) comes with LUPoM."""

    provider: Literal["embedded"]
    """Which interface is spoken."""
    profile: Literal["capable", "small"] = "small"
    """Which prompts it is asked with: `small` those of `prompts/small/`."""
    model_path: str | None = None
    """A GGUF file; by default SmolLM2."""
    context: int = Field(default=4096, ge=256)
    """Tokens of context."""
    threads: int | None = Field(default=None, ge=1)
    """Threads of a worker."""

    needs: ClassVar[str] = "`lupom setup`"
    made_by: ClassVar[str] = "lupom.engine.llm.providers.embedded:EmbeddedProvider"
    needs_model: ClassVar[bool] = False
    gives_logprobs: ClassVar[bool] = True
    not_here: ClassVar[Mapping[str, str]] = {
        "base_url": "embedded runs in process; 'base_url' belongs to an openai alias"
    }

    @model_validator(mode="after")
    def _costs_nothing(self) -> Self:
        if self.price is None:
            self.price = Price(input=0, output=0)
        return self


PROVIDES = Provides(llms=EmbeddedSettings)
