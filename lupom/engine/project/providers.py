"""Providers of LLMs and of embeddings: which there are, and what settings of theirs have in common.

A provider is known by a name, as `provider:` says it, which is that of an entry point of the group
`lupom.providers`, of LUPoM or of another package. Behind it stands what it `Provides`: the class of
its settings as an LLM, as an embedder, or both. A class of settings says what an alias may be told,
what is known of the provider (limits, overheads: class attributes), and where the code is that asks
it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import (
    AfterValidator,
    ConfigDict,
    Field,
    ModelWrapValidatorHandler,
    ValidationError,
    model_validator,
)
from pydantic_core import InitErrorDetails, PydanticCustomError

from lupom import entry_points
from lupom.engine.errors import did_you_mean
from lupom.engine.project.strict import UNREGISTERED, Strict

GROUP = "lupom.providers"
# Where a ready alias (`lupom.engine.project.aliases`) is that does not say where.
READY_AT = "bedrock"
# Six persona dimensions as Claude writes them are some 900 tokens, of other scripts twice as
# many, and half the answers begin with a thought; what is cut off is paid for and of no use.
MOST_TOKENS = 2048
# A small model that is free to go on goes on.
MOST_TOKENS_SMALL = 512


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


class ProviderSettings(Strict):
    """Settings of an alias, whichever its provider is.

    `LLMSettings` and `EmbeddingSettings` stand for the classes of all providers: what they read
    is an object of the class that the block's `provider` names.
    """

    # Most of these classes read nothing in most projects: their validators are made when they do.
    model_config = ConfigDict(defer_build=True)

    provider: str
    """Which interface is spoken."""
    model: str | None = None
    """The provider's name of the model."""
    timeout: float = Field(default=60.0, gt=0)
    """Seconds for a request."""
    max_retries: int = Field(default=6, ge=0)
    """Failures of transport before the alias is given up."""
    price: Price | None = None
    """Without it costs are unknown, and a budget of money is refused."""

    gives: ClassVar[str] = ""
    """What the provider gives, 'LLMs' or 'embeddings', of a class that stands for others."""
    needs: ClassVar[str] = "nothing"
    """What a user needs for it, in words, for the documentation."""
    made_by: ClassVar[str] = ""
    """'module:callable' of what asks the provider, imported when something is asked of it."""
    needs_model: ClassVar[bool] = True
    """Whether an alias must name a `model`."""

    @classmethod
    def by_name(cls, name: str) -> type[Self]:
        """Return the class of a provider's settings.

        Raises KeyError for a name that nobody registered for this, and ValueError, in one line,
        where the package that did cannot be loaded.
        """
        found = provided(offer_of(name), cls._root())
        if found is None:
            raise KeyError(name)
        return found

    @classmethod
    def kinds(cls, *, installed: bool = True) -> dict[str, type[Self]]:
        """Return the class of each provider, by name; LUPoM's own first, those of installed
        packages after them. What cannot be loaded is left out."""
        offers = entry_points.offers(GROUP) if installed else entry_points.own(GROUP)
        out: dict[str, type[Self]] = {}
        for name in offers:
            try:
                out[name] = cls.by_name(name)
            except (KeyError, ValueError):
                continue
        return out

    @classmethod
    def read_as(cls, value: Any) -> type[ProviderSettings]:
        """Return the class that reads a block, by its `provider`; raises as `by_name` does."""
        if not cls.__dict__.get("gives"):
            return cls
        return cls.by_name(value.get("provider", READY_AT))

    @classmethod
    def belongs_to(cls, key: str) -> str | None:
        """Return whose key one is that is not this provider's, as a hint."""
        if key in cls.not_here:
            return cls.not_here[key]
        kinds = cls.kinds(installed=False)
        whose = [name for name, kind in kinds.items() if key in kind.model_fields]
        return f"'{key}' belongs to {' or '.join(map(article, whose))} alias" if whose else None

    @classmethod
    def _root(cls) -> type[Self]:
        """Return the class that stands for this one and those of other providers."""
        return next(kind for kind in cls.__mro__ if kind.__dict__.get("gives"))

    @model_validator(mode="wrap")
    @classmethod
    def _by_provider(cls, value: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        stands_for_others = bool(cls.__dict__.get("gives"))
        if not stands_for_others or not isinstance(value, Mapping):
            return handler(value)
        if "provider" not in value:
            raise _at_provider("missing", value)
        name = value["provider"]
        if not isinstance(name, str):
            raise _at_provider("string_type", name)
        try:
            kind = cls.by_name(name)
        except KeyError:
            names = list(cls.kinds())
            raise _at_provider(
                PydanticCustomError(
                    UNREGISTERED,
                    "no provider '{name}' gives {what}; there are {known}",
                    {
                        **{"name": name, "what": cls.gives, "known": ", ".join(names)},
                        "hint": did_you_mean(name, names)
                        or "a package that adds one must be installed beside LUPoM",
                    },
                ),
                name,
            ) from None
        except ValueError as error:
            said = {"message": str(error)}
            raise _at_provider(
                PydanticCustomError(UNREGISTERED, "{message}", said), name
            ) from error
        return kind.model_validate(value)

    @model_validator(mode="after")
    def _named(self) -> Self:
        if self.needs_model and not self.model:
            what = "embeddings alias" if self._root().gives == "embeddings" else "alias"
            raise ValueError(f"{article(self.provider)} {what} needs a 'model'")
        return self


class LLMSettings(ProviderSettings):
    """One LLM alias: where it is and how it is asked; what is common to all providers.

    `attempts` counts answers, corrective retries included; `max_retries` counts transport failures
    of one request. `provider`, `base_url`, `model`, `model_path`, `temperature`, `max_tokens` and
    `extra` decide an answer and are part of a call's key; the others are not.
    """

    profile: Literal["capable", "small"] = "capable"
    """Which prompts it is asked with: `small` those of `prompts/small/`; so is embedded."""
    concurrency: int = Field(default=8, ge=1, le=10_000)
    """Requests in flight, over all models of a run."""
    temperature: float = Field(default=0.0, ge=0)
    """0 takes the likeliest answer."""
    max_tokens: int = Field(default=MOST_TOKENS, ge=1)
    """The longest answer; of a small alias 512 by default."""
    attempts: int = Field(default=3, ge=1)
    """Answers asked for until one is valid."""
    requests_per_minute: int | None = Field(default=None, ge=1)
    """Spread over the minute; no limit by default."""
    tokens_per_minute: int | None = Field(default=None, ge=1)
    """Spread over the minute; no limit by default."""
    fallback: str | None = None
    """Alias that is asked what this one has no valid answer to."""
    logprobs: bool = True
    """Ask for the distribution of choices."""
    extra: dict[str, Any] = Field(default_factory=dict)
    """Further parameters, as the provider spells them."""

    gives: ClassVar[str] = "LLMs"
    gives_logprobs: ClassVar[bool] = False
    """Whether log-probabilities of answers can come back at all."""
    overhead: ClassVar[int] = 0
    """Tokens that it adds to a request, such as for the tool that holds the schema."""
    tells_cached: ClassVar[bool] = False
    """Whether it says of each prompt how much came from its cache, and is told where to cache."""
    ready: ClassVar[Mapping[str, Mapping[str, Any]]] = {}
    """Aliases that are complete with their name alone: what is ready of each."""

    @property
    def by_batch(self) -> bool:
        """Whether it is asked by the batch."""
        return False

    @property
    def least_batch(self) -> int:
        """Calls below which no batch is made."""
        return 1

    @property
    def paid(self) -> Price | None:
        """The price as it is paid."""
        return self.price

    @property
    def cached_from(self) -> int:
        """The characters from which beginnings of prompts are cached; 0 for none known."""
        return 0

    def with_batch(self, batch: bool) -> Self:
        """Return the settings of asking by the batch, or one by one; itself where it cannot."""
        return self

    @model_validator(mode="after")
    def _of_its_profile(self) -> Self:
        if self.profile == "small" and "max_tokens" not in self.model_fields_set:
            self.max_tokens = MOST_TOKENS_SMALL
        return self


class BatchedSettings(LLMSettings):
    """What an alias may be told where the provider takes requests by the batch."""

    batch: bool = False
    """Ask by the batch, at half the price."""
    batch_minimum: int | None = Field(default=None, ge=1)
    """Fewer calls make no batch; by default 1, bedrock 100."""

    fewest: ClassVar[int] = 1
    """Requests below which the provider takes no batch."""
    most_requests: ClassVar[int] = 50_000
    """Requests in one batch. OpenAI takes 50,000 and 200 MB in one file."""
    most_bytes: ClassVar[int] = 150_000_000
    """Bytes in one batch."""
    batch_price: ClassVar[float] = 0.5
    """What is paid of the price."""

    @property
    def by_batch(self) -> bool:
        return self.batch

    @property
    def least_batch(self) -> int:
        return self.batch_minimum or self.fewest

    @property
    def paid(self) -> Price | None:
        if self.price is None or not self.batch:
            return self.price
        parts = {n: v * self.batch_price for n, v in self.price if v is not None}
        return Price(**parts)

    def with_batch(self, batch: bool) -> Self:
        return self if self.batch == batch else self.model_copy(update={"batch": batch})


class ModedSettings(LLMSettings):
    """What an alias may be told where answers can be made to fit their class in several ways."""

    mode: Literal["auto", "json_schema", "tools", "json"] = "auto"
    """How answers are made to fit their class; `auto` finds out."""


class EmbeddingSettings(ProviderSettings):
    """One embeddings alias: where it is; what is common to all providers."""

    dimensions: int | None = Field(default=None, ge=1)
    """Length of vectors, where the model lets one choose."""

    gives: ClassVar[str] = "embeddings"
    in_process: ClassVar[bool] = False
    """Whether vectors are computed here, at no cost, so that none is kept: `made_by` is called with
    settings and texts and returns their vectors, where else it makes an embedder of settings."""

    def identity(self) -> dict[str, Any]:
        """Return what decides a text's vector, JSON-ready."""
        return {
            **{"provider": self.provider, "model": self.model},
            "dimensions": self.dimensions,
        }


# What is asked for below an address, and is no part of it.
_BELOW = re.compile(r"/(chat/completions|completions|embeddings|messages|models)/*$")


def _address(url: str | None) -> str | None:
    """Hold a `base_url` to be the beginning of web addresses."""
    if url is None:
        return url
    if not url.startswith(("http://", "https://")):
        raise ValueError(
            f"'{url}' is no web address: it begins with http:// or https:// and often ends in /v1"
        )
    if (below := _BELOW.search(url)) is not None:
        raise ValueError(f"leave out {below[0]}, which is added: '{url[: below.start()]}'")
    return url


class AddressSettings(ProviderSettings):
    """What an alias may be told where it is spoken to at a web address."""

    base_url: Annotated[str | None, AfterValidator(_address)] = None
    """An address of one's own; without it the provider's."""
    api_key_env: str | None = None
    """Environment variable with the key; by default the provider's own."""
    headers: dict[str, str] = Field(default_factory=dict)
    """Further headers to send."""


class AwsSettings(ProviderSettings):
    """What an alias may be told where it is on AWS."""

    base_url: Annotated[str | None, AfterValidator(_address)] = None
    """An address of one's own; without it the provider's."""
    region: str | None = None
    """By default AWS's own rules, else us-east-1."""

    not_here: ClassVar[Mapping[str, str]] = {
        "api_key_env": "a bedrock alias finds its credentials by AWS's own rules"
    }


@dataclass(frozen=True, slots=True)
class Provides:
    """What a provider gives under its name: LLMs, embeddings or both, by the class of settings."""

    llms: type[LLMSettings] | None = None
    embeddings: type[EmbeddingSettings] | None = None


def offer_of(name: str) -> entry_points.Offer:
    """Return what is registered under a provider's name.

    LUPoM's own stand for themselves, so that no project waits for a look through all packages.
    Raises KeyError for a name that nobody registered.
    """
    own = entry_points.own(GROUP)
    return own[name] if name in own else entry_points.offers(GROUP)[name]


def provided(offer: entry_points.Offer, root: type[Any]) -> type[Any] | None:
    """Return the class of a provider's settings as LLM or as embedder; None if it gives none.

    Raises ValueError, in one line, for what cannot be loaded or is something else.
    """
    found = offer.load()
    what = "lupom.providers.Provides"
    if isinstance(found, Provides):
        kind = found.llms if root is LLMSettings else found.embeddings
        if kind is None or (isinstance(kind, type) and issubclass(kind, root)):
            return kind
        what = f"{what} of {root.__name__}"
    raise ValueError(
        f"{offer.distribution} {offer.version} is installed and offers {offer.name!r} ({GROUP}),"
        f" but {offer.value} is no {what}; update that package or uninstall it"
    )


def code_of(settings: ProviderSettings) -> Any:
    """Return what makes the provider of an alias, the settings' `made_by`.

    Raises ValueError, in one line that names the package, where it cannot be imported.
    """
    return replace(offer_of(settings.provider), value=settings.made_by).load()


def llm_settings(**given: Any) -> LLMSettings:
    """Return the settings of an LLM alias as its provider's class; raises ValidationError."""
    return LLMSettings.model_validate(given)


def embedding_settings(**given: Any) -> EmbeddingSettings:
    """Return the settings of an embeddings alias as its provider's class; raises
    ValidationError."""
    return EmbeddingSettings.model_validate(given)


def article(word: str) -> str:
    """Return a provider's name with 'a' or 'an' before it."""
    return f"{'an' if word[0] in 'aeiou' else 'a'} {word}"


def _at_provider(fault: str | PydanticCustomError, value: Any) -> ValidationError:
    """Make the error of a block's `provider`."""
    return ValidationError.from_exception_data(
        "provider", [InitErrorDetails(type=fault, loc=("provider",), input=value)]
    )
