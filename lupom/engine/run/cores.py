"""What a run does to the threads of a notebook that it is called from."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def restored_blas() -> Iterator[None]:
    """Leave BLAS with as many threads as it had.

    Python models limit them while they work, in threads of their own; from there OpenBLAS lets
    nobody raise them again (0.3.30: setting two in another thread leaves one).
    """
    if "numpy" not in sys.modules:
        yield
        return
    from threadpoolctl import threadpool_info, threadpool_limits  # type: ignore[import-untyped]

    before = [pool for pool in threadpool_info() if pool["user_api"] == "blas"]
    try:
        yield
    finally:
        if before:
            threadpool_limits({pool["prefix"]: pool["num_threads"] for pool in before})
