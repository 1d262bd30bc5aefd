"""What a run does to the threads of a notebook that it is called from."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from lupom.blas import set_threads, threads


@contextmanager
def restored_blas() -> Iterator[None]:
    """Leave BLAS with as many threads as it had.

    A Python model may limit them in a thread of its own and leave it at that.
    """
    if "numpy" not in sys.modules:
        yield
        return
    before = threads()
    try:
        yield
    finally:
        now = threads()
        if any(now.get(file) != number for file, number in before.items()):
            set_threads(before)
