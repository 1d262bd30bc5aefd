"""A server that answers every request with the same bytes and hangs up: for answers that break off.

with RawServer(b"HTTP/1.1 200 OK\\r\\ncontent-length: 500\\r\\n\\r\\n{") as server: ...
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import Callable
from dataclasses import dataclass

from tests.support.threaded_server import ThreadedServer

HEAD = b"HTTP/1.1 %s\r\ncontent-type: application/json\r\n"


def cut_at(status: bytes, part: bytes) -> bytes:
    """Return a response that says it has 500 bytes and has fewer."""
    return HEAD % status + b"content-length: 500\r\n\r\n" + part


def cut_chunks(part: bytes) -> bytes:
    """Return a response in chunks without the last one."""
    head = HEAD % b"200 OK" + b"transfer-encoding: chunked\r\n\r\n"
    return head + b"%x\r\n%s\r\n" % (len(part), part)


@dataclass
class RawServer(ThreadedServer):
    """The server, in a thread of its own; a context manager."""

    response: bytes
    requests: int = 0

    async def _serve(self, ready: Callable[[], None]) -> None:
        server = await asyncio.start_server(self._answer, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        ready()
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
