"""The rows of an LLM model and the calls they make, a part at a time."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lupom.engine.errors import ModelError, did_you_mean
from lupom.engine.project.nodes import Node
from lupom.engine.run.context import Context

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

    from lupom.engine.llm.answers import Call
    from lupom.engine.llm.prompts import Prompt
    from lupom.engine.llm.responses import ResponseSpec, RowResponse

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
    """

    start: int
    rows: list[dict[str, Any]]
    responses: list[RowResponse]
    calls: list[Call]


@dataclass(frozen=True, slots=True)
class Prepared:
    """An LLM model's rows, ready to be asked.

    Attributes
    ----------
    table : the select's rows.
    types : DuckDB types of its columns.
    keys : the key's columns.
    """

    spec: ResponseSpec
    keys: list[str]
    table: pa.Table
    types: dict[str, str]
    prompt: Prompt
    size: int

    def __len__(self) -> int:
        return int(self.table.num_rows)

    def parts(self, start: int = 0) -> Iterator[Part]:
        """Yield the rows from `start` on in parts; raises LupomError with file and line where the
        prompt or the response class does not fit a row."""
        for first in range(start, len(self), self.size):
            yield self._part(first)

    def key_of(self, part: Part, index: int) -> dict[str, Any]:
        return {key: part.rows[index][key] for key in self.keys}

    def _part(self, first: int) -> Part:
        from lupom.engine.llm.answers import Call

        rows = self.table.slice(first, self.size).to_pylist(maps_as_pydicts="strict")
        calls, responses = [], []
        for row in rows:
            response = self.spec.for_row(row)
            responses.append(response)
            messages = self.prompt.messages(row, response)
            calls.append(Call(messages, response, draw=int(row.get(DRAW) or 0)))
        return Part(first, rows, responses, calls)


def prepare(
    context: Context,
    node: Node,
    cursor: duckdb.DuckDBPyConnection,
    *,
    limit: int | None = None,
) -> Prepared:
    """Read an LLM model's rows (the first `limit`), with nothing asked.

    Raises ModelError for a key column that is not in the select, and for two rows of one key;
    LupomError with file and line for a prompt or response class that is not right.
    """
    from lupom.engine.llm.prompts import Prompt
    from lupom.engine.llm.responses import load_response

    config = node.config
    relation = cursor.sql(context.sql(node))
    if limit is not None:
        relation = relation.limit(limit)
    types = dict(zip(relation.columns, (str(t) for t in relation.types), strict=True))
    keys = list(config["key"])
    for key in keys:
        if key not in types:
            raise ModelError(
                f"key: the select has no column '{key}'",
                file=node.file,
                hint=did_you_mean(key, types) or "columns: " + ", ".join(types),
            )
    table = relation.to_arrow_table()
    _check_unique(node, keys, table)
    prompt = Prompt(context.files.prompts, config["prompt"])
    spec = load_response(context.files.prompts / "responses.py", config["response"])
    places = context.files.settings.llms[config["llm"]].concurrency
    return Prepared(spec, keys, table, types, prompt, max(ROWS, PLACES * places))


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
