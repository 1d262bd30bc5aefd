"""Ctrl-C and SIGTERM: once they ask work to stop, with a summary; Ctrl-C again stops at once."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from types import FrameType

from lupom.engine.run.results import StopEvent

# Seconds for a clean end after a second Ctrl-C. Threads that wait for an LLM, a database or in a
# model cannot be interrupted; what they had in flight is lost then, as with any kill.
_GRACE = 1.5


@dataclass
class Stop:
    """What was asked: `event` is set then, and `exit_code` is 128 and the signal's number."""

    event: StopEvent = field(default_factory=StopEvent)

    @property
    def exit_code(self) -> int:
        return 128 + self.event.signal


@contextmanager
def stopping(say: Callable[[str], None], what: str) -> Iterator[Stop]:
    """Hear Ctrl-C and SIGTERM while work goes on; `what` says what becomes of what is in flight.

    A second SIGTERM does no more than the first: `timeout`, for one, sends it twice. Outside of the
    main thread signals are somebody else's.
    """
    stop = Stop()
    previous = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def hear(number: int, frame: FrameType | None) -> None:
        if not stop.event.is_set():
            stop.event.signal = number
            stop.event.set()
            say(f"Stopping: {what}. Ctrl-C again stops at once.")
        elif number == signal.SIGINT:
            signal.signal(signal.SIGINT, previous[signal.SIGINT])
            threading.Thread(target=_end, args=(say,), daemon=True).start()
            raise KeyboardInterrupt

    with suppress(ValueError):
        for number in previous:
            signal.signal(number, hear)
    try:
        yield stop
    finally:
        with suppress(ValueError):
            for number, handler in previous.items():
                signal.signal(number, handler)


def _end(say: Callable[[str], None]) -> None:
    time.sleep(_GRACE)
    say("Stopped.")
    if sys.stderr.isatty():
        # A bar that is drawn hides the cursor.
        sys.stderr.write("\x1b[?25h")
        sys.stderr.flush()
    os._exit(128 + signal.SIGINT)
