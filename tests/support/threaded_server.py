"""Test servers on loopback: each in a thread of its own, with an event loop of its own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from aiohttp import web


class ThreadedServer:
    """A context manager; what inherits it serves in `_serve` until `_closing` is set."""

    port: int = 0
    _thread: threading.Thread | None = None
    _loop: asyncio.AbstractEventLoop | None = None
    _closing: asyncio.Event

    def __enter__(self) -> Self:
        ready = threading.Event()
        self._thread = threading.Thread(
            target=lambda: asyncio.run(self._run(ready.set)), name=type(self).__name__, daemon=True
        )
        self._thread.start()
        if not ready.wait(10):
            raise RuntimeError("the test server did not start")
        return self

    def __exit__(self, *_: object) -> None:
        if self._loop is not None and self._thread is not None:
            self._loop.call_soon_threadsafe(self._closing.set)
            self._thread.join(10)

    async def _run(self, ready: Callable[[], None]) -> None:
        self._loop, self._closing = asyncio.get_running_loop(), asyncio.Event()
        await self._serve(ready)

    async def _serve(self, ready: Callable[[], None]) -> None:
        """Set `port`, call `ready`, and serve."""
        raise NotImplementedError

    async def _serve_app(self, app: web.Application, ready: Callable[[], None]) -> None:
        from aiohttp import web

        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", self.port, backlog=4096).start()
        self.port = runner.addresses[0][1]
        ready()
        await self._closing.wait()
        await runner.cleanup()
