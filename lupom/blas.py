"""One BLAS thread for small matrices: several wait for each other, on a busy machine always."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_lock = threading.Lock()
_inside = 0
_limit: Any = None


@contextmanager
def one_thread() -> Iterator[None]:
    """Keep BLAS on one thread; what it was before returns when the last one leaves.

    The metrics of groups of the General Social Survey take 1 s of CPU so, and 10 s on the two
    threads of a busy machine of two cores. The limit is the process's, not a thread's, so that
    models built at one time must not end each other's. Only the main thread can restore it.
    """
    global _inside, _limit
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    with _lock:
        _inside += 1
        if _limit is None:
            _limit = threadpool_limits(limits=1, user_api="blas")
    try:
        yield
    finally:
        with _lock:
            _inside -= 1
            if not _inside and _limit is not None:
                _limit.restore_original_limits()
                _limit = None
