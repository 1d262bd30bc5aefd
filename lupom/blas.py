"""One BLAS thread for small matrices: several wait for each other, on a busy machine always."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

_lock = threading.Lock()
_inside = 0
_limits: list[Any] = []
# How many modules there were when BLAS was limited last: scipy brings a BLAS of its own.
_modules = 0
# The libraries there are, and how many modules there were when they were looked for, which takes
# 3 ms of CPU, as long as many a model.
_found: tuple[int, Any] = (0, None)
# threadpoolctl (3.8) heeds of several threads the one that set OpenBLAS's number of threads first,
# until that has taken its limit back or ended. A model that limited BLAS, let it go and limited it
# again elsewhere left the next model, in another thread, with all threads: two runs of five of the
# General Social Survey took 5 s of CPU more. So one thread sets it for all.
_setter: ThreadPoolExecutor | None = None
# Whether there is a BLAS of which each thread has a number of its own, as with OpenMP.
_each = False


@contextmanager
def one_thread() -> Iterator[None]:
    """Keep BLAS on one thread; what it was before returns when the last one leaves.

    The metrics of groups of the General Social Survey take 1 s of CPU so, and 10 s on the two
    threads of a busy machine of two cores. The limit is the process's, not a thread's, so that
    models built at one time must not end each other's. What is loaded while a limit holds is
    limited by who comes next: with scipy's BLAS on two threads a whole run took up to 100 CPU
    seconds on a busy machine in place of 18. Where somebody holds a limit of threadpoolctl's
    around it, theirs counts.
    """
    global _inside, _modules

    with _lock:
        _inside += 1
        if not _limits or len(sys.modules) != _modules:
            _modules = len(sys.modules)
            _in_setter(_limit)
        own = _limited() if _each else None
    try:
        yield
    finally:
        if own is not None:
            own.__exit__(None, None, None)
        with _lock:
            _inside -= 1
            if not _inside and _limits:
                _in_setter(_restore)


def set_threads(numbers: Mapping[str, int]) -> None:
    """Give BLAS libraries, by their file, so many threads, until somebody sets others."""

    def work() -> None:
        import threadpoolctl  # type: ignore[import-untyped]

        threadpoolctl.threadpool_limits(limits=dict(numbers))
        controller = getattr(threadpoolctl, "OpenBLASController", None)
        # Older versions know no thread that holds the others off.
        clear = getattr(controller, "clear_controlling_thread", None)
        if clear is not None and not _inside:
            clear()

    with _lock:
        _in_setter(work)


def threads() -> dict[str, int]:
    """Return the number of threads of each BLAS that is loaded, by its file."""
    with _lock:
        pools = _libraries().info()
    return {pool["filepath"]: pool["num_threads"] for pool in pools if _is_blas(pool)}


def _libraries() -> Any:
    """Return the libraries there are, looked for again where something was imported since."""
    global _found

    count = len(sys.modules)
    if _found[1] is None or _found[0] != count:
        from threadpoolctl import ThreadpoolController

        _found = (count, ThreadpoolController())
    return _found[1]


def _limit() -> None:
    global _each

    _limits.append(_limited())
    shared = [p.get("threading_layer") == "pthreads" for p in _libraries().info() if _is_blas(p)]
    _each = not all(shared)


def _limited() -> Any:
    return _libraries().limit(limits=1, user_api="blas").__enter__()


def _is_blas(pool: Mapping[str, Any]) -> bool:
    return bool(pool["user_api"] == "blas")


def _restore() -> None:
    while _limits:
        # The last one lets others set it again.
        _limits.pop().__exit__(None, None, None)


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
