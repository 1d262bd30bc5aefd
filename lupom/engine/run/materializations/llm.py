"""LLM models: one row of the select, one call; the answers become the table.

The store is open while rows are read and while the table is committed, and closed in between:
a run that waits for an LLM for two hours keeps nobody from querying personas.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lupom.engine.errors import BudgetError, LupomError, ModelError, did_you_mean
from lupom.engine.llm.forecast import Asked, Forecast, Range
from lupom.engine.project.nodes import Node
from lupom.engine.run.context import Context
from lupom.engine.run.results import Calls, NodeProgress
from lupom.engine.run.spending import remaining, taking
from lupom.engine.store.duck import TableRecord
from lupom.engine.store.names import quoted

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

    from lupom.engine.llm.answers import Answer, Call, Progress
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
    from lupom.engine.llm.answers import Call
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
    counts: Calls,
    retry_invalid: bool = False,
) -> TableRecord:
    """Ask what the ledger has no answer to, and commit the answers.

    `counts` is filled in as it goes, so that it is right whatever happens.

    Raises
    ------
    BudgetError : when the budget does not allow the next request; it says what is still to ask.
    Stopped : when the run was stopped before every row was answered; nothing is committed, and
        what had come back is in the ledger.
    ModelError : when more rows than `max_invalid_share` have no valid answer.
    LLMError : when the LLM cannot be reached; what had come back is in the ledger.
    """
    with context.store.hold() as cursor:
        prepared = prepare(context, node, cursor)
    done = _ask(context, node, prepared, run_id, progress, counts, retry_invalid)
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

    return context.store.commit(record, commit, quarantine=quarantine)


def _ask(
    context: Context,
    node: Node,
    prepared: Prepared,
    run_id: str,
    progress: Callable[[NodeProgress], None],
    counts: Calls,
    retry_invalid: bool,
) -> list[Answer]:
    """Return the answer to each row; raises Stopped, BudgetError or LLMError short of that."""
    gateway, alias = context.gateway, node.config["llm"]
    estimate = Forecast(0, Range(), Range(), Range())
    counts.total = len(prepared.calls)

    def before(asked: str, calls: Sequence[Asked]) -> None:
        nonlocal estimate
        estimate = estimate + taking(context, node.name, {asked: calls})
        _foresee(counts, estimate)

    def told(now: Progress) -> None:
        counts.asked, counts.cached, counts.invalid = now.asked, now.cached, now.invalid
        counts.tokens_in, counts.tokens_out = now.tokens_in, now.tokens_out
        counts.cost = now.cost if now.asked else None
        progress(
            NodeProgress(
                *(now.done, now.total, now.cached, now.invalid),
                *(now.tokens_in, now.tokens_out, now.cost),
            )
        )

    try:
        answers = gateway.ask(
            alias,
            prepared.calls,
            node=node.name,
            run_id=run_id,
            progress=told,
            stop=context.stop,
            retry_invalid=retry_invalid,
            before=before,
        )
    except BudgetError as error:
        waiting = gateway.unanswered(alias, prepared.calls, retry_invalid=retry_invalid)
        left = remaining(context, node.name, counts.total, waiting)
        raise BudgetError(f"{left} still to ask", hint=error.message) from None
    done = [answer for answer in answers if answer is not None]
    if len(done) < len(answers):
        raise Stopped(f"{len(answers) - len(done)} of {len(answers)} rows are still to ask")
    # Rows that share a call cost once; they count as one from the ledger, not as several.
    counts.cached = sum(answer.cached for answer in {a.key: a for a in reversed(done)}.values())
    return done


def _foresee(counts: Calls, estimate: Forecast) -> None:
    tokens, cost = estimate.tokens, estimate.cost
    counts.tokens_low, counts.tokens_high = round(tokens.low), round(tokens.high)
    counts.cost_low = None if cost is None else cost.low
    counts.cost_high = None if cost is None else cost.high


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
