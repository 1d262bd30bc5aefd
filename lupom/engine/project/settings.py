"""What lupom_project.yml may say, as Pydantic models."""

from __future__ import annotations

import re
from typing import Any, Literal

from pydantic import Field, model_validator

from lupom.engine.project.aliases import with_ready
from lupom.engine.project.executors import ExecutorSettings
from lupom.engine.project.providers import EmbeddingSettings, LLMSettings
from lupom.engine.project.s3 import S3Settings
from lupom.engine.project.strict import Strict

# A comparison of a number of rows: '!= 0', '> 10'.
COMPARISON = r"^\s*(=|==|!=|<>|>=|<=|>|<)\s*(\d+)\s*$"

# More invalid answers than this are a fault of prompt, class or alias, not of single rows. A small
# model fails at most rows of some prompts (the embedded one at 2 of 3) and costs nothing.
MOST_INVALID = {"capable": 0.5, "small": 0.9}


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


class Target(Strict):
    """One store: a DuckDB file, or a DuckLake that many read and write."""

    type: Literal["duckdb", "ducklake"] = "duckdb"
    """`duckdb`: one file, in `path`. `ducklake`: a catalog in a database and data in files."""
    path: str = "lupom.duckdb"
    """duckdb: the file, from the project's folder."""
    catalog: str | None = Field(default=None, repr=False)
    """ducklake: `postgresql://USER@HOST/DATABASE`, or a file: `.sqlite` for several processes of
    one machine, `.ducklake` for one at a time. A password comes from the environment, by
    `env_var`."""
    catalog_schema: str | None = None
    """ducklake: the schema of the catalog's tables in PostgreSQL, `public` by default."""
    data: str | None = None
    """ducklake: folder, or `s3://bucket/prefix`, of the data."""
    s3: S3Settings = Field(default_factory=S3Settings)
    """ducklake: how S3 is reached."""
    threads: int | None = Field(default=None, ge=1)
    """Nodes at a time. Left out: four, of which one computes, and when it takes long one a core."""
    store_wait: float | None = Field(default=None, ge=0)
    """Seconds that a commit waits for whoever else has the store; 60 unless set, of a lake 600."""
    memory: str | None = Field(default=None, pattern=r"^\d+(\.\d+)?\s*[KMGT]i?B$")
    """What DuckDB may take of memory, `4GB`, before it goes on in files; unless set four fifths of
    the machine's."""
    state: str | None = Field(default=None, repr=False)
    """The ledger that a team shares, by URL: `postgresql+psycopg://...` or `sqlite:///...`; without
    it the file `.lupom/state.db`. A password comes from the environment, by `env_var`."""
    state_wait: float = Field(default=300.0, ge=0)
    """Seconds that a run waits for a PostgreSQL server that is gone, before it stops."""
    lease: float = Field(default=30.0, ge=1)
    """Seconds after which others ask what a dead process of a shared ledger had in flight."""
    executor: ExecutorSettings = Field(default_factory=lambda: ExecutorSettings())
    """Where Python models work in batches: `local`, `processes`, `ray`, or a block; `workers`: LLMs
    are asked by processes of `lupom worker`."""

    @model_validator(mode="after")
    def _of_its_type(self) -> Target:
        given = self.model_fields_set
        if self.type == "duckdb":
            lakes = [k for k in ("catalog", "catalog_schema", "data", "s3") if k in given]
            if lakes:
                raise ValueError(f"'{lakes[0]}' belongs to a target of 'type: ducklake'")
            return self
        if "path" in given:
            raise ValueError(
                "'path' is the file of a plain store; one of 'type: ducklake' has 'catalog' and"
                " 'data'"
            )
        for key in ("catalog", "data"):
            if not getattr(self, key):
                raise ValueError(f"'type: ducklake' wants '{key}'")
        if "s3" in given and not str(self.data).startswith("s3://"):
            raise ValueError("'s3' belongs to 'data: s3://...'")
        return self


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
    labels: str | None = None
    """A model that says what columns and their values are, for `lupom export` to SPSS and Stata:
    `column`, `label`, `options`, `measure` and, where there are, `codes` of the options."""
    gaps: str | None = None
    """A model that says why cells are empty, for the same: `column`, `label`, `code` and columns by
    which rows are found. They become missing values of the user's."""
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
