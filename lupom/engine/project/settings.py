"""What lupom_project.yml may say, as Pydantic models."""

from __future__ import annotations

import re
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from lupom.engine.project.aliases import with_ready

# A comparison of a number of rows: '!= 0', '> 10'.
COMPARISON = r"^\s*(=|==|!=|<>|>=|<=|>|<)\s*(\d+)\s*$"

# More invalid answers than this are a fault of prompt, class or alias, not of single rows. A small
# model fails at most rows of some prompts (the embedded one at 2 of 3) and costs nothing.
MOST_INVALID = {"capable": 0.5, "small": 0.9}


class Strict(BaseModel):
    """A settings block in which an unknown key is an error."""

    model_config = ConfigDict(
        extra="forbid", protected_namespaces=(), use_attribute_docstrings=True
    )


class Price(Strict):
    """Price of an LLM in USD per million tokens.

    `cache_read` and `cache_write` are for the part of a prompt that the provider's prompt cache
    gives or takes; both are `input` where they are not said.
    """

    input: float = Field(ge=0)
    """Of the prompt."""
    output: float = Field(ge=0)
    """Of the answer."""
    cache_read: float | None = Field(default=None, ge=0)
    """Of what the prompt cache gives; `input` by default."""
    cache_write: float | None = Field(default=None, ge=0)
    """Of what it takes; `input` by default."""


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
    """USD."""
    tokens: int | None = Field(default=None, ge=0)
    """Tokens, in and out together."""

    @model_validator(mode="before")
    @classmethod
    def _spelled(cls, value: Any) -> Any:
        if isinstance(value, bool) or not isinstance(value, int | float | str):
            return value
        out: dict[str, float] = {}
        for part in str(value).split(","):
            name, amount = cls._part(part.strip())
            if name in out:
                raise ValueError(f"a budget of {name} appears twice in {value!r}")
            out[name] = amount
        return out

    @staticmethod
    def _part(text: str) -> tuple[str, float]:
        found = _LIMIT.fullmatch(text)
        unit = ((found["unit"] if found else None) or "").lower()
        if found is None or (found["dollar"] and unit.startswith("token")):
            raise ValueError(f"{text!r} is not a budget; '$2.50' is one, and '500k tokens'")
        if found["scale"] and not unit and not found["dollar"]:
            raise ValueError(f"{text!r} of what? '{text} tokens', or '${text}'")
        scale = {"": 1, "k": 10**3, "m": 10**6}[(found["scale"] or "").lower()]
        amount = float(found["number"].replace("_", "")) * scale
        return ("tokens", int(amount)) if unit.startswith("token") else ("money", amount)


class BudgetSettings(Strict):
    """Budgets: of each run, and of all runs of the project together by the ledger."""

    run: Limit | None = None
    """What each run may spend; `--budget` takes its place."""
    project: Limit | None = None
    """What all runs together may spend, by the ledger."""


# Six persona dimensions as Claude writes them are some 900 tokens, of other scripts twice as
# many, and half the answers begin with a thought; what is cut off is paid for and of no use.
MOST_TOKENS = 2048
# A small model that is free to go on goes on.
MOST_TOKENS_SMALL = 512


class LLMSettings(Strict):
    """One LLM alias: where it is and how it is asked.

    `attempts` counts answers, corrective retries included; `max_retries` counts transport failures
    of one request. `provider`, `base_url`, `model`, `model_path`, `temperature`, `max_tokens` and
    `extra` decide an answer and are part of a call's key; the others are not.
    """

    provider: Literal["openai", "embedded", "bedrock", "anthropic", "instructor"]
    """Which interface is spoken."""
    base_url: str | None = None
    """An address of one's own; without it the provider's."""
    region: str | None = None
    """bedrock: by default AWS's own rules, else us-east-1."""
    model: str | None = None
    """The provider's name of the model; instructor: 'google/gemini-2.5-flash'."""
    profile: Literal["capable", "small"] = "capable"
    """Which prompts it is asked with: `small` those of `prompts/small/`; so is embedded."""
    api_key_env: str | None = None
    """Environment variable with the key; by default the provider's own."""
    headers: dict[str, str] = Field(default_factory=dict)
    """Further headers to send."""
    concurrency: int = Field(default=8, ge=1, le=10_000)
    """Requests in flight, over all models of a run."""
    temperature: float = Field(default=0.0, ge=0)
    """0 takes the likeliest answer."""
    max_tokens: int = Field(default=MOST_TOKENS, ge=1)
    """The longest answer; of a small alias 512 by default."""
    timeout: float = Field(default=60.0, gt=0)
    """Seconds for a request."""
    attempts: int = Field(default=3, ge=1)
    """Answers asked for until one is valid."""
    max_retries: int = Field(default=6, ge=0)
    """Failures of transport before the alias is given up."""
    price: Price | None = None
    """Without it costs are unknown, and a budget of money is refused."""
    requests_per_minute: int | None = Field(default=None, ge=1)
    """Spread over the minute; no limit by default."""
    tokens_per_minute: int | None = Field(default=None, ge=1)
    """Spread over the minute; no limit by default."""
    fallback: str | None = None
    """Alias that is asked what this one has no valid answer to."""
    mode: Literal["auto", "json_schema", "tools", "json"] = "auto"
    """How answers are made to fit their class; `auto` finds out."""
    batch: bool = False
    """openai, bedrock: ask by the batch, at half the price."""
    batch_minimum: int | None = Field(default=None, ge=1)
    """Fewer calls make no batch; by default 1, bedrock 100."""
    batch_uri: str | None = None
    """bedrock: s3://bucket/prefix for the files of batches."""
    batch_role: str | None = None
    """bedrock: the role that reads and writes them."""
    logprobs: bool = True
    """Ask for the distribution of choices."""
    prompt_cache: bool | Literal["5m", "1h"] = True
    """bedrock, anthropic: mark what all prompts begin with."""
    extra: dict[str, Any] = Field(default_factory=dict)
    """Further parameters, as the provider spells them."""
    model_path: str | None = None
    """embedded: a GGUF file; by default SmolLM2."""
    context: int = Field(default=4096, ge=256)
    """embedded: tokens of context."""
    threads: int | None = Field(default=None, ge=1)
    """embedded: threads of a worker."""

    @model_validator(mode="after")
    def _one_address(self) -> LLMSettings:
        if self.provider != "embedded" and not self.model:
            article = "an" if self.provider in ("openai", "anthropic", "instructor") else "a"
            raise ValueError(f"{article} {self.provider} alias needs a 'model'")
        if self.provider != "embedded" and self.model_path:
            raise ValueError("'model_path' belongs to an embedded alias")
        if self.provider == "embedded" and self.base_url:
            raise ValueError("'base_url' belongs to an openai alias; embedded runs in process")
        through = self.provider == "instructor" and (self.model or "").startswith("bedrock/")
        if self.provider != "bedrock" and not through and self.region:
            raise ValueError("'region' belongs to a bedrock alias")
        self._check_batch()
        if self.provider == "bedrock" and self.api_key_env:
            raise ValueError(
                "a bedrock alias finds its credentials by AWS's own rules, not by 'api_key_env'"
            )
        if self.provider == "embedded" and self.price is None:
            self.price = Price(input=0, output=0)
        if self.provider == "embedded" and "profile" not in self.model_fields_set:
            self.profile = "small"
        if self.profile == "small" and "max_tokens" not in self.model_fields_set:
            self.max_tokens = MOST_TOKENS_SMALL
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
    """Which interface is spoken."""
    base_url: str | None = None
    """An address of one's own; without it the provider's."""
    region: str | None = None
    """bedrock: by default AWS's own rules."""
    model: str | None = None
    """The provider's name of the model."""
    api_key_env: str | None = None
    """Environment variable with the key; by default the provider's own."""
    headers: dict[str, str] = Field(default_factory=dict)
    """Further headers to send."""
    dimensions: int | None = Field(default=None, ge=1)
    """Length of vectors, where the model lets one choose."""
    timeout: float = Field(default=60.0, gt=0)
    """Seconds for a request."""
    max_retries: int = Field(default=6, ge=0)
    """Failures of transport before it is given up."""
    price: Price | None = None
    """`input` counts; without it costs are unknown."""

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
    """The DuckDB file, from the project's folder."""
    threads: int = Field(default=4, ge=1)
    """Nodes at a time."""
    store_wait: float = Field(default=60.0, ge=0)
    """Seconds that a commit waits for whoever holds the file."""


class TestConfig(Strict):
    """What a data test may be configured with.

    `warn_if` and `error_if` compare the number of failing rows: '!= 0' (the default), '> 10'. A
    test of severity 'error' fails at `error_if` and else warns at `warn_if`; one of severity 'warn'
    never fails. `where` is SQL that says which rows are looked at, `limit` how many failing rows
    are kept.
    """

    severity: Literal["error", "warn"] = "error"
    """Whether failing rows fail the run or warn."""
    where: str | None = None
    """SQL that says which rows are looked at."""
    warn_if: str = Field(default="!= 0", pattern=COMPARISON)
    """Number of failing rows to warn at."""
    error_if: str = Field(default="!= 0", pattern=COMPARISON)
    """Number of failing rows to fail at."""
    limit: int | None = Field(default=None, ge=1)
    """How many failing rows are kept."""
    store_failures: bool = False
    """Keep failing rows in `lupom_failures.NAME`."""
    enabled: bool = True
    """Whether it is run."""
    tags: list[str] = Field(default_factory=list)
    """For selections."""
    meta: dict[str, Any] = Field(default_factory=dict)
    """Anything; LUPoM does not read it."""


class ProjectSettings(Strict):
    """The whole of lupom_project.yml; only `name` is required."""

    name: str = Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")
    """The project's name."""
    version: str | int | float | None = None
    """Anything; LUPoM does not read it."""
    description: str = ""
    """For people."""
    model_paths: list[str] = Field(default_factory=lambda: ["models"])
    """Folders of models."""
    seed_paths: list[str] = Field(default_factory=lambda: ["seeds"])
    """Folders of CSV files."""
    test_paths: list[str] = Field(default_factory=lambda: ["tests/data"])
    """Folders of data tests in SQL."""
    prompt_path: str = "prompts"
    """Folder of prompts and response classes."""
    target_path: str = "target"
    """Folder of artifacts and caches."""
    vars: dict[str, Any] = Field(default_factory=dict)
    """What models ask by `var()`; `--vars` overrides."""
    target: str = "dev"
    """The target to use where none is named."""
    targets: dict[str, Target] = Field(default_factory=lambda: {"dev": Target()})
    """Stores, by name."""
    llms: dict[str, LLMSettings] = Field(default_factory=dict)
    """LLM aliases, by name."""
    embeddings: dict[str, EmbeddingSettings] = Field(default_factory=dict)
    """Embeddings aliases, by name."""
    budget: BudgetSettings = Field(default_factory=BudgetSettings)
    """What may be spent."""
    models: dict[str, Any] = Field(default_factory=dict)
    """Config of models by folder; keys of config begin with `+`."""
    seeds: dict[str, Any] = Field(default_factory=dict)
    """Config of seeds by folder."""
    data_tests: TestConfig = Field(default_factory=lambda: TestConfig())
    """Defaults of data tests."""
    guarded_tags: list[str] = Field(default_factory=list)
    """Tables with such a tag are read only by models with it, or with `filters_TAG`."""
    before_llms: list[str] = Field(default_factory=list)
    """Models that LLM models of a run wait for: where one fails, nothing is asked."""
    show_when_built: list[str] = Field(default_factory=list)
    """Tables to print as soon as they are built, while an LLM is at work."""
    show_at_end: list[str] = Field(default_factory=list)
    """Tables to print at the end of a run."""

    @model_validator(mode="before")
    @classmethod
    def _ready_aliases(cls, values: Any) -> Any:
        if isinstance(values, dict) and isinstance(values.get("llms", {}), dict):
            values = {**values, "llms": with_ready(values.get("llms", {}))}
        return values


class ModelConfig(Strict):
    """What a model may be configured with, in its file, in YAML or in lupom_project.yml."""

    materialized: (
        Literal["view", "table", "incremental", "ephemeral", "seed", "python", "llm"] | None
    ) = None
    """What is made of it; by default a view, or what its kind of file is."""
    enabled: bool = True
    """Whether it is part of the project."""
    tags: list[str] = Field(default_factory=list)
    """For selections and guards; tags of all places add up."""
    meta: dict[str, Any] = Field(default_factory=dict)
    """Anything; Python models read it with `lupom.meta()`."""
    # incremental
    unique_key: str | list[str] | None = None
    """incremental: rows with the same are replaced."""
    # llm
    prompt: str | None = None
    """llm: template below `prompts/`, without `.jinja`."""
    response: str | None = None
    """llm: class in `prompts/responses.py`."""
    llm: str | None = None
    """llm: the alias; `default` by default."""
    llm_column: str | None = None
    """llm: column of the select that says which alias a row is asked of."""
    key: list[str] | None = None
    """llm: columns that name a row."""
    rows_per_call: int = Field(default=1, ge=1, le=100)
    """llm: rows that one request may ask, where they are equal in `rows_together`."""
    rows_together: list[str] = Field(default_factory=list)
    """llm: columns that are equal in rows which share a request."""
    max_invalid_share: float | None = Field(default=None, ge=0, le=1)
    """llm: more invalid answers than this share of the first 20, or of all, make the node fail; 0.5
    unless set, and 0.9 of an alias whose profile is small."""
    explain: list[str | dict[str, dict[str, str]]] = Field(default_factory=list)
    """llm: tables whose rows `lupom explain` shows beside an answer."""
    # seed
    column_types: dict[str, str] = Field(default_factory=dict)
    """seed: types by column; `{"*": VARCHAR}` leaves all as text."""
    delimiter: str = ","
    """seed: what stands between cells."""

    @model_validator(mode="before")
    @classmethod
    def _lists(cls, values: Any) -> Any:
        if isinstance(values, dict):
            values = dict(values)
            for name in ("tags", "key", "rows_together"):
                if isinstance(values.get(name), str):
                    values[name] = [values[name]]
        return values
