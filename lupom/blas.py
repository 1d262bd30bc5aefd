"""One BLAS thread for small matrices: several wait for each other, on a busy machine always."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

_lock = threading.Lock()
_inside = 0
_limits: list[Any] = []
# How many modules there were when BLAS was limited last: scipy brings a BLAS of its own.
_modules = 0
# Of the threads that set OpenBLAS's number of threads the first alone is heeded, whoever else tries
# (0.3.30, 0.3.31). A model's thread that limited BLAS and let it go left the next model, in another
# thread, with all of them: two runs of five of the General Social Survey took 5 s of CPU more. So
# one thread sets it for all.
_setter: ThreadPoolExecutor | None = None


@contextmanager
def one_thread() -> Iterator[None]:
    """Keep BLAS on one thread; what it was before returns when the last one leaves.

    The metrics of groups of the General Social Survey take 1 s of CPU so, and 10 s on the two
    threads of a busy machine of two cores. The limit is the process's, not a thread's, so that
    models built at one time must not end each other's. What is loaded while a limit holds is
    limited by who comes next: with scipy's BLAS on two threads a whole run took up to 100 CPU
    seconds on a busy machine in place of 18.
    """
    global _inside, _modules

    with _lock:
        _inside += 1
        if not _limits or len(sys.modules) != _modules:
            _modules = len(sys.modules)
            _in_setter(_limit)
            if not _is_limited():
                # Somebody set it before us, perhaps this very thread.
                _limit()
    try:
        yield
    finally:
        with _lock:
            _inside -= 1
            if not _inside and _limits:
                _in_setter(_restore)
                _restore()
                _limits.clear()


def _limit() -> None:
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    _limits.append(threadpool_limits(limits=1, user_api="blas"))


def _is_limited() -> bool:
    from threadpoolctl import threadpool_info

    return all(pool["num_threads"] == 1 for pool in threadpool_info() if pool["user_api"] == "blas")


def _restore() -> None:
    for limit in reversed(_limits):
        limit.restore_original_limits()


def _in_setter(work: Callable[[], None]) -> None:
    """Have the one thread that sets BLAS's number of threads do it, and wait for it."""
    global _setter
    if _setter is None:
        _setter = ThreadPoolExecutor(1, thread_name_prefix="lupom-blas")
    _setter.submit(work).result()


def _alone() -> None:
    """Begin anew in a forked process, which has none of its parent's threads."""
    global _lock, _inside, _setter
    _lock, _inside, _setter = threading.Lock(), 0, None
    _limits.clear()


os.register_at_fork(after_in_child=_alone)
