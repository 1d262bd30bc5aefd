"""Connections that fail, in words: what happened, whichever package says it in its own way.

aiohttp writes a cut body as "400, message:", a server that is gone as its own half-read headers;
botocore and httpx have sentences of theirs. What counts is how far the answer had come.
"""

from __future__ import annotations

import importlib
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import suppress
from typing import Any

from lupom.engine.llm.providers.base import ProviderError
from lupom.engine.llm.providers.faults import fault_in

_MESSAGE = 400
_PACKAGES = ("aiohttp", "httpx", "httpx2", "httpcore", "anyio", "urllib3")
# What packages call a body that ends too soon, one that cannot be unpacked, and what is not HTTP.
_CUT = frozenset(
    {"ClientPayloadError", "TransferEncodingError", "ContentLengthError", "PayloadEncodingError"}
    | {"IncompleteRead", "IncompleteReadError", "ResponseStreamingError", "InvalidChunkLength"}
)
_PACKED = frozenset({"ContentEncodingError", "DecodingError", "DecodeError"})
_NOT_HTTP = frozenset(
    {"BadStatusLine", "BadHttpMessage", "BadHttpMethod", "LineTooLong", "InvalidHeader"}
    | {"LocalProtocolError", "UnknownProtocol"}
)
_GONE = frozenset(
    {"ServerDisconnectedError", "RemoteDisconnected", "ConnectionClosedError"}
    | {"RemoteProtocolError", "EOFError"}
)
_CUT_WORDS = re.compile(
    r"not enough data|incomplete (chunked )?read|ended prematurely|without sending complete"
)
_COUNTS = re.compile(r"(\d+)\D{0,20}(?: of |expected )(\d+)")


def mended(content: bytes) -> bytes | None:
    """Return the body of an answer that is whole: as it is, or with its whole members where it
    breaks off behind the answer itself, in its usage; None for any other.
    """
    if _is_object(content):
        return content
    text = content.decode("utf-8", "replace").lstrip("\ufeff \t\r\n")
    with suppress(ValueError, RecursionError):
        # A whole object and more: a body of lines, each a part of the answer.
        _DECODER.raw_decode(text)
        return None
    members = _members(text)
    if not any(members.keys() >= names for names in _ANSWERS):
        return None
    if "choices" in members:
        # Mistral's package takes no body without it.
        members.setdefault("usage", {})
    return json.dumps(members).encode()


# What of a body is its answer: of OpenAI and its like, Anthropic, Converse, Google.
_ANSWERS: tuple[frozenset[str], ...] = (
    frozenset({"choices"}),
    frozenset({"content", "stop_reason"}),
    frozenset({"output", "stopReason"}),
    frozenset({"candidates"}),
)
_DECODER = json.JSONDecoder(strict=False)
_NEXT = re.compile(r"[ \t\r\n]*[{,][ \t\r\n]*(?=\")")
_COLON = re.compile(r"[ \t\r\n]*:[ \t\r\n]*")


def _members(text: str) -> dict[str, Any]:
    """Return the members of an object that are whole, up to where it breaks off."""
    found: dict[str, Any] = {}
    place = 0
    while (begun := _NEXT.match(text, place)) is not None:
        try:
            name, after = _DECODER.raw_decode(text, begun.end())
            colon = _COLON.match(text, after)
            if colon is None:
                break
            value, place = _DECODER.raw_decode(text, colon.end())
        except (ValueError, RecursionError):
            break
        if place == len(text) and not isinstance(value, dict | list | str):
            # Of a number some digits may be missing.
            break
        found[name] = value
    return found


Read = Callable[[bytes], "bytes | None"]


def keeps_whole(httpx: Any, read: Read | None = None) -> Callable[[Any], Awaitable[None]]:
    """Return an event hook that takes a body for read of which the answer came whole, although its
    connection then ended as it should not.

    Some gateways leave out the last chunk, or count more bytes than they send; what they sent was
    paid for. `httpx` is the package whose responses it is given; `read` makes of a body the object
    that it means, for whoever takes nothing else, and returns None where it means none.
    """

    class Whole(httpx.AsyncByteStream):  # type: ignore[misc]
        def __init__(self, stream: Any) -> None:
            self._stream = stream

        async def __aiter__(self) -> AsyncIterator[bytes]:
            parts: list[bytes] = []
            try:
                async for part in self._stream:
                    parts.append(part)
                whole = None if read is None else read(b"".join(parts))
            except Exception as error:
                whole = mended(b"".join(parts)) if broke_off(error) else None
                if whole is None:
                    raise
            yield b"".join(parts) if whole is None else whole

        async def aclose(self) -> None:
            await self._stream.aclose()

    async def hook(response: Any) -> None:
        # The first line of a file that was cut is an object, too: only answers are looked at.
        if response.request.method == "POST":
            response.stream = Whole(response.stream)

    return hook


def keeps_whole_of(client: Any, read: Read) -> None:
    """Have a package's client of httpx, or of its successor, do as `keeps_whole` says."""
    for kind in type(client).__mro__:
        name = kind.__module__.split(".")[0]
        if kind.__name__ == "AsyncClient" and name in ("httpx", "httpx2"):
            hook = keeps_whole(importlib.import_module(name), read)
            hooks = client.event_hooks
            client.event_hooks = {**hooks, "response": [*hooks["response"], hook]}


def aiohttp_session() -> Any:
    """Return a session of aiohttp that does as `keeps_whole` says, with no limit on connections; to
    be made on the loop it is used on."""
    import aiohttp

    class Whole(aiohttp.ClientResponse):
        async def read(self) -> bytes:
            if self._body is None:
                parts: list[bytes] = []
                try:
                    async for part in self.content.iter_any():
                        parts.append(part)
                    whole = mended(b"".join(parts))
                except Exception as error:
                    whole = mended(b"".join(parts)) if broke_off(error) else None
                    if self.method != "POST" or whole is None:
                        raise
                self._body = b"".join(parts) if whole is None else whole
            return self._body

    connector = aiohttp.TCPConnector(limit=0)
    return aiohttp.ClientSession(connector=connector, trust_env=True, response_class=Whole)


def keeps_whole_of_botocore(client: Any) -> None:
    """Have a client of boto3 do as `keeps_whole` says.

    botocore itself reads a body that is shorter than announced, but none whose last chunk lacks.
    """
    session = getattr(getattr(client, "_endpoint", None), "http_session", None)
    if session is None:
        return
    from botocore.exceptions import (  # type: ignore[import-untyped,import-not-found,unused-ignore]
        ConnectionClosedError,
        ReadTimeoutError,
    )
    from urllib3.exceptions import ProtocolError
    from urllib3.exceptions import ReadTimeoutError as ReadTimedOut

    def send(request: Any, **_: Any) -> Any:
        if request.stream_output or request.method != "POST":
            return None
        # Left to be read here.
        request.stream_output = True
        response = session.send(request)
        parts: list[bytes] = []
        try:
            for part in response.raw.stream():
                parts.append(part)
            whole = mended(b"".join(parts))
        except ReadTimedOut as error:
            raise ReadTimeoutError(endpoint_url=request.url, error=error) from error
        except ProtocolError as error:
            whole = mended(b"".join(parts))
            if whole is None:
                raise ConnectionClosedError(
                    error=error, request=request, endpoint_url=request.url
                ) from error
        response._content = b"".join(parts) if whole is None else whole  # noqa: SLF001
        if whole is not None and response.status_code == 200:
            # botocore leaves out what it does not know, an error among it.
            fault = fault_in(json.loads(whole))
            if fault is not None:
                raise ProviderError(
                    f"status {fault.status}: {fault.message[:_MESSAGE]}",
                    retryable=fault.status >= 500 or fault.status == 429,
                )
        return response

    client.meta.events.register("before-send", send)


def _is_object(content: bytes) -> bool:
    try:
        return isinstance(json.loads(content), dict)
    except (ValueError, RecursionError):
        return False


def is_transport(error: BaseException) -> bool:
    """Tell whether a connection failed, and not what was said over it."""
    if isinstance(error, OSError | EOFError):
        return True
    return type(error).__module__.split(".")[0] in _PACKAGES


def broke_off(error: BaseException) -> bool:
    """Tell whether an answer had begun to come and then ended too soon."""
    return _kind(error) == "cut"


def innermost(error: BaseException) -> str:
    """Return what happened to a connection, or the text of the innermost cause, which says more
    than 'Connection error.'."""
    kind = _kind(error)
    if kind == "cut":
        counts = _COUNTS.search(" ".join(map(str, _chain(error))))
        came = f" ({counts[1]} of {counts[2]} bytes came)" if counts else ""
        return f"the connection broke off in the middle of the answer{came}"
    if kind == "gone":
        return "the connection was closed before an answer came"
    last = error
    while last.__cause__ is not None:
        last = last.__cause__
    # aiohttp's errors of parsing carry a status of their own making.
    said = getattr(last, "message", None) if _is_of(last, "aiohttp") else None
    text = " ".join(str(said if isinstance(said, str) else last).split())[:_MESSAGE]
    if kind == "packed":
        return f"the answer cannot be unpacked: {text}"
    return f"what came back is not HTTP: {text}" if kind == "not HTTP" else text


def is_cut(text: str) -> bool:
    """Tell whether a text begins as JSON does and breaks off."""
    text = text.strip()
    if not text.startswith(("{", "[")):
        return False
    try:
        json.loads(text)
    except RecursionError:
        return False
    except ValueError:
        return True
    return False


def _kind(error: BaseException) -> str | None:
    """Return 'cut', 'packed', 'not HTTP' or 'gone'; None for other failures."""
    chain = list(_chain(error))
    names = {kind.__name__ for one in chain for kind in type(one).__mro__}
    text = " ".join(map(str, chain)).lower()
    if names & _PACKED:
        return "packed"
    if _CUT_WORDS.search(text) or (names & _CUT and not names & _NOT_HTTP - {"BadHttpMessage"}):
        return "cut"
    if "RemoteDisconnected" in names:
        # To the standard library it is a bad status line.
        return "gone"
    if names & _NOT_HTTP or "illegal status line" in text:
        return "not HTTP"
    return "gone" if names & _GONE else None


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and its causes; botocore keeps them as what was going on."""
    seen: set[int] = set()
    now: BaseException | None = error
    while now is not None and id(now) not in seen:
        seen.add(id(now))
        yield now
        hidden = now.__suppress_context__
        now = now.__cause__ or (None if hidden or not _is_of_botocore(now) else now.__context__)


def _is_of(error: BaseException, package: str) -> bool:
    return type(error).__module__.split(".")[0] == package


def _is_of_botocore(error: BaseException) -> bool:
    return _is_of(error, "botocore") or _is_of(error, "urllib3")
