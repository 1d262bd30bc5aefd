"""An event loop in a thread of its own, for those who wait for what it does."""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from typing import Any, TypeVar

T = TypeVar("T")
# Seconds between two looks of a waiting thread.
_LOOK = 0.1


class EventLoop:
    """An event loop that starts with the first work; from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run work and return its result."""
        return asyncio.run_coroutine_threadsafe(work, self._running()).result()

    def watch(
        self, work: Coroutine[Any, Any, T], look: Callable[[], bool], halt: asyncio.Event
    ) -> T:
        """Run work and return its result; `look` is called about ten times a second meanwhile.

        Where that says so, and where it or this thread is interrupted, `halt` is set, and work is
        awaited all the same.
        """
        loop = self._running()
        future = asyncio.run_coroutine_threadsafe(work, loop)
        try:
            while not future.done():
                wait(future, _LOOK)
                if look():
                    loop.call_soon_threadsafe(halt.set)
        except BaseException:
            # Ctrl-C, or a callback that fails: what is in flight is still recorded.
            loop.call_soon_threadsafe(halt.set)
            wait(future)
            raise
        return future.result()

    def close(self, works: Callable[[], list[Coroutine[Any, Any, Any]]]) -> None:
        """Run some last works, whatever comes of them, and end; without a loop nothing is run.

        On the loop's own thread, as where memory is cleared there, nobody waits for them.
        """
        loop, thread = self._loop, self._thread
        if loop is None or thread is None or not thread.is_alive():
            return
        if thread is threading.current_thread():
            ending = asyncio.gather(*works(), return_exceptions=True)
            ending.add_done_callback(lambda _: loop.stop())
            return
        for work in works():
            wait(asyncio.run_coroutine_threadsafe(work, loop))
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()

    def _running(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                self._thread = threading.Thread(
                    target=self._loop.run_forever, name="lupom-llm", daemon=True
                )
                self._thread.start()
            return self._loop


def wait(future: Future[Any], seconds: float | None = None) -> None:
    """Wait for a future to be done, or for some seconds; its result or error is not taken."""
    concurrent.futures.wait([future], seconds)
