"""Models on AWS, and Titan's embeddings there."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, ClassVar, Literal, Self

from pydantic import model_validator

from lupom.engine.project.providers import (
    AwsSettings,
    BatchedSettings,
    EmbeddingSettings,
    ModedSettings,
    Price,
    Provides,
)

# USD per million tokens, on demand, in us-east-1, as of November 2026; Anthropic asks the same.
HAIKU = {"input": 1.0, "output": 5.0, "cache_read": 0.1, "cache_write": 1.25}
SONNET = {"input": 3.0, "output": 15.0, "cache_read": 0.3, "cache_write": 3.75}


class BedrockSettings(AwsSettings, ModedSettings, BatchedSettings):
    """Claude, Mistral, Llama, Nova on AWS, through boto3's Converse."""

    provider: Literal["bedrock"]
    """Which interface is spoken."""
    batch_uri: str | None = None
    """s3://bucket/prefix for the files of batches."""
    batch_role: str | None = None
    """The role that reads and writes them."""
    prompt_cache: bool | Literal["5m", "1h"] = True
    """Mark what all prompts begin with, for as long."""

    needs: ClassVar[str] = "AWS credentials"
    made_by: ClassVar[str] = "lupom.engine.llm.providers.bedrock:BedrockProvider"
    overhead: ClassVar[int] = 600
    tells_cached: ClassVar[bool] = True
    # Bedrock's quota for most models.
    fewest: ClassVar[int] = 100
    # Claude by the youngest models that take a temperature and answer without thinking first, as a
    # prediction of one label wants. Mistral Large and Llama 3 as in the published ablation.
    ready: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "haiku": {"model": "global.anthropic.claude-haiku-4-5-20251001-v1:0", "price": HAIKU},
        "sonnet": {"model": "global.anthropic.claude-sonnet-4-6", "price": SONNET},
        "mistrallarge": {
            "model": "mistral.mistral-large-2402-v1:0",
            "price": {"input": 4.0, "output": 12.0},
        },
        "llama70b3": {
            "model": "meta.llama3-70b-instruct-v1:0",
            "price": {"input": 2.65, "output": 3.5},
        },
    }

    @property
    def cached_from(self) -> int:
        # Records of its jobs have no cache points.
        if self.batch or not self.prompt_cache:
            return 0
        from lupom.engine.llm.providers.bedrock_models import start_of
        from lupom.engine.llm.providers.prefix import cached_from

        model = self.model or ""
        return cached_from(model) if start_of(model).cache else 0

    @model_validator(mode="after")
    def _files_of_batches(self) -> Self:
        given = {"batch_uri": self.batch_uri, "batch_role": self.batch_role}
        for name, value in given.items():
            if self.batch and not value:
                raise ValueError(
                    f"'batch' of a bedrock alias needs '{name}': its files go through S3, where"
                    " Bedrock reads and writes them in a role"
                )
        if self.batch_uri and not re.fullmatch(r"s3://[^/]+(/.*)?", self.batch_uri):
            raise ValueError(f"'batch_uri' is '{self.batch_uri}'; s3://bucket/prefix is one")
        if self.batch_role and not self.batch_role.startswith("arn:"):
            raise ValueError(f"'batch_role' is '{self.batch_role}'; arn:aws:iam::...:role/... is")
        if self.batch and self.mode == "tools":
            raise ValueError("batches on Bedrock take no tools: 'mode' json_schema, json or auto")
        return self


class TitanSettings(AwsSettings, EmbeddingSettings):
    """Titan on AWS."""

    provider: Literal["bedrock"]
    """Which interface is spoken."""

    needs: ClassVar[str] = "AWS credentials"
    made_by: ClassVar[str] = "lupom.engine.llm.embedders:TitanEmbedder"
    needs_model: ClassVar[bool] = False

    # identity() names no region: the same model in another region is the same model.

    @model_validator(mode="after")
    def _by_default(self) -> Self:
        if not self.model:
            self.model = "amazon.titan-embed-text-v2:0"
            self.price = self.price or Price(input=0.02, output=0)
        return self


PROVIDES = Provides(llms=BedrockSettings, embeddings=TitanSettings)
