"""Whatever instructor speaks to: Google, Mistral, Groq, Cohere and two dozen others.

instructor's modes turn the class into the provider's own request (a schema, a tool, words in the
prompt) and read the answer out of the provider's own reply. Its retries, and those of the
provider's package, are off: an attempt is in the ledger before the next one is paid for, and the
gateway waits, slows down and keeps to the budget.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import inspect
import json
import os
import re
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any

from lupom.engine.errors import LLMError
from lupom.engine.llm.providers.backends import Backend, modes_of, named
from lupom.engine.llm.providers.base import (
    ALONE,
    ProviderError,
    ProviderReply,
    ProviderRequest,
    Surroundings,
)
from lupom.engine.llm.providers.capabilities import (
    MODES,
    Capabilities,
    Negotiator,
    fits,
    told,
)
from lupom.engine.llm.providers.endpoint import (
    Endpoint,
    MisshapenError,
    RejectedError,
    Sdk,
    retry_after,
    written_in,
)
from lupom.engine.llm.providers.listening import heard_as
from lupom.engine.llm.providers.native import dig, finish_of, is_reply, texts_of, usage_of
from lupom.engine.llm.providers.replies import as_object, end_of
from lupom.engine.llm.providers.transport import (
    aiohttp_session,
    broke_off,
    innermost,
    is_cut,
    is_transport,
    keeps_whole_of,
)
from lupom.engine.llm.providers.turns import as_taken, with_fewer
from lupom.engine.llm.schemas import LIMITS, without
from lupom.engine.logs import quieten

if TYPE_CHECKING:
    from lupom.engine.llm.settings.instructor import InstructorSettings

Create = Callable[..., Awaitable[Any]]
# Where a body says, for our own use, by which of our modes it asks.
_MODE = "lupom_mode"
# What gRPC calls the statuses of HTTP.
_GRPC = {
    **{"INVALID_ARGUMENT": 400, "UNAUTHENTICATED": 401, "PERMISSION_DENIED": 403, "NOT_FOUND": 404},
    **{"RESOURCE_EXHAUSTED": 429, "INTERNAL": 500, "UNAVAILABLE": 503, "DEADLINE_EXCEEDED": 504},
}
# Complaints about the way an answer is asked for.
_STRUCTURE = (
    *("response_format", "json_schema", "schema", "tool", "function", "response_mime_type"),
    *("outputconfig", "textformat", "grammar", "structured output"),
)


class InstructorProvider:
    """A model that instructor speaks to, by the name it gives it: 'google/gemini-2.5-flash'.

    What a provider refuses (status 400: a mode, a temperature, a seed) is given up and not asked
    for again. instructor and the provider's package are imported by the first request.
    """

    def __init__(
        self, alias: str, settings: InstructorSettings, around: Surroundings = ALONE
    ) -> None:
        """The settings hold its model to be one of a provider that instructor knows."""
        self._name, self._model, self._backend = named(settings.model or "")
        self._settings = settings.model_copy(update={"model": self._model})
        own = settings.base_url is not None
        self._key_name = settings.api_key_env or (None if own else self._backend.key_name())
        # For its words about failures and for keeping secrets out of them; it connects to nothing.
        words = Sdk(self._name, "", self._name, self._key_name or "", {})
        self._endpoint = Endpoint(alias, self._settings, words)
        self._alias = alias
        start = Capabilities(logprobs=False, lengths=False, seed=self._backend.seed is not None)
        start.mode = next((m for m in MODES if m not in self._backend.without), start.mode)
        self._negotiator = Negotiator(self.identity(), settings.mode, start, around.memory)
        self._client: Any = None
        self._creates: dict[str, Create] = {}
        self._close: Callable[[], Awaitable[Any]] | None = None
        self._session: Any = None

    def identity(self) -> dict[str, Any]:
        """Return provider, model, and the address where it is not the provider's own."""
        address = self._settings.base_url or os.environ.get(self._backend.address or "")
        out = {"provider": "instructor", "model": f"{self._name}/{self._model}"}
        return {**out, "base_url": address.rstrip("/")} if address else out

    async def complete(self, request: ProviderRequest) -> ProviderReply:
        """Answer one request; raises ProviderError."""
        return await self._negotiator.ask(request, self._body, self._send, self._adapt, self._read)

    async def check(self) -> str:
        """Return a line about the provider; raises ProviderError.

        Asks for the list of models where the provider's package has it.
        """
        self._connect()
        where = f"{self._name} through instructor, model '{self._model}'"
        listed = dig(self._client, "models", "list")
        note = "its package and key are there; nothing was asked"
        if listed is not None and dig(self._client, "with_options") is not None:
            try:
                async with asyncio.timeout(self._settings.timeout):
                    await listed()
                note = "reachable"
            except Exception as error:
                failure = self._failure(error)
                if not isinstance(failure, RejectedError) and "status 404" not in str(failure):
                    raise failure from None
        capabilities = self._negotiator.described()
        return f"{where}: {note}" + ("" if capabilities is None else f"; {capabilities}")

    async def close(self) -> None:
        """Close the connections."""
        close, self._close = self._close, None
        self._creates, self._client = {}, None
        if close is not None:
            with contextlib.suppress(Exception):
                await close()

    # One request

    def _body(self, request: ProviderRequest) -> dict[str, Any]:
        capabilities, backend = self._negotiator.capabilities, self._backend
        messages = [dict(message) for message in as_taken(request.messages, capabilities)]
        if self._name == "google":
            for message in messages:
                message["role"] = {"assistant": "model"}.get(message["role"], message["role"])
        body: dict[str, Any] = {"model": self._model, "messages": messages}
        body[capabilities.limit] = request.max_tokens
        if capabilities.temperature:
            body["temperature"] = request.temperature
        if capabilities.seed and backend.seed and request.temperature > 0:
            body[backend.seed] = request.seed
        body |= {"response_model": None, _MODE: capabilities.mode}
        if request.schema is not None and capabilities.mode == "json" and not capabilities.system:
            # instructor would put the schema into a message of the system.
            messages[-1]["content"] += f"\n\n{told(request.schema)}"
        elif request.schema is not None:
            schema = request.schema
            if capabilities.mode == "json_schema":
                schema = without(schema, LIMITS)
            if self._name == "google":
                # Its schemas are OpenAPI's, which have no such word.
                schema = without(schema, frozenset({"additionalProperties"}))
            body["response_model"] = heard_as(request.schema_name, json.dumps(schema))
        body.update(request.extra)
        return body

    async def _send(self, body: dict[str, Any]) -> tuple[str | None, Any, Mapping[str, Any]]:
        """Return what instructor read, the provider's own reply, and the schema it is to fit."""
        from instructor.core.hooks import Hooks

        body = dict(body)
        create = self._create(body.pop(_MODE))
        replies: list[Any] = []
        hooks = Hooks()
        hooks.on("completion:response", replies.append)
        wanted = body["response_model"]
        heard: Any = None
        try:
            # The packages' own limits are on the wait for the next bytes; this one is on the whole.
            async with asyncio.timeout(self._settings.timeout):
                heard = await create(max_retries=0, strict=False, hooks=hooks, **body)
        except Exception as error:
            # A reply that came and could not be read was paid for: it is an answer, of a kind.
            if not replies:
                failed = self._failure(error)
                if not isinstance(failed, MisshapenError):
                    raise failed from None
                replies.append(failed.as_body())
        schema = {} if wanted is None else wanted.lupom_schema()
        if wanted is None:
            return None, heard, schema
        return getattr(heard, "heard", None), replies[-1] if replies else None, schema

    def _read(
        self, answered: tuple[str | None, Any, Mapping[str, Any]], _sent: Mapping[str, Any]
    ) -> ProviderReply:
        heard, raw, schema = answered
        if not is_reply(raw):
            shown = " ".join(str(raw).split())[:120]
            raise self._endpoint.error(f"the body is not an answer: {shown}", retryable=True)
        texts = texts_of(raw)
        if heard is not None and (not texts or fits(heard, schema, exactly=True)):
            # Where instructor found no answer, the ledger has all that the model wrote.
            texts = [heard, *texts]
        usage: dict[str, Any] = {**usage_of(raw)}
        end = end_of(finish_of(raw))
        return ProviderReply((texts or [""])[0], finish_reason=end, otherwise=texts[1:], **usage)

    def _adapt(self, about: str, body: Mapping[str, Any]) -> bool:
        """Give up what was complained about; False when that is nothing we can do without."""
        capabilities = self._negotiator.capabilities
        if "max_completion_tokens" in about and "max_tokens" in body:
            capabilities.limit = "max_completion_tokens"
        elif "seed" in about and self._backend.seed in body:
            capabilities.seed = False
        elif "temperature" in about and "temperature" in body:
            capabilities.temperature = False
        elif body["response_model"] is not None and any(word in about for word in _STRUCTURE):
            return self._negotiator.weaken(body[_MODE])
        else:
            return with_fewer(capabilities, about, [m["role"] for m in body["messages"]])
        return True

    # The provider's package

    def _create(self, ours: str) -> Create:
        """Return the call that asks in one of our modes, or in the next one that there is."""
        self._connect()
        modes = [*MODES[MODES.index(ours) :], *reversed(MODES[: MODES.index(ours)])]
        return next(self._creates[mode] for mode in modes if mode in self._creates)

    def _connect(self) -> None:
        """Make the client of the provider's package, once; raises ProviderError."""
        if self._creates:
            return
        self._backend.check(self._name)
        # It logs each failure that the gateway is told of anyway, as an error.
        quieten("instructor")
        try:
            create, provider = self._made()
        except ProviderError:
            raise
        except Exception as error:
            raise self._endpoint.error(
                f"instructor cannot make a client for '{self._name}': {innermost(error) or error}"
            ) from None
        from instructor import patch

        modes = modes_of(self._backend, provider)
        if self._negotiator.fixed and self._settings.mode not in modes:
            raise self._endpoint.error(
                f"'{self._name}' is not asked by mode '{self._settings.mode}' through instructor",
                hint=f"mode: auto, or one of {', '.join(modes)}",
            )
        self._creates = {
            ours: patch(create=create, mode=mode, provider=provider) for ours, mode in modes.items()
        }

    def _made(self) -> tuple[Create, Any]:
        """Return the plain call of the provider's package, and instructor's word for it."""
        if self._name == "bedrock":
            return self._converse()
        from instructor import from_provider

        key = os.environ.get(self._key_name or "", "")
        if self._backend.keys and not key and self._settings.base_url is None:
            raise self._endpoint.error(
                f"there is no API key in the environment variable {self._key_name}",
                hint=f"export {self._key_name}=..., or name another under api_key_env",
            )
        options: dict[str, Any] = {"api_key": key or "none"} if self._backend.keys else {}
        options.update(self._addressed())
        made = from_provider(f"{self._name}/{self._model}", async_client=True, **options)
        self._client = made.client
        # The package's own call, to be wrapped once for each mode.
        wrapped: Any = made.create_fn
        return self._settled(wrapped.__wrapped__), made.provider

    def _converse(self) -> tuple[Create, Any]:
        """Return Bedrock's Converse in threads: instructor's own call of it holds up the loop."""
        from instructor import Provider

        from lupom.engine.llm.providers.aws import Runtime

        settings = self._settings
        runtime = Runtime(
            self._alias, settings, threads=settings.concurrency, under=f"llms.{self._alias}"
        )
        self._close = runtime.close

        async def converse(**body: Any) -> dict[str, Any]:
            body.pop("modelId", None)
            return await runtime.call("converse", **body)

        return converse, Provider.BEDROCK

    def _addressed(self) -> dict[str, Any]:
        """Return what tells a package at its making where to go and with which headers."""
        url, headers = self._settings.base_url, self._settings.headers
        if self._name == "google":
            # One attempt: left to itself it tries a broken connection once more after some seconds.
            options = {"headers": headers or None, "retry_options": {"attempts": 1}}
            self._session = aiohttp_session()
            return {"http_options": {"base_url": url, "aiohttp_client": self._session, **options}}
        if self._name == "azure_openai":
            return {"azure_endpoint": url} if url else {}
        is_openai = "openai" in self._backend.packages and self._name != "perplexity"
        return {"base_url": url} if url and is_openai else {}

    def _settled(self, create: Create) -> Create:
        """Take a package's own retries away, and give it the alias's address and headers."""
        client, settings = self._client, self._settings
        url, headers = settings.base_url, dict(settings.headers)
        fixed: dict[str, Any] = {}
        if hasattr(client, "max_retries"):
            # Made by one generator: OpenAI's, Anthropic's, Groq's, Cerebras's, Writer's.
            client.max_retries = 0
            self._close = client.close
            keeps_whole_of(client._client, as_object)  # noqa: SLF001
            if url and self._name != "azure_openai":
                client.base_url = url
            create = _outside(create)
            fixed = {"extra_headers": headers} if headers else {}
        elif self._name == "mistral":
            self._close = functools.partial(client.__aexit__, None, None, None)
            keeps_whole_of(client.sdk_configuration.async_client, as_object)
            if url:
                client.sdk_configuration.server_url = url
            fixed = {"http_headers": headers} if headers else {}
        elif self._name == "google":
            self._close = _both(client.aio.aclose, self._session.close)
            create = _unsystematic(create)
        elif self._name == "litellm":
            fixed = {"num_retries": 0, **({"base_url": url} if url else {})}
            fixed.update({"extra_headers": headers} if headers else {})
        elif url or headers:
            which = "base_url" if url else "headers"
            raise self._endpoint.error(f"'{self._name}' takes no '{which}' through instructor")
        if self._name == "cohere":
            fixed = {"request_options": {"max_retries": 0}}

        async def settled(**body: Any) -> Any:
            return await create(**{**fixed, **body})

        return settled

    # Failures

    def _failure(self, error: Exception) -> ProviderError:
        """Make the error of whatever a package raised: what can be retried and what cannot."""
        while type(error).__module__.startswith("instructor") and error.__cause__ is not None:
            error = error.__cause__  # type: ignore[assignment]
        if isinstance(error, ProviderError):
            return error
        if isinstance(error, LLMError):
            return self._endpoint.error(error.message, hint=error.hint)
        status = _status(error)
        written = None if status != 400 else written_in(error)
        if written is not None:
            return MisshapenError(self._endpoint.without_secrets(_said(error)[0]), written)
        if status is not None:
            message, code = _said(error)
            wait = retry_after(_headers(error))
            failed = self._endpoint.failed(
                status, message, code=code, wait=_delay(error) if wait is None else wait
            )
            if status == 404:
                failed.hint = f"is there a model '{self._model}' at {self._name}?"
            return failed
        kind = type(error).__name__
        if isinstance(error, TimeoutError) or "Timeout" in kind:
            return self._endpoint.error(
                f"no answer within {self._settings.timeout:g} s", retryable=True
            )
        if is_transport(error) or "Connection" in kind:
            text = innermost(error) or kind
            return self._endpoint.error(text, retryable=True, broke_off=broke_off(error))
        if isinstance(error, json.JSONDecodeError):
            came = error.doc.strip()
            said = "is empty" if not came else "breaks off" if is_cut(came) else "is not JSON"
            text = f"the body {said}" + (f": {came[:80]!r}" if came else "")
            cut = said != "is not JSON"
            return self._endpoint.error(text, retryable=True, broke_off=cut)
        if isinstance(error, ValueError) or "Validation" in kind:
            told = " ".join(str(error).split())[:200]
            cut = is_cut(str(getattr(error, "body", None) or ""))
            said = "breaks off" if cut else "is not an answer"
            return self._endpoint.error(f"the body {said}: {told}", retryable=True, broke_off=cut)
        return self._endpoint.error(f"{kind}: {error}")


def _both(*closes: Callable[[], Awaitable[Any]]) -> Callable[[], Awaitable[Any]]:
    """Return what does several closings, each whether another fails or not."""

    async def close() -> None:
        await asyncio.gather(*(one() for one in closes), return_exceptions=True)

    return close


def _outside(create: Create) -> Create:
    """Let a call have parameters that its package has no name for: anthropic 2 has none for a
    temperature, which its models take."""
    known = frozenset(inspect.signature(create).parameters)

    async def called(**body: Any) -> Any:
        strange = {name: body.pop(name) for name in [*body] if name not in known}
        if strange:
            body["extra_body"] = {**strange, **(body.get("extra_body") or {})}
        return await create(**body)

    return called


def _unsystematic(create: Create) -> Create:
    """Leave out the system's message where it says nothing; instructor sends an empty one."""

    async def called(**body: Any) -> Any:
        config = body.get("config")
        if dig(config, "system_instruction") is None and config is not None:
            config.system_instruction = None
        return await create(**body)

    return called


def _status(error: BaseException) -> int | None:
    """Return the HTTP status that an error is about, as several packages name it."""
    if type(error).__module__.split(".")[0] == "aiohttp":
        # It puts a status of its own on what it cannot parse.
        return None
    code = getattr(error, "code", None)
    found = [getattr(error, "status_code", None), code, dig(error, "response", "status_code")]
    for value in found:
        if isinstance(value, int) and 400 <= value < 600:
            return value
    if callable(code):
        return _GRPC.get(getattr(code(), "name", ""))
    return None


def _headers(error: BaseException) -> Mapping[str, str]:
    for found in (dig(error, "response", "headers"), getattr(error, "headers", None)):
        if isinstance(found, Mapping):
            return {str(name).lower(): str(value) for name, value in found.items()}
    return {}


# How packages write that a body was empty.
_NOTHING = re.compile(
    r'(Error code: )?\d{3}( None\. None)?$|API error occurred: Status \d+\. Body: ""$'
)


def _said(error: BaseException) -> tuple[str, str]:
    """Return a provider's message and its own code for what is wrong."""
    body = getattr(error, "body", None) or getattr(error, "details", None)
    if isinstance(body, str | bytes):
        with contextlib.suppress(ValueError):
            body = json.loads(body)
    inner = dig(body, "error") if isinstance(dig(body, "error"), Mapping) else body
    told = next((t for name in ("message", "detail") if (t := dig(inner, name))), None)
    message = told or getattr(error, "message", None) or str(error)
    message = "no reason given" if _NOTHING.match(str(message)) else message
    words = [dig(inner, name) or getattr(error, name, None) for name in ("code", "type", "status")]
    return str(message)[:400], " ".join(str(word) for word in words if isinstance(word, str))


def _delay(error: BaseException) -> float | None:
    """Return the seconds that Google asks to wait, which it says in the body."""
    for detail in dig(error, "details", "error", "details") or ():
        with contextlib.suppress(ValueError, AttributeError, TypeError):
            return float(detail["retryDelay"].removesuffix("s")) if "retryDelay" in detail else None
    return None


__all__ = ["Backend", "InstructorProvider"]
