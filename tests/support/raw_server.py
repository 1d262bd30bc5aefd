"""A server that answers every request with the same bytes and hangs up: for answers that break off.

with RawServer(b"HTTP/1.1 200 OK\\r\\ncontent-length: 500\\r\\n\\r\\n{") as server: ...
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import threading
from dataclasses import dataclass, field

HEAD = b"HTTP/1.1 %s\r\ncontent-type: application/json\r\n"


def cut_at(status: bytes, part: bytes) -> bytes:
    """Return a response that says it has 500 bytes and has fewer."""
    return HEAD % status + b"content-length: 500\r\n\r\n" + part


def cut_chunks(part: bytes) -> bytes:
    """Return a response in chunks without the last one."""
    head = HEAD % b"200 OK" + b"transfer-encoding: chunked\r\n\r\n"
    return head + b"%x\r\n%s\r\n" % (len(part), part)


@dataclass
class RawServer:
    """The server, in a thread of its own; a context manager."""

    response: bytes
    port: int = 0
    requests: int = 0
    _loop: asyncio.AbstractEventLoop | None = field(default=None, repr=False)
    _thread: threading.Thread | None = field(default=None, repr=False)
    _closing: asyncio.Event | None = field(default=None, repr=False)

    def __enter__(self) -> RawServer:
        ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve(ready)), daemon=True)
        self._thread.start()
        if not ready.wait(10):
            raise RuntimeError("the test server did not start")
        return self

    def __exit__(self, *_: object) -> None:
        if self._loop is not None and self._closing is not None and self._thread is not None:
            self._loop.call_soon_threadsafe(self._closing.set)
            self._thread.join(10)

    async def _serve(self, ready: threading.Event) -> None:
        self._loop, self._closing = asyncio.get_running_loop(), asyncio.Event()
        server = await asyncio.start_server(self._answer, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        ready.set()
        await self._closing.wait()
        server.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            head = await reader.readuntil(b"\r\n\r\n")
            self.requests += 1
            length = re.search(rb"content-length: (\d+)", head, re.IGNORECASE)
            if length:
                await reader.readexactly(int(length[1]))
            elif b"chunked" in head.lower():
                await reader.readuntil(b"0\r\n\r\n")
            writer.write(self.response)
            await writer.drain()
            writer.close()
