"""What lupom_project.yml may say, as Pydantic models."""

from __future__ import annotations

import re
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from lupom.engine.project.aliases import with_ready

# A comparison of a number of rows: '!= 0', '> 10'.
COMPARISON = r"^\s*(=|==|!=|<>|>=|<=|>|<)\s*(\d+)\s*$"


class Strict(BaseModel):
    """A settings block in which an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", protected_namespaces=())


class Price(Strict):
    """Price of an LLM in USD per million tokens.

    `cache_read` and `cache_write` are for the part of a prompt that the provider's prompt cache
    gives or takes; both are `input` where they are not said.
    """

    input: float = Field(ge=0)
    output: float = Field(ge=0)
    cache_read: float | None = Field(default=None, ge=0)
    cache_write: float | None = Field(default=None, ge=0)


_LIMIT = re.compile(
    r"(?P<dollar>\$\s*)?(?P<number>\d[\d_]*(?:\.\d+)?)\s*(?P<scale>k|m)?\s*"
    r"(?P<unit>usd|dollars?|tokens?)?",
    re.IGNORECASE,
)


class Limit(Strict):
    """So much money (USD) or so many tokens, in and out together, and no more.

    In YAML and on the command line also '$2.50', '2.50', '500k tokens', or both: '$2, 1M tokens'.
    """

    money: float | None = Field(default=None, ge=0)
    tokens: int | None = Field(default=None, ge=0)

    @model_validator(mode="before")
    @classmethod
    def _spelled(cls, value: Any) -> Any:
        if isinstance(value, bool) or not isinstance(value, int | float | str):
            return value
        out: dict[str, float] = {}
        for part in str(value).split(","):
            name, amount = cls._part(part.strip())
            if name in out:
                raise ValueError(f"a budget of {name} stands twice in {value!r}")
            out[name] = amount
        return out

    @staticmethod
    def _part(text: str) -> tuple[str, float]:
        found = _LIMIT.fullmatch(text)
        unit = ((found["unit"] if found else None) or "").lower()
        if found is None or (found["dollar"] and unit.startswith("token")):
            raise ValueError(f"{text!r} is no budget; '$2.50' is one, and '500k tokens'")
        if found["scale"] and not unit and not found["dollar"]:
            raise ValueError(f"{text!r} of what? '{text} tokens', or '${text}'")
        scale = {"": 1, "k": 10**3, "m": 10**6}[(found["scale"] or "").lower()]
        amount = float(found["number"].replace("_", "")) * scale
        return ("tokens", int(amount)) if unit.startswith("token") else ("money", amount)


class BudgetSettings(Strict):
    """Budgets: of each run, and of all runs of the project together by the ledger."""

    run: Limit | None = None
    project: Limit | None = None


class LLMSettings(Strict):
    """One LLM alias: where it is and how it is asked.

    `attempts` counts answers, corrective retries included; `max_retries` counts transport failures
    of one request. `provider`, `base_url`, `model`, `model_path`, `temperature`, `max_tokens` and
    `extra` decide an answer and are part of a call's key; the others are not.
    """

    provider: Literal["openai", "embedded", "bedrock", "anthropic"]
    base_url: str | None = None
    region: str | None = None
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
    requests_per_minute: int | None = Field(default=None, ge=1)
    tokens_per_minute: int | None = Field(default=None, ge=1)
    fallback: str | None = None
    mode: Literal["auto", "json_schema", "tools", "json"] = "auto"
    batch: bool = False
    batch_minimum: int | None = Field(default=None, ge=1)
    batch_uri: str | None = None
    batch_role: str | None = None
    logprobs: bool = True
    prompt_cache: bool | Literal["5m", "1h"] = True
    extra: dict[str, Any] = Field(default_factory=dict)
    model_path: str | None = None
    context: int = Field(default=4096, ge=256)
    threads: int | None = Field(default=None, ge=1)

    @model_validator(mode="after")
    def _one_address(self) -> LLMSettings:
        if self.provider != "embedded" and not self.model:
            article = "an" if self.provider in ("openai", "anthropic") else "a"
            raise ValueError(f"{article} {self.provider} alias needs a 'model'")
        if self.provider != "embedded" and self.model_path:
            raise ValueError("'model_path' belongs to an embedded alias")
        if self.provider == "embedded" and self.base_url:
            raise ValueError("'base_url' belongs to an openai alias; embedded runs in process")
        if self.provider != "bedrock" and self.region:
            raise ValueError("'region' belongs to a bedrock alias")
        self._check_batch()
        if self.provider == "bedrock" and self.api_key_env:
            raise ValueError(
                "a bedrock alias finds its credentials by AWS's own rules, not by 'api_key_env'"
            )
        if self.provider == "embedded" and self.price is None:
            self.price = Price(input=0, output=0)
        return self

    def _check_batch(self) -> None:
        if self.batch and self.provider not in ("openai", "bedrock"):
            raise ValueError("'batch' belongs to an openai or a bedrock alias")
        given = {"batch_uri": self.batch_uri, "batch_role": self.batch_role}
        for name, value in given.items():
            if value and self.provider != "bedrock":
                raise ValueError(f"'{name}' belongs to a bedrock alias")
            if not value and self.batch and self.provider == "bedrock":
                raise ValueError(
                    f"'batch' of a bedrock alias needs '{name}': its files go through S3, where"
                    " Bedrock reads and writes them in a role"
                )
        if self.batch_uri and not re.fullmatch(r"s3://[^/]+(/.*)?", self.batch_uri):
            raise ValueError(f"'batch_uri' is '{self.batch_uri}'; s3://bucket/prefix is one")
        if self.batch_role and not self.batch_role.startswith("arn:"):
            raise ValueError(f"'batch_role' is '{self.batch_role}'; arn:aws:iam::...:role/... is")
        if self.batch and self.provider == "bedrock" and self.mode == "tools":
            raise ValueError("batches on Bedrock take no tools: 'mode' json_schema, json or auto")

    @property
    def least_batch(self) -> int:
        """Calls below which no batch is made; Bedrock's quota is 100 for most models."""
        return self.batch_minimum or (100 if self.provider == "bedrock" else 1)

    @property
    def paid(self) -> Price | None:
        """The price as it is paid: half of it in batches."""
        if self.price is None or not self.batch:
            return self.price
        halved = {name: value / 2 for name, value in self.price if value is not None}
        return Price(**halved)


class EmbeddingSettings(Strict):
    """One embeddings alias: wordllama's vectors in process, an OpenAI-compatible endpoint, or Titan
    on Bedrock."""

    provider: Literal["wordllama", "openai", "bedrock"]
    base_url: str | None = None
    region: str | None = None
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
        if self.provider == "bedrock" and not self.model:
            self.model = "amazon.titan-embed-text-v2:0"
            self.price = self.price or Price(input=0.02, output=0)
        if self.provider != "bedrock" and self.region:
            raise ValueError("'region' belongs to a bedrock alias")
        return self


class Target(Strict):
    """One store: a DuckDB file, and how long a commit waits for whoever holds it (seconds)."""

    path: str = "lupom.duckdb"
    threads: int = Field(default=4, ge=1)
    store_wait: float = Field(default=60.0, ge=0)


class TestConfig(Strict):
    """What a data test may be configured with.

    `warn_if` and `error_if` compare the number of failing rows: '!= 0' (the default), '> 10'. A
    test of severity 'error' fails at `error_if` and else warns at `warn_if`; one of severity 'warn'
    never fails. `where` is SQL that says which rows are looked at, `limit` how many failing rows
    are kept.
    """

    severity: Literal["error", "warn"] = "error"
    where: str | None = None
    warn_if: str = Field(default="!= 0", pattern=COMPARISON)
    error_if: str = Field(default="!= 0", pattern=COMPARISON)
    limit: int | None = Field(default=None, ge=1)
    store_failures: bool = False
    enabled: bool = True
    tags: list[str] = Field(default_factory=list)
    meta: dict[str, Any] = Field(default_factory=dict)


class ProjectSettings(Strict):
    """The whole of lupom_project.yml; only `name` is required."""

    name: str = Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")
    version: str | int | float | None = None
    description: str = ""
    model_paths: list[str] = Field(default_factory=lambda: ["models"])
    seed_paths: list[str] = Field(default_factory=lambda: ["seeds"])
    test_paths: list[str] = Field(default_factory=lambda: ["tests/data"])
    prompt_path: str = "prompts"
    target_path: str = "target"
    vars: dict[str, Any] = Field(default_factory=dict)
    target: str = "dev"
    targets: dict[str, Target] = Field(default_factory=lambda: {"dev": Target()})
    llms: dict[str, LLMSettings] = Field(default_factory=dict)
    embeddings: dict[str, EmbeddingSettings] = Field(default_factory=dict)
    budget: BudgetSettings = Field(default_factory=BudgetSettings)
    models: dict[str, Any] = Field(default_factory=dict)
    seeds: dict[str, Any] = Field(default_factory=dict)
    data_tests: TestConfig = Field(default_factory=lambda: TestConfig())
    guarded_tags: list[str] = Field(default_factory=list)
    show_at_end: list[str] = Field(default_factory=list)

    @model_validator(mode="before")
    @classmethod
    def _ready_aliases(cls, values: Any) -> Any:
        if isinstance(values, dict) and isinstance(values.get("llms", {}), dict):
            values = {**values, "llms": with_ready(values.get("llms", {}))}
        return values


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
    llm_column: str | None = None
    key: list[str] | None = None
    max_invalid_share: float | None = Field(default=None, ge=0, le=1)
    explain: list[str | dict[str, dict[str, str]]] = Field(default_factory=list)
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
