"""Reads selectors.yml: selections that have a name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import Field

from lupom.engine.project.documents import Document
from lupom.engine.project.strict import Strict

SELECTORS_FILE = "selectors.yml"


class _Selector(Strict):
    name: str
    """For `--selector`, and `selector:NAME`."""
    description: str = ""
    """What it selects."""
    definition: str | dict[str, Any]
    """A selector's text, or dbt's blocks."""
    default: bool = False
    """Whether it counts where nothing is selected."""


class SelectorsFile(Strict):
    """The file selectors.yml."""

    selectors: list[_Selector] = Field(default_factory=list)
    """Selections with a name."""


@dataclass(frozen=True, slots=True)
class Selector:
    """A selection with a name; `definition` is a selector's text or dbt's block for one."""

    name: str
    definition: str | Mapping[str, Any]
    default: bool
    file: str
    line: int | None
    description: str = ""


def read_selectors(root: Path) -> dict[str, Selector]:
    """Return the selectors of a project by name; none without a selectors.yml.

    Raises ProjectError with file and line.
    """
    path = root / SELECTORS_FILE
    if not path.is_file():
        return {}
    document = Document(path, label=SELECTORS_FILE)
    found: dict[str, Selector] = {}
    for i, block in enumerate(document.validate(SelectorsFile, document.data).selectors):
        where = ("selectors", i, "name")
        if block.name in found:
            raise document.error(f"the selector '{block.name}' appears twice here", where)
        if block.default and any(other.default for other in found.values()):
            raise document.error("two selectors are the default one", ("selectors", i, "default"))
        found[block.name] = Selector(
            *(block.name, block.definition, block.default),
            *(SELECTORS_FILE, document.line(where), block.description),
        )
    return found
