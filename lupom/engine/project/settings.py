"""What lupom_project.yml may say, as Pydantic models."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator


class Strict(BaseModel):
    """A settings block in which an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", protected_namespaces=())


class Price(Strict):
    """Price of an LLM in USD per million tokens."""

    input: float = Field(ge=0)
    output: float = Field(ge=0)


class LLMSettings(Strict):
    """One LLM alias: where it is and how it is asked.

    `attempts` counts answers, corrective retries included; `max_retries` counts transport failures
    of one request. `temperature`, `max_tokens`, `model` and `extra` decide an answer and are part
    of a call's key; the others are not.
    """

    provider: Literal["openai", "embedded"]
    base_url: str | None = None
    model: str | None = None
    api_key_env: str | None = None
    headers: dict[str, str] = Field(default_factory=dict)
    concurrency: int = Field(default=8, ge=1, le=10_000)
    temperature: float = Field(default=0.0, ge=0)
    max_tokens: int = Field(default=512, ge=1)
    timeout: float = Field(default=60.0, gt=0)
    attempts: int = Field(default=3, ge=1)
    max_retries: int = Field(default=6, ge=0)
    price: Price | None = None
    logprobs: bool = True
    extra: dict[str, Any] = Field(default_factory=dict)
    model_path: str | None = None
    context: int = Field(default=4096, ge=256)
    threads: int | None = Field(default=None, ge=1)

    @model_validator(mode="after")
    def _one_address(self) -> LLMSettings:
        if self.provider == "openai" and not self.model:
            raise ValueError("an openai alias needs a 'model'")
        if self.provider == "openai" and self.model_path:
            raise ValueError("'model_path' belongs to an embedded alias")
        if self.provider == "embedded" and self.base_url:
            raise ValueError("'base_url' belongs to an openai alias; embedded runs in process")
        return self


class EmbeddingSettings(Strict):
    """One embeddings alias: the wordllama vectors in process, or an OpenAI-compatible endpoint."""

    provider: Literal["wordllama", "openai"]
    base_url: str | None = None
    model: str | None = None
    api_key_env: str | None = None
    headers: dict[str, str] = Field(default_factory=dict)
    dimensions: int | None = Field(default=None, ge=1)
    timeout: float = Field(default=60.0, gt=0)
    max_retries: int = Field(default=6, ge=0)
    price: Price | None = None

    @model_validator(mode="after")
    def _one_address(self) -> EmbeddingSettings:
        if self.provider == "openai" and not self.model:
            raise ValueError("an openai embeddings alias needs a 'model'")
        return self


class Target(Strict):
    """One store: a DuckDB file, and how long a commit waits for whoever holds it (seconds)."""

    path: str = "lupom.duckdb"
    threads: int = Field(default=4, ge=1)
    store_wait: float = Field(default=60.0, ge=0)


class ProjectSettings(Strict):
    """The whole of lupom_project.yml; only `name` is required."""

    name: str = Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")
    version: str | int | float | None = None
    description: str = ""
    model_paths: list[str] = Field(default_factory=lambda: ["models"])
    seed_paths: list[str] = Field(default_factory=lambda: ["seeds"])
    prompt_path: str = "prompts"
    target_path: str = "target"
    vars: dict[str, Any] = Field(default_factory=dict)
    target: str = "dev"
    targets: dict[str, Target] = Field(default_factory=lambda: {"dev": Target()})
    llms: dict[str, LLMSettings] = Field(default_factory=dict)
    embeddings: dict[str, EmbeddingSettings] = Field(default_factory=dict)
    models: dict[str, Any] = Field(default_factory=dict)
    seeds: dict[str, Any] = Field(default_factory=dict)
    guarded_tags: list[str] = Field(default_factory=list)
    show_at_end: list[str] = Field(default_factory=list)


class ModelConfig(Strict):
    """What a model may be configured with, in its file, in YAML or in lupom_project.yml."""

    model_config = ConfigDict(extra="forbid", protected_namespaces=())

    materialized: (
        Literal["view", "table", "incremental", "ephemeral", "seed", "python", "llm"] | None
    ) = None
    enabled: bool = True
    tags: list[str] = Field(default_factory=list)
    meta: dict[str, Any] = Field(default_factory=dict)
    # incremental
    unique_key: str | list[str] | None = None
    # llm
    prompt: str | None = None
    response: str | None = None
    llm: str | None = None
    key: list[str] | None = None
    max_invalid_share: float | None = Field(default=None, ge=0, le=1)
    # seed
    column_types: dict[str, str] = Field(default_factory=dict)
    delimiter: str = ","

    @model_validator(mode="before")
    @classmethod
    def _lists(cls, values: Any) -> Any:
        if isinstance(values, dict):
            values = dict(values)
            for name in ("tags", "key"):
                if isinstance(values.get(name), str):
                    values[name] = [values[name]]
        return values
