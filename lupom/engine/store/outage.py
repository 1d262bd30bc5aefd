"""A catalog's server that is gone for a while: how that shows, and waiting for it."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import TypeVar

from lupom.engine.errors import StoreError

T = TypeVar("T")

# What PostgreSQL's client says where a connection broke off or there is none, and what it says with
# it where the server is there and refuses.
_BROKEN = re.compile(
    r"server closed the connection|terminating connection|no connection to the server"
    r"|connection to server at"
)
_REFUSES = re.compile(r"password|does not exist|no pg_hba\.conf entry|role ")
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 2.0


class Unreachable(StoreError):
    """No server answers."""


def is_outage(error: BaseException | None) -> bool:
    """Tell whether an error, or one that it came of, is that of a server that is gone."""
    while error is not None:
        if isinstance(error, Unreachable):
            return True
        if type(error).__module__.startswith(("duckdb", "_duckdb")):
            text = str(error)
            if _BROKEN.search(text) and not _REFUSES.search(text):
                return True
        error = error.__cause__
    return False


def until_back(
    ask: Callable[[], T], wait: float, on_wait: Callable[[str], None] | None, where: object
) -> T:
    """Return what something returns that asks a server, again and again while that is gone.

    Parameters
    ----------
    wait : seconds after which the error of the outage is raised.
    on_wait : hears once that it is waited for `where`.
    """
    deadline, pause, told = time.monotonic() + wait, _FIRST_PAUSE, False
    while True:
        try:
            return ask()
        except Exception as error:
            if not is_outage(error) or time.monotonic() >= deadline:
                raise
        if not told and on_wait is not None:
            on_wait(f"the connection to {where} is lost; waiting for the server")
            told = True
        time.sleep(pause)
        pause = min(pause * 1.5, _LONGEST_PAUSE)
