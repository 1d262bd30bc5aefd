"""One BLAS thread for small matrices: several wait for each other, on a busy machine always."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_lock = threading.Lock()
_inside = 0
_limits: list[Any] = []
# How many modules there were when BLAS was limited last: scipy brings a BLAS of its own.
_modules = 0


@contextmanager
def one_thread() -> Iterator[None]:
    """Keep BLAS on one thread; what it was before returns when the last one leaves.

    The metrics of groups of the General Social Survey take 1 s of CPU so, and 10 s on the two
    threads of a busy machine of two cores. The limit is the process's, not a thread's, so that
    models built at one time must not end each other's. Only the main thread can restore it. What
    is loaded while a limit holds is limited by who comes next: with scipy's BLAS on two threads a
    whole run took up to 100 CPU seconds on a busy machine in place of 18.
    """
    global _inside, _modules
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    with _lock:
        _inside += 1
        if not _limits or len(sys.modules) != _modules:
            _modules = len(sys.modules)
            _limits.append(threadpool_limits(limits=1, user_api="blas"))
    try:
        yield
    finally:
        with _lock:
            _inside -= 1
            while not _inside and _limits:
                _limits.pop().restore_original_limits()
