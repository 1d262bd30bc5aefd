"""LLM models: one row of the select, one call; the answers become the table.

The store is open while rows are read and while the table is committed, and closed in between:
a run that waits for an LLM for two hours keeps nobody from querying personas.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lupom.engine.compiler.load import identity_part
from lupom.engine.errors import ModelError, WaitingError
from lupom.engine.llm.verdict import TooManyInvalid, Verdict
from lupom.engine.project.nodes import Node
from lupom.engine.project.settings import MOST_INVALID
from lupom.engine.run.context import Context
from lupom.engine.run.identities import renewed, set_llms
from lupom.engine.run.materializations.node_asker import NodeAsker, Stopped
from lupom.engine.run.materializations.rows import Part, Prepared, prepare
from lupom.engine.run.results import Calls, NodeProgress
from lupom.engine.run.spending import check_price
from lupom.engine.store.names import quoted
from lupom.engine.store.records import TableRecord

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

    from lupom.engine.llm.answers import Answer

__all__ = ["Stopped", "build", "build_empty", "build_from"]

# Characters of an invalid answer that an error shows.
_SHOWN = 160


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
    ModelError : when more of the first answers, or of all, than `max_invalid_share` are invalid.
    LLMError : when the LLM cannot be reached; what had come back is in the ledger.
    """
    with context.store.hold() as cursor:
        prepared = prepare(context, node, cursor)
    columns = _columns(prepared)
    budget = context.gateway.budget
    for alias in prepared.asked:
        if budget is not None:
            check_price(context, node, alias, budget)
    if node.config.get("llm_column"):
        identity: Callable[[str], Mapping[str, Any]] = context.llm_identity
        set_llms(node, {alias: identity_part(identity, alias) for alias in prepared.asked})
        record = renewed(node, record)
    counts.total = len(prepared)
    if counts.total:
        context.ask_elsewhere()
    verdicts = verdicts_of(context, node, prepared)
    asker = NodeAsker(context, node, prepared, run_id, progress, counts, retry_invalid, verdicts)
    tables: list[pa.Table] = []
    quarantine: list[tuple[str, str, str | None, str | None]] = []
    for part in prepared.parts():
        try:
            answers = asker.ask(part)
        except TooManyInvalid as error:
            raise _useless(context, node, prepared, error, asker) from None
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
    if asker.out:
        raise WaitingError(
            f"{asker.out} of {counts.total} rows are out in a batch",
            hint="run again to collect what has come back",
        )
    # Where rows name their aliases, no row is no alias.
    share = max((share_of(context, node, alias) for alias in prepared.asked), default=1.0)
    if counts.total and counts.invalid / counts.total > share:
        raise ModelError(
            f"{counts.invalid} of {counts.total} answers are invalid, more than"
            f" max_invalid_share {share:g}; the first: {quarantine[0][2]}",
            file=node.file,
            hint=_remedy(context, node, prepared, prepared.asked),
        )
    return _commit(context, node, record, columns, _together(prepared, tables), quarantine)


def build_from(
    context: Context,
    node: Node,
    record: TableRecord,
    prepared: Prepared,
    answers: Callable[[Part], list[Answer]],
) -> TableRecord:
    """Make the table of answers that are given part by part; nothing is asked."""
    columns = _columns(prepared)
    tables = [_table(prepared, part, answers(part)) for part in prepared.parts()]
    return _commit(context, node, record, columns, _together(prepared, tables), [])


def _commit(
    context: Context,
    node: Node,
    record: TableRecord,
    columns: dict[str, str],
    table: pa.Table,
    quarantine: list[tuple[str, str, str | None, str | None]],
) -> TableRecord:
    def commit(cursor: duckdb.DuckDBPyConnection) -> None:
        _create(context, cursor, node, columns)
        cursor.register("__lupom_rows", table)
        casts = ", ".join(f"cast({quoted(c)} as {t})" for c, t in columns.items())
        cursor.execute(f"insert into {quoted('main', node.name)} select {casts} from __lupom_rows")
        cursor.unregister("__lupom_rows")

    return context.store.commit(record, commit, quarantine=quarantine)


def share_of(context: Context, node: Node, alias: str) -> float:
    """Return the share of an LLM's answers to a node that may be invalid."""
    usual = MOST_INVALID[context.files.settings.llms[alias].profile]
    share = node.config.get("max_invalid_share")
    return float(usual if share is None else share)


def verdicts_of(context: Context, node: Node, prepared: Prepared) -> dict[str, Verdict]:
    """Return the verdicts, not yet made, on the first answers of each LLM that a node asks; none
    where all may be invalid."""
    shares = {alias: share_of(context, node, alias) for alias in prepared.rows_of()}
    return {
        alias: Verdict(shares[alias], rows)
        for alias, rows in prepared.rows_of().items()
        if shares[alias] < 1
    }


def _useless(
    context: Context,
    node: Node,
    prepared: Prepared,
    error: TooManyInvalid,
    asker: NodeAsker,
) -> ModelError:
    """Make the error of a node whose first answers are useless: what came back, what to edit."""
    verdicts, total = asker.verdicts, len(prepared)
    failed = [alias for alias, verdict in verdicts.items() if verdict.failed]
    of = f" of llm '{failed[0]}'" if len(verdicts) > 1 else ""
    parts = [f"{error.message}{of}"]
    first = verdicts[failed[0]].first
    if first is not None:
        parts.append(f"the first: {first.error}")
        text = " ".join((first.text or "").split())
        # Where the reason does not quote it already.
        if text and text[:40] not in (first.error or ""):
            parts.append(f"it said: {text[:_SHOWN]}{'...' if len(text) > _SHOWN else ''}")
    if asker.done < total:
        parts.append(f"{total - asker.done:,} of {total:,} rows were not asked")
    return ModelError(
        "; ".join(parts), file=node.file, hint=_remedy(context, node, prepared, failed)
    )


def _remedy(context: Context, node: Node, prepared: Prepared, aliases: Sequence[str]) -> str:
    """Say which files decide an answer, and how to go on."""

    def place(path: Path) -> str:
        root = context.files.root
        return (path.relative_to(root) if path.is_relative_to(root) else path).as_posix()

    wordings = [prepared.wordings[alias] for alias in aliases]
    prompts = dict.fromkeys(place(wording.prompt.file) for wording in wordings)
    classes = dict.fromkeys(place(wording.file) for wording in wordings)
    where = ", ".join(f"llms.{alias}" for alias in aliases)
    return (
        f"edit {' or '.join(prompts)}, the class {node.config['response']} in"
        f" {' or '.join(classes)}, or {where} (model, mode, max_tokens); `lupom retry` asks the"
        " same again; max_invalid_share: 1 takes whatever comes"
    )


def build_empty(context: Context, node: Node, record: TableRecord) -> TableRecord:
    """Make an LLM model's table with its columns and no rows: a run without an LLM."""
    from lupom.engine.llm.profiles import columns_of

    with context.store.hold() as cursor:
        relation = cursor.sql(context.sql(node))
        types = dict(zip(relation.columns, (str(t) for t in relation.types), strict=True))
    config = node.config
    fields = columns_of(node.wordings.values())
    keys = [key for key in config["key"] if key in types]
    columns = {**{k: types[k] for k in keys}, **fields, "call_id": "VARCHAR"}
    return context.store.commit(
        record, lambda cursor: _create(context, cursor, node, columns), quarantine=[]
    )


def _create(
    context: Context, cursor: duckdb.DuckDBPyConnection, node: Node, columns: dict[str, str]
) -> None:
    kept = context.store.stored_type
    described = ", ".join(f"{quoted(name)} {kept(kind)}" for name, kind in columns.items())
    cursor.execute(f"create or replace table {quoted('main', node.name)} ({described})")


def _columns(prepared: Prepared) -> dict[str, str]:
    columns = {key: prepared.types[key] for key in prepared.keys}
    for name, kind in prepared.fields.items():
        if name in columns:
            raise ModelError(f"the response has a field '{name}' that is also a key column")
        columns[name] = kind
    return {**columns, "call_id": "VARCHAR"}


def _table(prepared: Prepared, part: Part, answers: list[Answer]) -> pa.Table:
    """Make the rows of the answers: key columns as the select gave them, then what came back."""
    import pyarrow as pa

    fields = list(prepared.fields)
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
    kinds = prepared.fields
    arrays = {name: keys.column(name) for name in prepared.keys}
    arrays.update({n: pa.array(_plain(values[n]), type=arrow_type(kinds[n])) for n in fields})
    arrays["call_id"] = pa.array(call_ids, type=pa.string())
    return pa.table(arrays)


def _together(prepared: Prepared, tables: list[pa.Table]) -> pa.Table:
    """Put the tables of all parts one below the other; without any, make one of no rows."""
    import pyarrow as pa

    return pa.concat_tables(tables) if tables else _table(prepared, Part(0, [], [], [], []), [])


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
