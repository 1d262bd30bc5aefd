"""The plain objects a project is made of: nodes and their references."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lupom.engine.project.materializations import MATERIALIZATIONS, Materialization


@dataclass(frozen=True, slots=True)
class Ref:
    """A reference to another node, and where it is written."""

    name: str
    file: str
    line: int | None


@dataclass(frozen=True, slots=True)
class Column:
    """A column as the properties describe it."""

    name: str
    description: str = ""
    data_type: str | None = None
    measured: bool = False


@dataclass(slots=True)
class Node:
    """A model, a seed or a source.

    Attributes
    ----------
    name : unique in the project; a source's is 'source_name.table_name'.
    resource : 'model', 'seed', 'source' or 'test'.
    file : path relative to the project, with forward slashes ('' for a source that is a table).
    path : the absolute path.
    language : 'sql', 'python', 'csv' or 'source'.
    config : the effective settings, `materialized` always among them.
    refs : references to models, seeds and sources, in the order they are written.
    text : compiled SQL with placeholders, or Python source.
    parts : hash by part of what makes the node what it is ('sql', 'config', 'prompt', ...).
    code : bytes of the project's Python files that models import, as they were hashed.
    wordings : prompt and response class by profile of an LLM model, as they were hashed.
    embeddings : the aliases that a Python model has texts embedded by.
    """

    name: str
    resource: str
    file: str
    path: Path
    language: str
    config: dict[str, Any] = field(default_factory=dict)
    refs: tuple[Ref, ...] = ()
    description: str = ""
    columns: tuple[Column, ...] = ()
    text: str = ""
    incremental_text: str | None = None
    parts: dict[str, str] = field(default_factory=dict)
    code: Mapping[Path, bytes] = field(default_factory=dict)
    wordings: Mapping[str, Any] = field(default_factory=dict)
    embeddings: tuple[str, ...] = ()

    @property
    def tags(self) -> frozenset[str]:
        return frozenset(self.config.get("tags", ()))

    @property
    def materialized(self) -> str:
        return str(self.config["materialized"])

    @property
    def materialization(self) -> Materialization:
        """What becomes of it."""
        return MATERIALIZATIONS[self.config["materialized"]]

    @property
    def measured(self) -> tuple[str, ...]:
        """Columns that differ from run to run, and are no part of the table's contents."""
        return tuple(column.name for column in self.columns if column.measured)

    @property
    def parents(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(ref.name for ref in self.refs))


@dataclass(frozen=True, slots=True)
class TestBlock:
    """A data test as YAML asks for it, on a column or on the whole relation.

    Attributes
    ----------
    test : its kind, such as 'not_null'.
    arguments : what the kind takes beside the relation and the column.
    config : severity and the like.
    name : the name given to it; '' to make one of kind, relation and column.
    """

    test: str
    column: str | None
    arguments: Mapping[str, Any]
    config: Mapping[str, Any]
    file: str
    line: int | None
    name: str = ""
    description: str = ""


@dataclass(frozen=True, slots=True)
class Properties:
    """What YAML says of a node beside its file: description, columns, config."""

    file: str
    line: int | None
    description: str = ""
    columns: tuple[Column, ...] = ()
    config: Mapping[str, Any] = field(default_factory=dict)
    tests: tuple[TestBlock, ...] = ()


def llm_part(alias: str) -> str:
    """Return the name of the part of a node that is an LLM's identity."""
    return f"llm '{alias}'"
