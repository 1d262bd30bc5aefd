"""The official clients of OpenAI and Anthropic for any address, with one way of failing.

Both are made by the same generator and look alike from here.

Requests go through the client's own `post` with the plain response as its result: keys, headers,
connections, timeouts and errors are the client's, and the body is parsed here. Measured at 500
calls in flight: 0.6 ms of CPU a call, beside 1.2 for `chat.completions.create`, which builds an
object for every alternative token.
"""

from __future__ import annotations

import asyncio
import email.utils
import importlib
import math
import os
import re
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import cache
from types import ModuleType
from typing import TYPE_CHECKING, Any, TypeVar

from lupom.engine.errors import LLMError
from lupom.engine.llm.providers.base import ProviderError
from lupom.engine.llm.providers.faults import Fault, fault_in, fault_of
from lupom.engine.llm.providers.replies import NoReplyError, body_of
from lupom.engine.llm.providers.transport import (
    broke_off,
    innermost,
    is_cut,
    is_transport,
    keeps_whole,
)
from lupom.engine.llm.settings.openai import URL

if TYPE_CHECKING:
    import ssl

    from lupom.engine.project.providers import AddressSettings

T = TypeVar("T")
# Longer than this a provider means "tomorrow", and waiting is not an answer.
LONGEST_WAIT = 300.0
_MESSAGE = 400


@dataclass(frozen=True, slots=True)
class Sdk:
    """An official client: its package and class, its own address, the variable of its key."""

    package: str
    client: str
    url: str
    key: str
    options: Mapping[str, Any]


OPENAI = Sdk("openai", "AsyncOpenAI", URL, "OPENAI_API_KEY", {})
ANTHROPIC = Sdk(
    *("anthropic", "AsyncAnthropic", "https://api.anthropic.com", "ANTHROPIC_API_KEY"),
    # Traces are nobody's business unless the user's program asks for them.
    {"open_telemetry": False},
)


class Endpoint:
    """One address and how it is spoken to.

    The key comes from the environment variable the settings name, OPENAI_API_KEY or
    ANTHROPIC_API_KEY by default, and from nowhere else; to an address of one's own the default is
    not sent. No key and no header's value gets into an error.
    """

    def __init__(self, alias: str, settings: AddressSettings, sdk: Sdk = OPENAI) -> None:
        self.alias = alias
        self.url = (settings.base_url or sdk.url).rstrip("/")
        self.model = settings.model or ""
        self._settings = settings
        self._sdk = sdk
        self._key_name = settings.api_key_env or (None if settings.base_url else sdk.key)
        self._client: Any = None
        self._response: Any = None
        self._answered = False

    async def post(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Send a body, return the body that comes back; raises ProviderError only."""
        return await self._call("post", path, body)

    async def get(self, path: str) -> dict[str, Any]:
        """Return what stands at a path; raises ProviderError only."""
        return await self._call("get", path, None)

    async def close(self) -> None:
        """Close the connections."""
        client, self._client = self._client, None
        if client is not None:
            await client.close()

    def error(self, message: str, **options: Any) -> ProviderError:
        """Make an error that names the address, with secrets out."""
        return ProviderError(self.without_secrets(message), **options)

    def without_secrets(self, text: str) -> str:
        """Return a text in which no key and no header's value can be read."""
        secrets = [os.environ.get(self._key_name or "", ""), *self._settings.headers.values()]
        for secret in sorted(secrets, key=len, reverse=True):
            if len(secret) >= 4:
                text = text.replace(secret, "***")
        # Providers quote keys with their middle left out.
        text = re.sub(r"\b(sk|key)-[\w*.-]{6,}", "***", text)
        return re.sub(r"(?i)bearer\s+[^\s'\",]+", "Bearer ***", text)

    def _connected(self) -> Any:
        if self._client is not None:
            return self._client
        key = os.environ.get(self._key_name or "", "")
        if not key and self._settings.base_url is None:
            raise self.error(
                f"there is no API key in the environment variable {self._key_name}",
                hint=f"export {self._key_name}=..., or name another under api_key_env",
            )
        sdk = self._module()
        try:
            import httpx2 as httpx
        except ImportError:
            import httpx  # type: ignore[no-redef]

        self._response = httpx.Response
        # No limit here: the semaphores of clients limit requests. httpx itself slows down with many
        # connections in flight, aiohttp does not. To aiohttp no limit is 0; None is a hundred.
        verify = _trusted(httpx, os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR"))
        try:
            http = sdk.DefaultAioHttpClient(limits=_limits(httpx, 0), verify=verify)
        except RuntimeError:
            http = sdk.DefaultAsyncHttpxClient(limits=_limits(httpx, None), verify=verify)
        http.event_hooks = {"response": [keeps_whole(httpx)]}
        headers = dict(self._settings.headers)
        # The client insists on a key; servers of one's own ignore the word sent in its place.
        self._client = getattr(sdk, self._sdk.client)(
            base_url=self.url,
            api_key=key or "none",
            max_retries=0,
            timeout=self._settings.timeout,
            default_headers=headers,
            http_client=http,
            **self._sdk.options,
        )
        return self._client

    def _module(self) -> Any:
        name = self._sdk.package
        try:
            return importlib.import_module(name)
        except ImportError as error:
            raise ProviderError(
                f"the package {name} cannot be imported: {error}",
                hint=f"pip install 'lupom[{name}]'",
            ) from None

    async def _call(self, verb: str, path: str, body: Mapping[str, Any] | None) -> dict[str, Any]:
        async def action(client: Any) -> bytes:
            if verb == "get":
                response = await client.get(path, cast_to=self._response)
            else:
                response = await client.post(path, body=body, cast_to=self._response)
            content: bytes = response.content
            return content

        content = await self.use(action)
        try:
            return body_of(content)
        except NoReplyError as error:
            hint = None
            if "web page" in str(error):
                hint = f"is base_url {self.url} right? It often ends in /v1"
            raise self.error(
                str(error), retryable=True, hint=hint, broke_off=error.broke_off
            ) from None

    def raise_fault(self, body: Mapping[str, Any]) -> None:
        """Raise the ProviderError of an error that a body carries, whatever status it came under.

        One within the choice is an error of the provider behind a gateway.
        """
        fault = fault_in(body)
        choices = body.get("choices")
        choice = choices[0] if isinstance(choices, list) and choices else None
        if fault is None and isinstance(choice, Mapping):
            if choice.get("error"):
                fault = fault_of(choice["error"])
            elif choice.get("finish_reason") == "error" and not _has_text(choice):
                fault = Fault(502, "the provider ended with an error")
        if fault is not None:
            raise self.failed(
                fault.status, fault.message[:_MESSAGE], code=fault.code, param=fault.param
            )
        self._answered = True

    async def use(self, action: Callable[[Any], Awaitable[T]], timeout: float | None = None) -> T:
        """Do something with the client, within the alias's `timeout` or another one.

        Raises ProviderError only.
        """
        sdk = self._module()
        client = self._connected()
        timeout = timeout or self._settings.timeout
        try:
            # The client's own limit is on the wait for the next bytes; this one is on the whole.
            async with asyncio.timeout(timeout):
                return await action(client)
        except sdk.APIStatusError as error:
            raise self._status(error) from None
        except (TimeoutError, sdk.APITimeoutError) as error:
            cause = innermost(error)
            refused = bool(cause) and "timeout" not in cause.lower()
            text = cause if refused else f"no answer within {timeout:g} s"
            hint = self._connection_hint(text) if refused and not self._answered else None
            raise self.error(text, retryable=True, hint=hint) from None
        except Exception as error:
            if isinstance(error, LLMError):
                raise
            if not isinstance(error, sdk.APIConnectionError) and not is_transport(error):
                raise self.error(f"{type(error).__name__}: {error}") from None
            text = innermost(error) or type(error).__name__
            cut = broke_off(error)
            hint = None if cut or self._answered else self._connection_hint(text)
            raise self.error(text, retryable=True, broke_off=cut, hint=hint) from None

    def _status(self, error: Any) -> ProviderError:
        came = error.response.text
        written = written_in(error)
        if written is not None:
            return MisshapenError(self.without_secrets(_message(error)), written)
        if error.status_code in (400, 413, 422) and is_cut(came):
            # What it says of the request did not come whole, so it says nothing.
            text = f"status {error.status_code}, and the body breaks off: {came[:80]!r}"
            return self.error(text, retryable=True, broke_off=True)
        return self.failed(
            error.status_code,
            _message(error),
            code=f"{getattr(error, 'code', None)} {getattr(error, 'type', '')}",
            param=_param(error),
            wait=retry_after(error.response.headers),
        )

    def failed(
        self, status: int, message: str, *, code: str, param: str = "", wait: float | None = None
    ) -> ProviderError:
        """Make the error of an HTTP status: what can be retried, what cannot, and what to do.

        `code` and `param` are the provider's words for what is wrong and with which parameter,
        `wait` the seconds it asks to wait.
        """
        text = f"status {status}: {message}"
        if status == 402 or _is_of_account(f"{code} {message}".lower()):
            return self.error(text, hint="the account has no credit left")
        if status == 429:
            if wait is not None and wait > LONGEST_WAIT:
                return self.error(
                    text, hint=f"it asks to wait {wait / 60:.0f} minutes: run again then"
                )
            return self.error(text, retryable=True, throttled=True, retry_after=wait)
        complaint = f"{code} {message}".lower()
        about = self.without_secrets(f"{param} {complaint}").lower()
        if status >= 500 and is_too_long(complaint):
            return RejectedError(self.without_secrets(text), about=about, refused=True)
        if status >= 500 or status in (408, 409, 425):
            if wait is not None and wait > LONGEST_WAIT:
                wait = LONGEST_WAIT
            return self.error(text, retryable=True, retry_after=wait, about=about)
        if status in (401, 403):
            # A key that has had answers is good: then moderation says 403 of one text, too.
            return self.error(
                text,
                hint=self._key_hint(),
                about=about if status == 403 else "",
                alone=status == 403 and self._answered,
            )
        if status == 404:
            hint = f"is the model '{self.model}' there, and is base_url {self.url} right?"
            return self.error(text, about=about, hint=hint + self.ending())
        refused = is_of_one_request(status, complaint)
        return RejectedError(
            self.without_secrets(text),
            about=about,
            refused=refused,
            alone=not refused and not is_of_form(param, complaint),
        )

    def ending(self) -> str:
        """Say how addresses end, where this one has no path; else ''."""
        return "" if "/" in self.url.split("://", 1)[-1] else " Most end in /v1"

    def _connection_hint(self, text: str) -> str:
        if "WRONG_VERSION" in text:
            return f"does {self.url} speak http:// and not https://?"
        if self._settings.base_url is None:
            return f"is there a connection to {self.url}?"
        return f"does the server run, and is base_url {self.url} right?"

    def _key_hint(self) -> str:
        if self._key_name is None:
            return "it wants a key: name its environment variable under api_key_env"
        if not os.environ.get(self._key_name):
            return f"the environment variable {self._key_name} is not set"
        return (
            f"is the key in the environment variable {self._key_name} right, and may it use"
            f" the model '{self.model}'?"
        )


class RejectedError(ProviderError):
    """A request the provider does not take as it is (400, 413, 422); `about` is its complaint."""

    def __init__(self, message: str, *, about: str, refused: bool, alone: bool = False) -> None:
        super().__init__(message, refused=refused, alone=alone, about=about)


class MisshapenError(ProviderError):
    """A status 400 with what the model wrote, which is not what the provider holds it to: Groq's.

    It is an answer, of a kind, and no complaint about the request. `written` is its text, `cut`
    says that it was cut off.
    """

    def __init__(self, message: str, written: str) -> None:
        super().__init__(message)
        self.written = written
        self.cut = is_of_limit(message)

    def as_body(self) -> dict[str, Any]:
        """Return the chat completion it would have been; what it took is not said."""
        message = {"role": "assistant", "content": self.written}
        return {
            "choices": [{"message": message, "finish_reason": "length" if self.cut else "stop"}]
        }


def written_in(error: Any) -> str | None:
    """Return what a model wrote that a package's error of status 400 has; None where it has not."""
    body = getattr(error, "body", None)
    inner = body.get("error") if isinstance(body, Mapping) else None
    found = inner if isinstance(inner, Mapping) else body
    text = found.get("failed_generation") if isinstance(found, Mapping) else None
    return text if isinstance(text, str) else None


# Complaints about one request's text, in the words of OpenAI, Azure, vLLM and llama.cpp. Words that
# are not here cost no more than that other rows are asked first.
_TOO_LONG = (
    *("context_length", "context length", "maximum context", "exceed_context_size"),
    *("exceeds the context", "context window", "context size"),
)
_OF_ONE_REQUEST = (
    *_TOO_LONG,
    *("too long", "too many tokens", "content_filter", "content_policy"),
    *("content management policy", "invalid_prompt"),
)
# Complaints about the form of requests, which all of them have.
_OF_FORM = re.compile(
    r"parameter|argument|(not|n't) support|unsupported|tool use|unknown|unrecogni[sz]ed"
    r"|not permitted|extra_forbidden|response_format|json_schema|tool_choice"
    r"|api.?version|\bmodel id"
)
# A parameter that holds the text of one request.
_TEXTS = ("", "none", "messages", "prompt", "input", "system", "contents")


def is_of_form(param: str, complaint: str) -> bool:
    """Tell whether a complaint is about what all requests have, so that no other would pass."""
    named = re.split(r"[.\[]", param.lower())[0]
    return named not in _TEXTS or _OF_FORM.search(complaint) is not None


def may_be_alone(status: int, param: str, complaint: str) -> bool:
    """Tell whether a refusal may be one row's own fault: not of key, model or form."""
    return status in (400, 413, 422) and not is_of_form(param, complaint)


def is_too_long(complaint: str) -> bool:
    """Tell whether a text is too long for the model, whatever the status says."""
    return any(word in complaint for word in _TOO_LONG)


_LIMIT = re.compile(r"max(imum)?(new|completion|output)?tokens")


def is_of_limit(complaint: str) -> bool:
    """Tell whether a complaint is about the most tokens that an answer may have."""
    return _LIMIT.search(re.sub(r"[\s_]", "", complaint.lower())) is not None


# An account without credit, in the words of OpenAI, Anthropic, OpenRouter and DeepSeek.
_OF_ACCOUNT = (
    "insufficient_quota",
    "credit balance",
    "insufficient credit",
    "insufficient balance",
)


def _is_of_account(complaint: str) -> bool:
    return any(word in complaint for word in _OF_ACCOUNT)


def is_of_one_request(status: int, complaint: str) -> bool:
    """Tell whether other requests may pass: this text is too long or was filtered."""
    return status == 413 or any(word in complaint for word in _OF_ONE_REQUEST)


@cache
def _trusted(httpx: ModuleType, _file: str | None, _folder: str | None) -> ssl.SSLContext:
    """Return whose certificates are trusted, by the variables that say so: read once, not once a
    client, since it takes 29 ms of CPU."""
    context: ssl.SSLContext = httpx.create_ssl_context()
    return context


def _limits(httpx: Any, most: int | None) -> Any:
    return httpx.Limits(max_connections=most, max_keepalive_connections=None)


def _has_text(choice: Mapping[str, Any]) -> bool:
    message = choice.get("message")
    return isinstance(message, Mapping) and bool(message.get("content"))


def _param(error: Any) -> str:
    return str(getattr(error, "param", None) or "")


def _message(error: Any) -> str:
    body = error.body
    if isinstance(body, dict):
        found = body.get("message") or body.get("detail") or body.get("error")
        if isinstance(found, dict):
            found = found.get("message") or found
        if found:
            return str(found)[:_MESSAGE]
    return str(error.response.text.strip() or "no reason given")[:_MESSAGE]


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds a response asks to wait, None where it does not say.

    What is not a time (a word, not a number, infinity, a date beyond the calendar, more than a
    year) says nothing; what has passed is no wait.
    """
    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        value = str(headers.get(name) or "").strip()
        seconds = _seconds(value, unit)
        if seconds is not None and seconds <= _YEAR:
            return max(0.0, seconds)
    return None


_YEAR = 366 * 86_400.0


def _seconds(value: str, unit: float) -> float | None:
    try:
        seconds = unit * float(re.sub(r"\s*s(ec(ond)?s?)?$", "", value, flags=re.IGNORECASE))
        return seconds if math.isfinite(seconds) else None
    except ValueError:
        pass
    try:
        date = email.utils.parsedate_tz(value)
        return None if date is None else email.utils.mktime_tz(date) - time.time()
    except (ValueError, OverflowError, TypeError, IndexError):
        return None
