"""LLM models: one row of the select, one call; the answers become the table.

The store is open while rows are read and while the table is committed, and closed in between:
a run that waits for an LLM for two hours keeps nobody from querying personas.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lupom.engine.errors import LupomError, ModelError, did_you_mean
from lupom.engine.project.nodes import Node
from lupom.engine.run.context import Context
from lupom.engine.run.results import Calls, NodeProgress
from lupom.engine.store.duck import TableRecord
from lupom.engine.store.names import quoted

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

    from lupom.engine.llm.gateway import Answer, Call
    from lupom.engine.llm.responses import ResponseSpec, RowResponse

# The column of a select that says which draw of a repeated question a row is.
DRAW = "draw"


@dataclass(slots=True)
class Prepared:
    """An LLM model's rows, ready to be asked.

    Attributes
    ----------
    table : the select's rows.
    calls : one per row, in the rows' order.
    """

    spec: ResponseSpec
    keys: list[str]
    table: pa.Table
    types: dict[str, str]
    rows: list[dict[str, Any]]
    responses: list[RowResponse]
    calls: list[Call]

    def key_of(self, index: int) -> dict[str, Any]:
        return {key: self.rows[index][key] for key in self.keys}


def prepare(
    context: Context,
    node: Node,
    cursor: duckdb.DuckDBPyConnection,
    *,
    limit: int | None = None,
) -> Prepared:
    """Read an LLM model's rows (the first `limit`) and make their calls, with nothing asked.

    Raises ModelError for a key column that is not in the select, and for two rows of one key;
    LupomError with file and line for a prompt or response class that does not fit the rows.
    """
    from lupom.engine.llm.gateway import Call
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
    rows = table.to_pylist(maps_as_pydicts="strict")
    _check_unique(node, keys, rows)
    prompt = Prompt(context.files.prompts, config["prompt"])
    spec = load_response(context.files.prompts / "responses.py", config["response"])
    calls, responses = [], []
    for row in rows:
        response = spec.for_row(row)
        responses.append(response)
        messages = prompt.messages(row, response)
        calls.append(Call(messages, response, draw=int(row.get(DRAW) or 0)))
    return Prepared(spec, keys, table, types, rows, responses, calls)


def build(
    context: Context,
    node: Node,
    record: TableRecord,
    *,
    run_id: str,
    progress: Callable[[NodeProgress], None],
    retry_invalid: bool = False,
) -> tuple[TableRecord, Calls]:
    """Ask what the ledger has no answer to, and commit the answers.

    Raises
    ------
    Stopped : when the run was stopped before every row was answered; nothing is committed, and
        what had come back is in the ledger.
    ModelError : when more rows than `max_invalid_share` have no valid answer.
    LLMError : when the LLM cannot be reached; what had come back is in the ledger.
    """
    with context.store.hold() as cursor:
        prepared = prepare(context, node, cursor)
    alias = node.config["llm"]
    answers = context.gateway.ask(
        alias,
        prepared.calls,
        node=node.name,
        run_id=run_id,
        progress=lambda p: progress(
            NodeProgress(p.done, p.total, p.cached, p.invalid, p.tokens_in, p.tokens_out, p.cost)
        ),
        stop=context.stop,
        retry_invalid=retry_invalid,
    )
    done = [answer for answer in answers if answer is not None]
    if len(done) < len(answers):
        raise Stopped(f"{len(answers) - len(done)} of {len(answers)} rows are still to ask")
    counts = _count(done)
    share = node.config.get("max_invalid_share")
    if share is not None and counts.total and counts.invalid / counts.total > share:
        first = next(answer for answer in done if answer.status != "ok")
        raise ModelError(
            f"{counts.invalid} of {counts.total} answers are invalid, more than"
            f" max_invalid_share {share:g}; the first: {first.error}",
            file=node.file,
        )
    quarantine = [
        (json.dumps(prepared.key_of(i), default=str), answer.key, answer.error, answer.text)
        for i, answer in enumerate(done)
        if answer.status != "ok"
    ]
    table = _table(prepared, done)
    columns = _columns(prepared)

    def commit(cursor: duckdb.DuckDBPyConnection) -> None:
        _create(cursor, node, columns)
        cursor.register("__lupom_rows", table)
        casts = ", ".join(f"cast({quoted(c)} as {t})" for c, t in columns.items())
        cursor.execute(f"insert into {quoted('main', node.name)} select {casts} from __lupom_rows")
        cursor.unregister("__lupom_rows")

    return context.store.commit(record, commit, quarantine=quarantine), counts


def build_empty(context: Context, node: Node, record: TableRecord) -> TableRecord:
    """Make an LLM model's table with its columns and no rows: a run without an LLM."""
    from lupom.engine.llm.responses import load_response

    with context.store.hold() as cursor:
        relation = cursor.sql(context.sql(node))
        types = dict(zip(relation.columns, (str(t) for t in relation.types), strict=True))
    spec = load_response(context.files.prompts / "responses.py", node.config["response"])
    keys = [key for key in node.config["key"] if key in types]
    columns = {**{k: types[k] for k in keys}, **spec.columns(), "call_id": "VARCHAR"}
    return context.store.commit(
        record, lambda cursor: _create(cursor, node, columns), quarantine=[]
    )


class Stopped(LupomError):
    """The run was stopped before the node was done."""


def _create(cursor: duckdb.DuckDBPyConnection, node: Node, columns: dict[str, str]) -> None:
    described = ", ".join(f"{quoted(name)} {kind}" for name, kind in columns.items())
    cursor.execute(f"create or replace table {quoted('main', node.name)} ({described})")


def _columns(prepared: Prepared) -> dict[str, str]:
    columns = {key: prepared.types[key] for key in prepared.keys}
    for name, kind in prepared.spec.columns().items():
        if name in columns:
            raise ModelError(f"the response has a field '{name}' that is also a key column")
        columns[name] = kind
    return {**columns, "call_id": "VARCHAR"}


def _table(prepared: Prepared, answers: list[Answer]) -> pa.Table:
    """Make the rows of the answers: key columns as the select gave them, then what came back."""
    import pyarrow as pa

    fields = list(prepared.spec.columns())
    indices: list[int] = []
    values: dict[str, list[Any]] = {name: [] for name in fields}
    call_ids: list[str] = []
    for i, answer in enumerate(answers):
        if answer.status != "ok" or answer.value is None:
            continue
        for row in prepared.responses[i].rows(answer.value):
            extra = {"probabilities": answer.probabilities, "missing_mass": answer.missing_mass}
            merged = {**extra, **row}
            indices.append(i)
            call_ids.append(answer.key)
            for name in fields:
                values[name].append(merged.get(name))
    keys = prepared.table.select(prepared.keys).take(pa.array(indices, type=pa.int64()))
    kinds = prepared.spec.columns()
    arrays = {name: keys.column(name) for name in prepared.keys}
    arrays.update({n: pa.array(_plain(values[n]), type=arrow_type(kinds[n])) for n in fields})
    arrays["call_id"] = pa.array(call_ids, type=pa.string())
    return pa.table(arrays)


def _plain(values: list[Any]) -> list[Any]:
    return [list(v.items()) if isinstance(v, dict) else v for v in values]


def arrow_type(kind: str) -> pa.DataType:
    """Return the Arrow type of a DuckDB type a response can have; raises ValueError for others."""
    import pyarrow as pa

    scalars = {
        "VARCHAR": pa.string(),
        "BIGINT": pa.int64(),
        "DOUBLE": pa.float64(),
        "BOOLEAN": pa.bool_(),
    }
    if kind.endswith("[]"):
        return pa.list_(arrow_type(kind[:-2]))
    if kind.startswith("MAP("):
        key, value = kind[4:-1].split(",", 1)
        return pa.map_(arrow_type(key.strip()), arrow_type(value.strip()))
    if kind not in scalars:
        raise ValueError(f"no Arrow type for {kind}")
    return scalars[kind]


def _check_unique(node: Node, keys: list[str], rows: list[dict[str, Any]]) -> None:
    seen: set[str] = set()
    for row in rows:
        values = {key: row[key] for key in keys}
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


def _count(answers: list[Answer]) -> Calls:
    unique = {answer.key: answer for answer in answers}
    fresh = [answer for answer in unique.values() if not answer.cached]
    costs = [answer.cost for answer in fresh]
    return Calls(
        total=len(answers),
        cached=sum(answer.cached for answer in unique.values()),
        asked=len(fresh),
        invalid=sum(answer.status != "ok" for answer in answers),
        tokens_in=sum(answer.tokens_in for answer in fresh),
        tokens_out=sum(answer.tokens_out for answer in fresh),
        cost=None if not costs or None in costs else sum(c for c in costs if c is not None),
    )
