"""What goes wrong with a request to a server on loopback, and with which requests."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

Kind = Literal["status", "bad_json", "wrong_shape", "truncated", "reset", "hang", "text"]


@dataclass(frozen=True)
class Fault:
    """What goes wrong with one request.

    Attributes
    ----------
    kind : 'status' answers with an HTTP status; 'bad_json' with a body that is no JSON;
        'wrong_shape' with JSON that is no chat completion; 'truncated' with half the body it
        announced; 'reset' by closing the connection; 'hang' never; 'text' with a chat completion
        whose content is `message`.
    """

    kind: Kind = "status"
    status: int = 500
    message: str = "injected"
    code: str | None = None
    param: str | None = None
    retry_after: float | None = None


def fail_every(n: int, fault: Fault) -> Callable[[int, dict[str, Any]], Fault | None]:
    """Return a plan of faults: each n-th request (counted from 1) fails."""
    return lambda number, _body: fault if number % n == 0 else None


def fail_first(n: int, fault: Fault) -> Callable[[int, dict[str, Any]], Fault | None]:
    """Return a plan of faults: the first n requests fail."""
    return lambda number, _body: fault if number <= n else None


def fail_always(fault: Fault) -> Callable[[int, dict[str, Any]], Fault | None]:
    """Return a plan of faults: every request fails."""
    return lambda _number, _body: fault
