"""The rows of an LLM model and the calls they make, a part at a time."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lupom.engine.errors import ModelError, did_you_mean
from lupom.engine.llm.together import ROWS as ROWS_OF_REQUEST
from lupom.engine.project.nodes import Node
from lupom.engine.run.context import Context
from lupom.engine.run.materializations.groups import Grouping, Groups, grouping_of

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

    from lupom.engine.llm.answers import Call
    from lupom.engine.llm.profiles import Wording
    from lupom.engine.llm.responses import RowResponse

# The column of a select that says which draw of a repeated question a row is.
DRAW = "draw"
# Rows that are calls and answers at one time: 12 KB each while they are, so that 50,000 rows take
# hardly more memory than 5,000. Between two parts requests in flight run dry, so a part is many.
ROWS = 2500
PLACES = 6


@dataclass(frozen=True, slots=True)
class Part:
    """Consecutive rows of an LLM model with their calls, one per row.

    Attributes
    ----------
    start : number of the first row.
    aliases : the LLM each row is asked of.
    """

    start: int
    aliases: list[str]
    rows: list[dict[str, Any]]
    responses: list[RowResponse]
    calls: list[Call]

    def by_alias(self) -> dict[str, list[int]]:
        """Return the places of each alias's rows in the part, by alias in alphabetic order."""
        found: dict[str, list[int]] = {alias: [] for alias in sorted(set(self.aliases))}
        for i, alias in enumerate(self.aliases):
            found[alias].append(i)
        return found


@dataclass(frozen=True, slots=True)
class Prepared:
    """An LLM model's rows, ready to be asked.

    Attributes
    ----------
    table : the select's rows.
    types : DuckDB types of its columns.
    keys : the key's columns.
    alias : the LLM of rows that name none; with `column`, a row may.
    asked : the LLMs there are rows for, in alphabetic order.
    wordings : prompt and response class by LLM, as its profile has them.
    grouping : which rows may share a request; None where each is asked alone.
    fields : columns of answers and their DuckDB types, the same whichever LLM is asked.
    """

    fields: dict[str, str]
    keys: list[str]
    table: pa.Table
    types: dict[str, str]
    wordings: dict[str, Wording]
    alias: str
    column: str | None
    asked: list[str]
    size: int
    grouping: Grouping | None = None

    def __len__(self) -> int:
        return int(self.table.num_rows)

    def parts(self, start: int = 0) -> Iterator[Part]:
        """Yield the rows from `start` on in parts; raises LupomError with file and line where the
        prompt or the response class does not fit a row."""
        while start < len(self):
            end = min(start + self.size, len(self))
            if self.grouping is not None:
                end = self.grouping.cut(self.table, start, end)
            yield self._part(start, end)
            start = end

    def rows_of(self) -> dict[str, int]:
        """Return how many rows each LLM is asked."""
        if self.column is None:
            return {self.alias: len(self)}
        import pyarrow.compute as pc

        counted = pc.value_counts(self.table.column(self.column)).to_pylist()
        return {one["values"]: one["counts"] for one in counted}

    def key_of(self, part: Part, index: int) -> dict[str, Any]:
        return {key: part.rows[index][key] for key in self.keys}

    def _part(self, first: int, end: int) -> Part:
        from lupom.engine.llm.answers import Call

        rows = self.table.slice(first, end - first).to_pylist(maps_as_pydicts="strict")
        aliases, calls, responses = [], [], []
        groups = Groups(self.grouping) if self.grouping is not None else None
        for row in rows:
            alias = self.alias if self.column is None else row[self.column]
            wording = self.wordings[alias]
            response = wording.response.for_row(row)
            responses.append(response)
            aliases.append(alias)
            draw = int(row.get(DRAW) or 0)
            if groups is not None and ROWS_OF_REQUEST in wording.prompt.variables:
                together = groups.of(row, response, alias, wording.prompt)
                messages = wording.prompt.together([(row, response)])
                calls.append(Call(messages, response, draw, together, row))
            else:
                messages = wording.prompt.messages(row, response)
                calls.append(Call(messages, response, draw))
        return Part(first, aliases, rows, responses, calls)


def prepare(
    context: Context,
    node: Node,
    cursor: duckdb.DuckDBPyConnection,
    *,
    limit: int | None = None,
    where: str | None = None,
) -> Prepared:
    """Read an LLM model's rows (those `where` SQL is true of, the first `limit`); nothing is asked.

    Raises ModelError for a key column that is not in the select, for two rows of one key, and for a
    row that names an LLM there is none of;
    LupomError with file and line for a prompt or response class that is not right.
    """
    from lupom.engine.llm.profiles import columns_of

    config = node.config
    relation = cursor.sql(context.sql(node))
    if where is not None:
        relation = relation.filter(where)
    if limit is not None:
        relation = relation.limit(limit)
    types = dict(zip(relation.columns, (str(t) for t in relation.types), strict=True))
    keys = list(config["key"])
    column = config.get("llm_column")
    wanted = [("key", key) for key in keys]
    for option, name in wanted if column is None else [*wanted, ("llm_column", column)]:
        if name not in types:
            raise ModelError(
                f"{option}: the select has no column '{name}'",
                file=node.file,
                hint=did_you_mean(name, types) or "columns: " + ", ".join(types),
            )
    grouping = grouping_of(node, types, keys)
    if grouping is not None:
        relation = relation.order(grouping.order)
    table = relation.to_arrow_table()
    llms = context.files.settings.llms
    asked = [config["llm"]]
    if column is not None:
        table, asked = _named(node, column, table, config["llm"], llms)
    _check_unique(node, keys, table)
    of_profile = node.wordings
    wordings = {alias: of_profile[llms[alias].profile] for alias in {config["llm"], *asked}}
    fields = columns_of(of_profile.values())
    places = sum(llms[alias].concurrency for alias in asked)
    size = max(ROWS, PLACES * places)
    return Prepared(
        *(fields, keys, table, types, wordings, config["llm"], column, asked, size, grouping)
    )


def _named(
    node: Node, column: str, table: pa.Table, default: str, llms: Mapping[str, Any]
) -> tuple[pa.Table, list[str]]:
    """Return the rows, each with the LLM it is asked of in `column`, and the LLMs they name."""
    import pyarrow as pa
    import pyarrow.compute as pc

    place = table.column_names.index(column)
    kind = table.schema.field(place).type
    if not (pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_null(kind)):
        raise ModelError(
            f"llm_column: '{column}' is {kind}, and the alias of an LLM is text", file=node.file
        )
    named = pc.fill_null(table.column(place).cast(pa.string()), default)
    asked = sorted(pc.unique(named).to_pylist())
    for alias in asked:
        if alias not in llms:
            rows = pc.sum(pc.equal(named, alias)).as_py()
            raise ModelError(
                f"{rows} rows are to be asked of llm '{alias}' (column '{column}'), and there is"
                " none under 'llms:'; nothing was asked",
                file=node.file,
                hint=did_you_mean(alias, llms) or "aliases: " + ", ".join(sorted(llms)),
            )
    return table.set_column(place, column, named), asked


def _check_unique(node: Node, keys: Sequence[str], table: pa.Table) -> None:
    seen: set[str] = set()
    of_keys = table.select(list(keys))
    for first in range(0, table.num_rows, ROWS):
        for values in of_keys.slice(first, ROWS).to_pylist():
            if any(value is None for value in values.values()):
                raise ModelError(f"key: a row has no value in {values}", file=node.file)
            text = json.dumps(values, default=str, sort_keys=True)
            if text in seen:
                raise ModelError(
                    f"two rows have the key {values}; nothing was asked",
                    file=node.file,
                    hint=f"make the rows unique by {', '.join(keys)}, or add a column to 'key'",
                )
            seen.add(text)
