"""A gateway over a server on loopback, and response classes made of source text."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from textwrap import dedent

import pytest

from lupom.engine.llm.gateway import Call, Gateway
from lupom.engine.llm.responses import ResponseSpec, load_response
from lupom.engine.state import State
from tests.support.gateways import make_gateway, user
from tests.support.llm_server import LLMServer

HEADER = """
from typing import Annotated, Literal
from pydantic import BaseModel, Field, field_validator
from lupom.engine.llm import AsArray, OneOf, OneOfEach, Usable
from lupom import Distribution
"""


@pytest.fixture(scope="session", autouse=True)
def certificates() -> Iterator[None]:
    """Read the certificates that a client trusts once, not for each client: 10 ms of CPU."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ssl, "create_default_context", cache(ssl.create_default_context))
        yield


@pytest.fixture
def state(tmp_path: Path) -> Iterator[State]:
    with State(tmp_path / "state.db") as opened:
        yield opened


@pytest.fixture
def load(tmp_path: Path) -> Callable[[str, str], ResponseSpec]:
    """Return a function that loads a class from source text."""

    def load(source: str, name: str) -> ResponseSpec:
        file = tmp_path / "responses.py"
        file.write_text(HEADER + dedent(source), encoding="utf-8")
        return load_response(file, name)

    return load


@pytest.fixture
def note(load: Callable[[str, str], ResponseSpec]) -> ResponseSpec:
    """A class with one free text of at most 20 characters."""
    return load(
        """
        class Note(BaseModel):
            text: str = Field(max_length=20)
        """,
        "Note",
    )


@pytest.fixture
def choice(load: Callable[[str, str], ResponseSpec]) -> ResponseSpec:
    return load(
        """
        class Prediction(BaseModel):
            answer: Annotated[str, OneOf("options")]
        """,
        "Prediction",
    )


@pytest.fixture
def ask(server: LLMServer, state: State) -> Iterator[Callable[..., list]]:
    """Return a function that asks texts, in a gateway of its own for each set of settings."""
    opened: list[Gateway] = []

    def ask(spec: ResponseSpec, texts: list[str], *, values=None, draw=0, options=None, **settings):
        gateway = make_gateway(server.base_url, state, **settings)
        opened.append(gateway)
        calls = [Call(user(text), spec.for_row(values or {}), draw) for text in texts]
        return gateway.ask("default", calls, node="notes", run_id="run-1", **(options or {}))

    yield ask
    for gateway in opened:
        gateway.close()
