"""The seam between the gateway and a provider of language models.

A provider turns one request into one reply. It knows no ledger, no retries, no row schemas beyond
the JSON schema it is handed, and no prices: those are the gateway's. A new provider is a class that
satisfies `Provider`, and one of settings that names it (`lupom.engine.project.providers`);
docs/providers.md shows one of a package of its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from lupom.engine.errors import LLMError

# How a reply ends that is not an answer because the model, or a filter, will not give one: in the
# words of OpenAI and its like, Claude, Converse, Gemini and Zhipu.
REFUSALS = frozenset(
    {"refusal", "content_filter", "content_filtered", "content-filter", "guardrail_intervened"}
    | {"safety", "sensitive", "recitation", "prohibited_content", "blocklist", "spii", "blocked"}
)


@dataclass(frozen=True, slots=True)
class ProviderRequest:
    """One request: chat messages and how they are to be answered.

    `schema` is the JSON schema of the answer (None: plain text) and `schema_name` its name,
    letters, digits and underscores. `top_logprobs` above 0 asks for the log-probabilities of that
    many alternatives at every answered token (a choice); a provider that has none leaves
    `ProviderReply.tokens` None and answers all the same, in the same single request. `seed` is the
    draw number. `extra` holds provider-specific parameters as they are. `shared` are places in
    characters over all messages, ascending, four at most: what stands before each begins other
    requests, too, so that a prompt cache may end there.
    """

    messages: Sequence[Mapping[str, str]]
    schema: Mapping[str, Any] | None = None
    schema_name: str = "answer"
    temperature: float = 0.0
    max_tokens: int = 512
    top_logprobs: int = 0
    seed: int = 0
    extra: Mapping[str, Any] = field(default_factory=dict)
    shared: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class TokenLogprobs:
    """One answered token, its natural-log probability, and the alternatives at its position.

    `top` holds (token text, log-probability) pairs in any order, usually with the answered token
    among them. The concatenated `token` texts of a reply are its text.
    """

    token: str
    logprob: float
    top: Sequence[tuple[str, float]] = ()


@dataclass(frozen=True, slots=True)
class ProviderReply:
    """What came back: the text as it stands, and log-probabilities where there are any.

    `finish_reason` is 'stop', 'length' (cut off at max_tokens), or the provider's own word.
    `tokens_in` and `tokens_out` are what is paid for; None where the provider does not say.
    `tokens_cached` of `tokens_in` came from the provider's prompt cache, and `tokens_written` were
    put into it, at prices of their own. `otherwise` are further places where the answer may be, if
    it is not in the text. `repaired` says that the text is not as the model wrote it: it is a part
    of a larger reply that had to be repaired. `unclear` says why it answers nothing: it is a part
    of which the reply says two things.
    """

    text: str
    tokens_in: int | None = None
    tokens_out: int | None = None
    finish_reason: str = "stop"
    tokens: Sequence[TokenLogprobs] | None = None
    tokens_cached: int = 0
    tokens_written: int = 0
    otherwise: Sequence[str] = ()
    repaired: bool = False
    unclear: str = ""

    @property
    def refused(self) -> bool:
        """Whether the model, or a filter, will not answer this."""
        return self.finish_reason.lower() in REFUSALS


class Memory(Protocol):
    """Where capabilities are kept between processes."""

    def capabilities(self, endpoint: str) -> Mapping[str, Any] | None:
        """Return what is known of an endpoint; None when nothing is, or it is too old."""
        ...

    async def record_capabilities(self, endpoint: str, capabilities: Mapping[str, Any]) -> None:
        """Remember it."""
        ...


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a provider may use of the project it works for.

    Attributes
    ----------
    memory : where it is kept how an endpoint takes requests; None keeps it nowhere.
    cache_dir : folder for what is large and can be made again; None is the user's own.
    """

    memory: Memory | None = None
    cache_dir: Path | None = None


ALONE = Surroundings()


class Provider(Protocol):
    """A backbone, made of an alias's name, its settings and its `Surroundings`.

    The gateway builds it lazily, calls `complete` concurrently on one event loop, closes it once.
    Making it opens no connection. A provider that computes in process runs its blocking work in a
    thread of its own, so that the loop stays free. One with a prompt cache may have
    `cached_from()`, the characters from which beginnings are cached, and `cache_points`, true where
    it is told where to cache.
    """

    def identity(self) -> dict[str, Any]:
        """Return what decides answers besides messages, schema and parameters, JSON-ready.

        'provider' and 'model', and 'base_url' or 'weights' (hash of the weights' file). No network,
        no key.
        """
        ...

    async def complete(self, request: ProviderRequest) -> ProviderReply:
        """Answer one request, or raise ProviderError. Raises nothing else on purpose."""
        ...

    async def check(self) -> str:
        """Return one line that says it is there, or raise ProviderError; costs no tokens."""
        ...

    async def close(self) -> None:
        """Release connections, threads and memory; safe to call twice."""
        ...


@dataclass(frozen=True, slots=True)
class Collected:
    """What came of a batch: `replies` by the name of each request; None while it is out.

    A request of its own that failed has its error as its reply. `error` is what the provider says
    of a batch that failed as a whole.
    """

    replies: Mapping[str, ProviderReply | ProviderError] | None = None
    error: str | None = None


class BatchProvider(Protocol):
    """A backbone that takes requests by the batch; each method raises ProviderError."""

    def batch_line(self, name: str, request: ProviderRequest) -> str:
        """Return the line of a batch file that asks one request."""
        ...

    async def submit_batch(self, lines: Sequence[str], token: str) -> str:
        """Create a batch that carries a token; returns its id."""
        ...

    async def find_batch(self, token: str) -> str | None:
        """Return the id of the batch that carries a token; None when there is none."""
        ...

    async def collect_batch(self, batch_id: str) -> Collected:
        """Return what has come of a batch so far."""
        ...


class Embedder(Protocol):
    """An endpoint of embeddings, made of an alias's settings; making it opens nothing.

    Attributes
    ----------
    where : its address or model, for errors.
    batch, at_once : texts in one request, and requests at once.
    """

    where: str
    batch: int
    at_once: int

    async def vectors(self, texts: Sequence[str]) -> tuple[list[bytes], int | None]:
        """Return a vector per text, little-endian float32, and the tokens they took together, None
        where the endpoint does not say.

        Raises ProviderError.
        """
        ...

    async def close(self) -> None:
        """Close the connections."""
        ...


class ProviderError(LLMError):
    """A request failed.

    Attributes
    ----------
    retryable : the same request may succeed later (429, 5xx, timeout, reset, torn body).
    throttled : the provider said "too many"; the whole alias pauses and slows down.
    retry_after : seconds the provider asked to wait; the whole alias waits them.
    refused : this one request can never be answered (too long, filtered), while others may be: its
        row is quarantined and the rest goes on.
    alone : it may be the fault of this request's text alone; whether others pass tells.
    broke_off : an answer had begun to come and ended too soon: an outage, never a row's own fault.
    about : the provider's complaint, in small letters, where a request might be made otherwise.
    since : when the first of several tries failed, on the loop's clock.
    """

    def __init__(
        self,
        message: str,
        *,
        retryable: bool = False,
        retry_after: float | None = None,
        throttled: bool = False,
        refused: bool = False,
        alone: bool = False,
        broke_off: bool = False,
        about: str = "",
        hint: str | None = None,
    ) -> None:
        super().__init__(message, hint=hint)
        self.retryable = retryable
        self.retry_after = retry_after
        self.throttled = throttled
        self.refused = refused
        self.alone = alone
        self.broke_off = broke_off
        self.about = about
        self.since: float | None = None
