"""Workers as processes of their own, started fast: what they import is imported once.

The processes come from a fork server, so a test can kill fifty of them in seconds.
"""

from __future__ import annotations

import multiprocessing
import os
from pathlib import Path
from typing import Any

_PRELOADED = ["tests.support.worker_processes", "tests.support.worker_imports"]


def serve(folder: str, key: str, concurrency: int) -> None:
    """Be a worker of a project until killed; `key` is what it sends to the LLM."""
    os.environ["LUPOM_TEST_KEY"] = key
    from lupom import Project

    with Project(Path(folder)) as project:
        project.work(concurrency=concurrency)


def start(folder: Path, key: str, concurrency: int) -> Any:
    """Start a worker; it is a daemon, which ends with the tests."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(_PRELOADED)
    process = context.Process(target=serve, args=(str(folder), key, concurrency), daemon=True)
    process.start()
    return process
