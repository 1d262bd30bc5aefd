"""Reads unit tests of models: given rows, a scripted answer, expected rows."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic import Field, model_validator

from lupom.engine.project.documents import Document, Path_
from lupom.engine.project.strict import Strict

_INPUT = re.compile(
    r"\s*(?:ref\(\s*['\"](?P<ref>[^'\"]+)['\"]\s*\)"
    r"|source\(\s*['\"](?P<source>[^'\"]+)['\"]\s*,\s*['\"](?P<table>[^'\"]+)['\"]\s*\)"
    r"|(?P<this>this))\s*"
)


class _Given(Strict):
    input: str
    """`ref('x')`, `source('x', 'y')` or `this`."""
    rows: list[dict[str, Any]] | str = Field(default_factory=list)
    """The rows, as a list or as CSV text."""
    fixture: str | None = None
    """A CSV file with them, beside the YAML."""
    format: Literal["dict", "csv"] = "dict"
    """How `rows` are written."""


class _Scripted(Strict):
    """What the LLM says: an `answer` as the response class has it, or `text` as it came."""

    when: dict[str, Any] = Field(default_factory=dict)
    """Columns of the select with their values; without it every row."""
    answer: dict[str, Any] | None = None
    """As the response class has it."""
    text: str | None = None
    """As it came."""

    @model_validator(mode="after")
    def _one(self) -> _Scripted:
        if (self.answer is None) == (self.text is None):
            raise ValueError("a scripted answer has either 'answer' or 'text'")
        return self


class _Prompt(Strict):
    when: dict[str, Any] = Field(default_factory=dict)
    """Columns of the select with their values; without it every row."""
    contains: list[str] = Field(default_factory=list)
    """Texts that must be in the prompt."""
    excludes: list[str] = Field(default_factory=list)
    """Texts that must not be."""


class _Expect(Strict):
    rows: list[dict[str, Any]] | None = None
    """The rows that come out, in any order."""
    invalid: int | None = Field(default=None, ge=0)
    """How many rows have no valid answer."""
    prompts: list[_Prompt] = Field(default_factory=list)
    """What prompts must and must not say."""

    @model_validator(mode="after")
    def _something(self) -> _Expect:
        if self.rows is None and self.invalid is None and not self.prompts:
            raise ValueError("a unit test expects 'rows', 'invalid' or 'prompts'")
        return self


class _Overrides(Strict):
    vars: dict[str, Any] = Field(default_factory=dict)
    """Vars for this test."""


class _UnitConfig(Strict):
    tags: list[str] = Field(default_factory=list)
    """For selections."""
    enabled: bool = True
    """Whether it is run."""
    meta: dict[str, Any] = Field(default_factory=dict)
    """Anything; LUPoM does not read it."""


class UnitBlock(Strict):
    """A unit test as YAML has it."""

    name: str
    """The test's name."""
    description: str = ""
    """What it shows."""
    model: str
    """The model that is tested."""
    given: list[_Given] = Field(default_factory=list)
    """What the model reads."""
    answers: list[_Scripted] = Field(default_factory=list)
    """What the LLM says."""
    expect: _Expect
    """What must come out."""
    overrides: _Overrides = Field(default_factory=_Overrides)
    """What is set for it."""
    config: _UnitConfig = Field(default_factory=_UnitConfig)
    """Config of the test."""


@dataclass(frozen=True, slots=True)
class UnitTest:
    """A unit test of a model.

    Attributes
    ----------
    given : rows by the name of what the model reads; the model's own name for `this`. Text is CSV.
    block : the rest, as YAML has it.
    """

    block: UnitBlock
    file: str
    line: int | None
    given: dict[str, list[dict[str, Any]] | str] = field(default_factory=dict)


def read_unit(document: Document, block: UnitBlock, where: Path_) -> UnitTest:
    """Make a unit test of a block that stands at `where`; raises ProjectError with its line."""
    given: dict[str, list[dict[str, Any]] | str] = {}
    for i, one in enumerate(block.given):
        place = (*where, "given", i, "input")
        match = _INPUT.fullmatch(one.input)
        if match is None:
            raise document.error(
                f"'{one.input}' is not an input",
                place,
                "ref('questions'), source('a', 'b') or this",
            )
        name = match["ref"] or (match["source"] and f"{match['source']}.{match['table']}")
        rows: list[dict[str, Any]] | str = one.rows
        if one.fixture is not None:
            rows = _fixture(document, one.fixture, (*where, "given", i, "fixture"))
        if (one.format == "csv" or one.fixture is not None) != isinstance(rows, str):
            raise document.error("rows are a list, or text where the format is csv", place)
        given[name or block.model] = rows
    return UnitTest(block, document.file, document.line((*where, "name")), given)


def _fixture(document: Document, name: str, where: Path_) -> str:
    path = document.path.parent / name
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise document.error(
            f"cannot read the fixture {name}: {error}", where, "a CSV file beside this one"
        ) from error
