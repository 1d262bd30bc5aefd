"""Whatever instructor speaks to."""

from __future__ import annotations

from typing import ClassVar, Literal, Self

from pydantic import field_validator, model_validator

from lupom.engine.project.providers import AddressSettings, LLMSettings, ModedSettings, Provides


class InstructorSettings(AddressSettings, ModedSettings, LLMSettings):
    """Google, Mistral, Groq, Cohere and
    [whatever instructor speaks to](llms.md#through-instructor)."""

    provider: Literal["instructor"]
    """Which interface is spoken."""
    model: str | None = None
    """Provider and model: 'google/gemini-2.5-flash'."""
    region: str | None = None
    """bedrock/...: by default AWS's own rules, else us-east-1."""

    needs: ClassVar[str] = "the provider's own package and key"
    made_by: ClassVar[str] = "lupom.engine.llm.providers.instructor:InstructorProvider"
    overhead: ClassVar[int] = 600

    @field_validator("model")
    @classmethod
    def _of_somebody(cls, model: str | None) -> str | None:
        from lupom.engine.llm.providers.backends import named

        if model is not None:
            named(model)
        return model

    @model_validator(mode="after")
    def _region_of_aws(self) -> Self:
        if self.region and not (self.model or "").startswith("bedrock/"):
            raise ValueError("'region' belongs to a bedrock alias")
        return self


PROVIDES = Provides(llms=InstructorSettings)
