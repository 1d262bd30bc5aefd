"""What a project is asked for without running it: rows, prompts, what is quarantined."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from lupom.engine.errors import ModelError, StoreError, UsageError, did_you_mean
from lupom.engine.run.context import Context, not_built
from lupom.engine.run.tables import Table
from lupom.engine.store import messages
from lupom.engine.store.base import Store


def query(
    store: Store,
    sql: str,
    parameters: Sequence[Any] | None = None,
    models: Collection[str] = (),
) -> Table:
    """Run SQL on the store, read-only; raises StoreError with DuckDB's message.

    `models` are names that a table which is not there may have been meant for.
    """
    import duckdb

    from lupom.engine.store.statements import one_statement

    try:
        reads = one_statement(sql)
    except ModelError as error:
        raise UsageError(error.message) from error
    try:
        with store.reading() as cursor:
            if not reads:
                store.spoil()
            relation = cursor.sql(sql, params=list(parameters) if parameters else None)
            if relation is None:
                raise UsageError("the SQL gives no rows", hint="the store is open read-only")
            return Table(relation.to_arrow_table())
    except duckdb.Error as error:
        raise _missing(messages.missing_table(error), models) or StoreError(
            messages.lines(error)
        ) from error


def _missing(name: str | None, models: Collection[str]) -> StoreError | None:
    """Return the error of a table that is not there and is a model's, or nearly; None of others.

    DuckDB knows what stands alone, and takes a model that is not built for some `pg_depend`.
    """
    if name is None:
        return None
    meant = {model.lower(): model for model in models}.get(name.lower())
    if meant is not None:
        return not_built(meant)
    close = did_you_mean(name.rsplit(".", 1)[-1], models)
    return None if close is None else StoreError(f"there is no table '{name}'", hint=close)


def table(context: Context, name: str, limit: int | None = None) -> Table:
    """Return a model's rows; raises UsageError if it is unknown, StoreError if not built."""
    from lupom.engine.store.names import quoted

    tail = "" if limit is None else f" limit {int(limit)}"
    # For a table that stands nothing need be compiled, where a file says that it is of now.
    if context.compiled or name not in context.files.names:
        _has_table(context, name)
    with context.store.reading() as cursor:
        if name not in context.store.relations(cursor):
            _has_table(context, name)
            raise not_built(name)
        return query(context.store, f"select * from {quoted('main', name)}{tail}")


def _has_table(context: Context, name: str) -> None:
    """Raise UsageError for what is no model or has no table."""
    if context.node(name).materialization.inlined:
        raise UsageError(f"'{name}' is ephemeral: it has no table", hint="lupom compile shows it")


def standing(context: Context, name: str) -> Table:
    """Return a model's rows as `table` does, where they are of the vars that are given now.

    Raises UsageError where vars were given with which it, or what it is made of, was not built:
    nothing is built for an answer, and theirs would be another.
    """
    with context.store.kept_open():
        found = table(context, name)
        if context.given_vars:
            built = context.store.records()
            for one in (name, *sorted(context.graph.ancestors(name))):
                record, now = built.get(one), context.nodes[one].parts
                if record is None or all(
                    record.parts.get(part, now.get(part)) == now.get(part) for part in _OF_VARS
                ):
                    continue
                of = f", by '{one}'" if one != name else ""
                given = ", ".join(context.given_vars)
                raise UsageError(
                    f"'{name}' was built with other vars than those given now ({given}){of}",
                    hint=f"lupom run --select +{name} with the same --vars",
                )
    return found


# Parts of a node that vars are in: those that a Python model reads, and a select as it is rendered.
_OF_VARS = ("vars", "SQL")


def quarantine(context: Context, name: str) -> Table:
    """Return the rows of an LLM model that have no valid answer: key, error, what came back."""
    context.node(name)
    return query(
        context.store,
        "select key, error, answer, call_id from lupom_meta.quarantine where node = ? order by key",
        [name],
    )


def rendered_prompt(context: Context, name: str) -> list[dict[str, str]]:
    """Return the messages of an LLM model's first row.

    Raises StoreError when the tables it reads are not built yet.
    """
    from lupom.engine.run.materializations.rows import prepare

    with context.store.reading() as cursor:
        prepared = prepare(context, context.nodes[name], cursor, limit=1)
    return [dict(m) for part in prepared.parts() for m in part.calls[0].messages]
