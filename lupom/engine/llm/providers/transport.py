"""Connections that fail, in words: what happened, whichever package says it in its own way.

aiohttp writes a cut body as "400, message:", a server that is gone as its own half-read headers;
botocore and httpx have sentences of theirs. What counts is how far the answer had come.
"""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

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


def keeps_whole(httpx: Any) -> Callable[[Any], Awaitable[None]]:
    """Return an event hook that takes a body for read which came whole, although its connection
    then ended as it should not.

    Some gateways leave out the last chunk, or count more bytes than they send; what they sent was
    paid for. `httpx` is the package whose responses it is given.
    """

    class Whole(httpx.AsyncByteStream):  # type: ignore[misc]
        def __init__(self, stream: Any) -> None:
            self._stream = stream

        async def __aiter__(self) -> AsyncIterator[bytes]:
            parts: list[bytes] = []
            try:
                async for part in self._stream:
                    parts.append(part)
                    yield part
            except Exception as error:
                if not broke_off(error) or not _is_object(b"".join(parts)):
                    raise

        async def aclose(self) -> None:
            await self._stream.aclose()

    async def hook(response: Any) -> None:
        # The first line of a file that was cut is an object, too: only answers are looked at.
        if response.request.method == "POST":
            response.stream = Whole(response.stream)

    return hook


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
