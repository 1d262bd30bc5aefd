"""LLM models: one row of the select, one call; the answers become the table.

The store is open while rows are read and while the table is committed, and closed in between:
a run that waits for an LLM for two hours keeps nobody from querying personas.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from lupom.engine.errors import BudgetError, LupomError, ModelError, WaitingError
from lupom.engine.llm.forecast import Asked, Forecast, Range
from lupom.engine.project.nodes import Node
from lupom.engine.run.context import Context
from lupom.engine.run.materializations.rows import Part, Prepared, prepare
from lupom.engine.run.results import Calls, NodeProgress
from lupom.engine.run.spending import said, taking
from lupom.engine.store.duck import TableRecord
from lupom.engine.store.names import quoted

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

    from lupom.engine.llm.answers import Answer, Progress


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
    WaitingError : when calls are out in a batch, after all parts were submitted.
    Stopped : when the run was stopped before every row was answered; nothing is committed, and
        what had come back is in the ledger.
    ModelError : when more rows than `max_invalid_share` have no valid answer.
    LLMError : when the LLM cannot be reached; what had come back is in the ledger.
    """
    with context.store.hold() as cursor:
        prepared = prepare(context, node, cursor)
    columns = _columns(prepared)
    counts.total = len(prepared)
    asking = _Asking(context, node, prepared, run_id, progress, counts, retry_invalid)
    tables: list[pa.Table] = []
    quarantine: list[tuple[str, str, str | None, str | None]] = []
    for part in prepared.parts():
        answers = asking.ask(part)
        if answers is None:
            continue
        tables.append(_table(prepared, part, answers))
        quarantine += [
            (
                json.dumps(prepared.key_of(part, i), default=str),
                *(answer.key, answer.error, answer.text),
            )
            for i, answer in enumerate(answers)
            if answer.status != "ok"
        ]
    if asking.out:
        raise WaitingError(
            f"{asking.out} of {counts.total} rows are out in a batch",
            hint="run again to collect what has come back",
        )
    share = node.config.get("max_invalid_share")
    if share is not None and counts.total and counts.invalid / counts.total > share:
        raise ModelError(
            f"{counts.invalid} of {counts.total} answers are invalid, more than"
            f" max_invalid_share {share:g}; the first: {quarantine[0][2]}",
            file=node.file,
        )
    table = _together(prepared, tables)

    def commit(cursor: duckdb.DuckDBPyConnection) -> None:
        _create(cursor, node, columns)
        cursor.register("__lupom_rows", table)
        casts = ", ".join(f"cast({quoted(c)} as {t})" for c, t in columns.items())
        cursor.execute(f"insert into {quoted('main', node.name)} select {casts} from __lupom_rows")
        cursor.unregister("__lupom_rows")

    return context.store.commit(record, commit, quarantine=quarantine)


@dataclass(slots=True)
class _Asking:
    """The asking of one node, part after part; what came of it is added to `counts`.

    `out` counts rows whose calls are out in a batch.
    """

    context: Context
    node: Node
    prepared: Prepared
    run_id: str
    progress: Callable[[NodeProgress], None]
    counts: Calls
    retry_invalid: bool
    estimate: Forecast = field(default_factory=lambda: Forecast(0, Range(), Range(), Range()))
    out: int = 0

    def ask(self, part: Part) -> list[Answer] | None:
        """Return the answer to each row; None while some are out in a batch.

        Raises Stopped, BudgetError or LLMError where it cannot go on.
        """
        gateway, counts, so_far = self.context.gateway, self.counts, replace(self.counts)
        try:
            answers = gateway.ask(
                self.node.config["llm"],
                part.calls,
                node=self.node.name,
                run_id=self.run_id,
                progress=lambda now: self._told(part, so_far, now),
                stop=self.context.stop,
                retry_invalid=self.retry_invalid,
                before=self._before,
            )
        except WaitingError:
            self.out += gateway.unanswered(self.node.config["llm"], part.calls).rows
            return None
        except BudgetError as error:
            raise BudgetError(f"{self._left(part)} still to ask", hint=error.message) from None
        done = [answer for answer in answers if answer is not None]
        if len(done) < len(answers):
            left = counts.total - part.start - len(done)
            raise Stopped(f"{left} of {counts.total} rows are still to ask")
        # Rows that share a call cost once; they count as one from the ledger, not as several.
        unique = {answer.key: answer for answer in reversed(done)}
        counts.cached = so_far.cached + sum(answer.cached for answer in unique.values())
        return done

    def _before(self, alias: str, calls: Sequence[Asked]) -> None:
        self.estimate = self.estimate + taking(self.context, self.node.name, {alias: calls})
        _foresee(self.counts, self.estimate)

    def _told(self, part: Part, so_far: Calls, now: Progress) -> None:
        counts = self.counts
        counts.asked = so_far.asked + now.asked
        counts.cached = so_far.cached + now.cached
        counts.invalid = so_far.invalid + now.invalid
        counts.tokens_in = so_far.tokens_in + now.tokens_in
        counts.tokens_out = so_far.tokens_out + now.tokens_out
        if now.asked:
            known = so_far.cost is not None or not so_far.asked
            counts.cost = None if now.cost is None or not known else (so_far.cost or 0) + now.cost
        self.progress(
            NodeProgress(
                *(part.start + now.done, counts.total, counts.cached, counts.invalid),
                *(counts.tokens_in, counts.tokens_out, counts.cost),
            )
        )

    def _left(self, part: Part) -> str:
        """Say what is still to ask from a part on: '34 of 50 rows, ...'."""
        rows, rest = 0, Forecast(0, Range(), Range(), Range())
        for later in self.prepared.parts(part.start):
            waiting = self.context.gateway.unanswered(
                self.node.config["llm"], later.calls, retry_invalid=self.retry_invalid
            )
            rows += waiting.rows
            rest = rest + taking(self.context, self.node.name, waiting.calls)
        return f"{rows} of {self.counts.total} rows, {said(rest.tokens, rest.cost)}"


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


def _table(prepared: Prepared, part: Part, answers: list[Answer]) -> pa.Table:
    """Make the rows of the answers: key columns as the select gave them, then what came back."""
    import pyarrow as pa

    fields = list(prepared.spec.columns())
    indices: list[int] = []
    values: dict[str, list[Any]] = {name: [] for name in fields}
    call_ids: list[str] = []
    for i, answer in enumerate(answers):
        if answer.status != "ok" or answer.value is None:
            continue
        for row in part.responses[i].rows(answer.value):
            extra = {"probabilities": answer.probabilities, "missing_mass": answer.missing_mass}
            merged = {**extra, **row}
            indices.append(part.start + i)
            call_ids.append(answer.key)
            for name in fields:
                values[name].append(merged.get(name))
    keys = prepared.table.select(prepared.keys).take(pa.array(indices, type=pa.int64()))
    kinds = prepared.spec.columns()
    arrays = {name: keys.column(name) for name in prepared.keys}
    arrays.update({n: pa.array(_plain(values[n]), type=arrow_type(kinds[n])) for n in fields})
    arrays["call_id"] = pa.array(call_ids, type=pa.string())
    return pa.table(arrays)


def _together(prepared: Prepared, tables: list[pa.Table]) -> pa.Table:
    """Put the tables of all parts one below the other; without any, make one of no rows."""
    import pyarrow as pa

    return pa.concat_tables(tables) if tables else _table(prepared, Part(0, [], [], []), [])


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
