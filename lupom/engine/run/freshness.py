"""How old sources are, held against what YAML allows."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

from lupom.engine.errors import LupomError, ModelError, SourceError
from lupom.engine.project.sources import Freshness, Source
from lupom.engine.run.selection import select_in
from lupom.engine.store import messages
from lupom.engine.store.instances import instance
from lupom.engine.store.statements import one_select

if TYPE_CHECKING:
    import duckdb

    from lupom.engine.run.context import Context

PASS, WARN, ERROR = "pass", "warn", "error"


@dataclass(frozen=True, slots=True)
class Measured:
    """How old a source is.

    Attributes
    ----------
    status : 'pass', 'warn' or 'error'.
    loaded_at : when its newest row was loaded, or its file or object last changed; None where that
        could not be found out, and `message` says why.
    age : seconds from then to `checked_at`.
    """

    source: str
    status: str
    rule: Freshness
    checked_at: datetime
    loaded_at: datetime | None = None
    age: float | None = None
    message: str = ""

    def said(self) -> str:
        """Say what is amiss."""
        if self.age is None:
            return self.message
        rule = self.rule.error_after if self.status == ERROR else self.rule.warn_after
        return f"{_span(self.age)} old, and {rule} are allowed"


def measure(
    context: Context,
    select_: Sequence[str] = (),
    exclude: Sequence[str] = (),
    now: datetime | None = None,
) -> list[Measured]:
    """Measure the selected sources that have a `freshness`.

    One that cannot be read is an 'error' with a message, and the others are measured all the same.
    """
    nodes = context.nodes
    chosen = select_in(context, context.graph, select_, exclude)
    names = {name for name in chosen if nodes[name].resource == "source"}
    return [
        _measured(context, name, rule, now)
        for name, (source, _) in sorted(context.files.sources.items())
        if name in names and (rule := source.freshness) and (rule.warn_after or rule.error_after)
    ]


def _measured(context: Context, name: str, rule: Freshness, now: datetime | None) -> Measured:
    source, _ = context.files.sources[name]
    at = now or datetime.now(UTC)
    try:
        loaded = _loaded_at(context, source, rule)
    except LupomError as error:
        message = error.message + (f" ({error.hint})" if error.hint else "")
        return Measured(name, ERROR, rule, at, message=message)
    if loaded is None:
        return Measured(name, ERROR, rule, at, message="it has no rows")
    age = (at - loaded).total_seconds()
    status = PASS
    if rule.error_after and age > rule.error_after.seconds:
        status = ERROR
    elif rule.warn_after and age > rule.warn_after.seconds:
        status = WARN
    return Measured(name, status, rule, at, loaded, age)


def _loaded_at(context: Context, source: Source, rule: Freshness) -> datetime | None:
    sources = context.sources
    sources.check([source.name])
    if source.loaded_at_field is None:
        if sources.of_store(source.name):
            raise SourceError(
                f"nothing says when the table {source.place} was loaded",
                hint="'loaded_at_field' names the column that does",
            )
        modified = sources.found(source.name).modified
        return None if modified is None else datetime.fromtimestamp(modified, UTC)
    return _newest(context, source, rule)


def _newest(context: Context, source: Source, rule: Freshness) -> datetime | None:
    """Return the newest value of `loaded_at_field`; a timestamp without a zone is UTC."""
    import duckdb

    relation = context.sources.relation(source.name)
    where = f" where {rule.filter}" if rule.filter else ""
    text = f"select max({source.loaded_at_field}) from {relation}{where}"
    try:
        text = one_select(text)
    except ModelError as error:
        raise SourceError(f"loaded_at_field: {error.message}") from error
    except duckdb.Error as error:
        raise SourceError(f"loaded_at_field: {messages.first_line(error)}") from error
    try:
        if source.database is None and not context.sources.of_store(source.name):
            with instance() as connection:
                value = _value(connection, text)
        else:
            with context.store.hold(read_only=context.store.exists) as cursor:
                value = _value(cursor, text)
    except duckdb.Error as error:
        raise SourceError(f"loaded_at_field: {messages.first_line(error)}") from error
    return _time(value, source)


def _value(cursor: duckdb.DuckDBPyConnection, text: str) -> Any:
    # By Arrow: for a time with a zone DuckDB 1 itself wants pytz, which nobody else does.
    return cursor.sql(text).to_arrow_table().column(0)[0].as_py()


def _time(value: Any, source: Source) -> datetime | None:
    if isinstance(value, str):
        with suppress(ValueError):
            value = datetime.fromisoformat(value)
    if isinstance(value, date) and not isinstance(value, datetime):
        value = datetime(value.year, value.month, value.day)
    if value is None:
        return None
    if not isinstance(value, datetime):
        raise SourceError(
            f"loaded_at_field: {source.loaded_at_field} is not a time but {value!r}",
            hint=f"cast it: {source.loaded_at_field}::timestamp",
        )
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def _span(seconds: float) -> str:
    for size, word in ((86400, "days"), (3600, "hours"), (60, "minutes")):
        if seconds >= size:
            return f"{seconds / size:.1f} {word}"
    return f"{seconds:.0f} seconds"
