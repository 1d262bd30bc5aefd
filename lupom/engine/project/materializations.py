"""What can be made of a node: each materialization, and what the engine has to know of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class Materialization:
    """What becomes of a node.

    Attributes
    ----------
    name : as `materialized` has it.
    relation : what stands in the store, 'table' or 'view'; '' for nothing of ours.
    builder : the module of `lupom.engine.run.materializations` that builds it; '' for none.
    languages : of the files that may say `materialized` so.
    needs_llm : its rows are asked of an LLM.
    grows : later builds add rows to those that are there.
    inlined : its SQL stands within that of whoever reads it.
    """

    name: str
    relation: str = "table"
    builder: str = "sql"
    languages: tuple[str, ...] = ("sql",)
    needs_llm: bool = False
    grows: bool = False
    inlined: bool = False

    @property
    def is_built(self) -> bool:
        """Whether a run builds it."""
        return bool(self.builder)

    @property
    def is_view(self) -> bool:
        """Whether a view stands in the store."""
        return self.relation == "view"

    @property
    def stores_rows(self) -> bool:
        """Whether its rows stand in the store."""
        return self.relation == "table"

    @property
    def read_through(self) -> bool:
        """Whether who reads it reads what it reads: it computes its rows anew each time."""
        return self.is_view or self.inlined


MATERIALIZATIONS: Mapping[str, Materialization] = MappingProxyType(
    {
        one.name: one
        for one in (
            Materialization("view", relation="view"),
            Materialization("table", languages=("sql", "python")),
            Materialization("incremental", grows=True),
            Materialization("ephemeral", relation="", builder="", inlined=True),
            Materialization("llm", builder="llm", needs_llm=True),
            Materialization("seed", builder="seed", languages=("csv",)),
            Materialization("python", builder="python", languages=("python",)),
            # What no config says, but nodes are.
            Materialization("source", relation="", builder="", languages=()),
            Materialization("test", relation="", builder="", languages=()),
        )
    }
)


def names_for(language: str) -> list[str]:
    """Return what `materialized` may say in files of a language: 'sql', 'python' or 'csv'."""
    return [one.name for one in MATERIALIZATIONS.values() if language in one.languages]
