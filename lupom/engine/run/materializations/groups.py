"""Which rows of an LLM model may share a request."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from lupom.engine.errors import ModelError, did_you_mean
from lupom.engine.llm.together import LABEL, ROWS, Together
from lupom.engine.project.nodes import Node
from lupom.engine.store.names import quoted

if TYPE_CHECKING:
    import pyarrow as pa

    from lupom.engine.llm.prompts import Prompt
    from lupom.engine.llm.responses import RowResponse

    Member = tuple[Mapping[str, Any], RowResponse]


@dataclass(frozen=True, slots=True)
class Grouping:
    """Rows that are equal in `columns` may share a request, `most` of them.

    `order` is what the rows are ordered by, in SQL: those of a request by their key.
    """

    file: str
    columns: list[str]
    most: int
    order: str

    def values(self, row: Mapping[str, Any]) -> str:
        return json.dumps([row[column] for column in self.columns], default=str)

    def cut(self, table: pa.Table, start: int, end: int) -> int:
        """Return the place of the last group that begins between two places, or the second place
        where the rows between them are of one group."""
        if end >= table.num_rows:
            return end
        near = table.select(self.columns).slice(start, end - start + 1).to_pylist()
        after = self.values(near[-1])
        for place in range(end - start, 0, -1):
            if self.values(near[place - 1]) != after:
                return start + place
        return end


@dataclass(slots=True)
class Groups:
    """The groups of some rows, each with the row it was met in first."""

    grouping: Grouping
    _known: dict[tuple[str, str], tuple[Together, Member]] = field(default_factory=dict)
    _fine: set[tuple[str, frozenset[str]]] = field(default_factory=set)

    def of(
        self, row: Mapping[str, Any], response: RowResponse, alias: str, prompt: Prompt
    ) -> Together:
        """Return the group of a row that is asked of an alias with a prompt.

        Raises ModelError where the prompt says of the request what differs among its rows.
        """
        name = (alias, self.grouping.values(row))
        known = self._known.get(name)
        if known is None:
            together = Together(self.grouping.most, prompt.together)
            self._known[name] = (together, (row, response))
            return together
        together, first = known
        differ = frozenset(c for c in row if c in prompt.variables and row[c] != first[0][c])
        # A column may be used within `rows` only, or not where there are `rows`: only the template
        # itself can tell, once for those that differ.
        if differ and (alias, differ) not in self._fine:
            try:
                prompt.together([first, (row, response)])
            except ModelError as error:
                column = next((c for c in differ if error.message == f"no column for '{c}'"), None)
                if column is None:
                    raise
                raise ModelError(
                    f"column '{column}' differs among rows that are asked together, and prompt"
                    f" '{prompt.name}' says it of all of them; nothing was asked",
                    file=self.grouping.file,
                    hint=f"{{{{ row.{column} }}}} within {{% for row in rows %}}, or add"
                    f" '{column}' to rows_together",
                ) from None
            self._fine.add((alias, differ))
        return together


def grouping_of(node: Node, types: Mapping[str, str], keys: Sequence[str]) -> Grouping | None:
    """Return which rows of a model may share a request; None where none may.

    Raises ModelError for a column that the select does not give, or that has the name of something
    the prompt is given besides.
    """
    most = node.config.get("rows_per_call", 1)
    if most == 1:
        return None
    columns = list(node.config["rows_together"])
    for name in columns:
        if name not in types:
            raise ModelError(
                f"rows_together: the select has no column '{name}'",
                file=node.file,
                hint=did_you_mean(name, types) or "columns: " + ", ".join(types),
            )
    for name in (ROWS, LABEL):
        if name in types:
            raise ModelError(
                f"the select has a column '{name}', which is what the prompt of rows that are asked"
                " together is given under this name",
                file=node.file,
                hint=f"call it something else: {name} as {name}_",
            )
    order = ", ".join(quoted(name) for name in dict.fromkeys([*columns, *keys]))
    return Grouping(node.file, columns, most, order)
