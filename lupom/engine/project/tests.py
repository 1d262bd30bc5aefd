"""Reads data tests out of properties: `data_tests:` of a relation and of its columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from lupom.engine.project.documents import Document, Path_
from lupom.engine.project.nodes import TestBlock
from lupom.engine.project.settings import TestConfig

# Keys beside a test's own arguments; the rest of its block is arguments, as in dbt.
_BESIDE = ("name", "description", "config", "arguments")
_CONFIG = tuple(TestConfig.model_fields)

Written = Sequence[str | dict[str, Any]]


class _Column(Protocol):
    name: str
    data_tests: list[str | dict[str, Any]]
    tests: list[str | dict[str, Any]]


class _Block(Protocol):
    """A relation's block of properties."""

    data_tests: list[str | dict[str, Any]]
    tests: list[str | dict[str, Any]]

    @property
    def columns(self) -> Sequence[_Column]: ...


def read_tests(document: Document, block: _Block, where: Path_) -> tuple[TestBlock, ...]:
    """Return the data tests of a relation's block that stands at `where`, its columns' first.

    Raises ProjectError with file and line for a test that is not written as one.
    """
    found: list[TestBlock] = []
    for i, column in enumerate(block.columns):
        found += _tests(document, column, column.name, (*where, "columns", i))
    return (*found, *_tests(document, block, None, where))


def _tests(document: Document, block: Any, column: str | None, where: Path_) -> list[TestBlock]:
    found = []
    for key in ("data_tests", "tests"):
        for i, written in enumerate(getattr(block, key)):
            found.append(_test(document, written, column, (*where, key, i)))
    return found


def _test(
    document: Document, written: str | dict[str, Any], column: str | None, where: Path_
) -> TestBlock:
    line = document.line(where)
    if isinstance(written, str):
        return TestBlock(written, column, {}, {}, document.file, line)
    if len(written) != 1:
        raise document.error(
            "a data test is one name, with its arguments below it",
            where,
            "- accepted_values: {values: [low, high]}",
        )
    ((test, body),) = written.items()
    if isinstance(body, str):
        # `- expression: "share <= 1"`: the only argument of most tests that have one.
        body = {"": body}
    elif isinstance(body, list):
        body = {"": body}
    elif body is None:
        body = {}
    if not isinstance(body, dict):
        raise document.error(f"the arguments of '{test}' must be 'key: value' lines", where)
    config = {k: v for k, v in body.items() if k in _CONFIG}
    given = body.get("config", {})
    config |= given if isinstance(given, dict) else {}
    if isinstance(config.get("tags"), str):
        config["tags"] = [config["tags"]]
    document.validate(TestConfig, config, where)
    arguments = {k: v for k, v in body.items() if k not in _BESIDE and k not in _CONFIG}
    arguments |= body.get("arguments") or {}
    return TestBlock(
        str(test),
        column,
        arguments,
        config,
        document.file,
        line,
        str(body.get("name", "")),
        str(body.get("description", "")),
    )
