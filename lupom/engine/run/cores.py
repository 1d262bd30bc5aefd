"""What a run does to the threads of a notebook that it is called from."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def restored_blas() -> Iterator[None]:
    """Leave BLAS with as many threads as it had.

    A Python model may limit them in a thread of its own and leave it at that. They are set only
    where they differ: of the threads that set them, OpenBLAS heeds the first alone (`lupom.blas`).
    """
    if "numpy" not in sys.modules:
        yield
        return
    from threadpoolctl import threadpool_info, threadpool_limits  # type: ignore[import-untyped]

    before = [pool for pool in threadpool_info() if pool["user_api"] == "blas"]
    try:
        yield
    finally:
        now = {pool["filepath"]: pool["num_threads"] for pool in threadpool_info()}
        if any(now.get(pool["filepath"]) != pool["num_threads"] for pool in before):
            threadpool_limits({pool["prefix"]: pool["num_threads"] for pool in before})
