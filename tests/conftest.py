"""What all tests share: property tests judge what comes out, never how long it takes."""

from __future__ import annotations

import compileall
import gc
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from filelock import FileLock
from hypothesis import HealthCheck, settings

from lupom.engine.cores import cores
from tests.support import few_rows

if TYPE_CHECKING:
    from tests.support.llm_server import LLMServer
    from tests.support.postgres import Cluster

# As many workers as cores run the tests: threads of linear algebra that wait for one another by
# spinning would take what the others work with.
for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):
    os.environ.setdefault(name, "1")

# To look for garbage whenever 700 objects are new takes 5 % of the time of all tests.
gc.set_threshold(20_000, 20, 20)

# On a busy machine an example takes seconds, which says nothing of the code.
settings.register_profile("lupom", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("lupom")


def pytest_configure(config: pytest.Config) -> None:
    """Compile the package once for all workers and the processes that tests start.

    Where PYTHONDONTWRITEBYTECODE is set each of these would compile it for itself, .4 s of CPU.
    """
    few_rows.spare()
    if not hasattr(config, "workerinput"):
        compileall.compile_dir(Path(__file__).parents[1] / "lupom", quiet=1)


def pytest_xdist_auto_num_workers() -> int | None:
    """Let three workers share two cores: a fifth of the time a worker waits, for servers mostly."""
    if "PYTEST_XDIST_AUTO_NUM_WORKERS" in os.environ:
        return None
    count = cores()
    return count + (count + 1) // 2


# What builds most in fixtures of modules and sessions.
_LONG = ("tests/test_tutorial.py", "tests/shipped/", "tests/models/", "tests/site/")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the longest, so that at the end no worker waits for another's.

    A worker without tests takes over the second half of what another has before it: with the
    longest modules first none of these is torn in two, whose fixtures would be made twice.
    """
    items.sort(
        key=lambda item: (
            "embedded" not in item.keywords,
            not item.nodeid.startswith(_LONG),
        )
    )


@pytest.fixture(scope="module")
def all_cores() -> Iterator[None]:
    """Let DuckDB work on all cores, where a module shows that order changes nothing."""
    with few_rows.all_cores():
        yield


@pytest.fixture
def server() -> Iterator[LLMServer]:
    """An OpenAI-compatible endpoint on loopback that answers whatever is asked."""
    from tests.support.llm_server import LLMServer

    with LLMServer() as running:
        yield running


@pytest.fixture(scope="session")
def without_llm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shipped project over the whole survey, run without an LLM once for all workers.

    Baselines and their metrics, and few groups. Each worker has a copy of its own.
    """
    from tests.support.shipped import run_without_llm

    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent
    built = shared / "without_llm"
    with FileLock(f"{built}.lock"):
        if not built.exists():
            run_without_llm(tmp_path_factory.mktemp("shipped") / "project").rename(built)
    return shutil.copytree(built, tmp_path_factory.mktemp("shipped") / "project")


@pytest.fixture(scope="session")
def postgres() -> Iterator[Cluster]:
    """A PostgreSQL cluster of the tests' own; a test that crashes it starts it again."""
    from tests.support.postgres import cluster

    with cluster() as running:
        yield running
