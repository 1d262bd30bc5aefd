"""What all tests share: property tests judge what comes out, never how long it takes."""

from __future__ import annotations

import compileall
import gc
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

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
    if not hasattr(config, "workerinput"):
        compileall.compile_dir(Path(__file__).parents[1] / "lupom", quiet=1)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the longest, so that at the end no worker waits for another's."""
    items.sort(key=lambda item: "embedded" not in item.keywords)


@pytest.fixture
def server() -> Iterator[LLMServer]:
    """An OpenAI-compatible endpoint on loopback that answers whatever is asked."""
    from tests.support.llm_server import LLMServer

    with LLMServer() as running:
        yield running


@pytest.fixture(scope="session")
def postgres() -> Iterator[Cluster]:
    """A PostgreSQL cluster of the tests' own; a test that crashes it starts it again."""
    from tests.support.postgres import cluster

    with cluster() as running:
        yield running
