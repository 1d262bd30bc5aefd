"""What a model would be if it were built now, beside what stands: rows added, gone, changed.

Nothing is written. SQL and Python models are built in memory, with what is stale above them; of an
LLM model only answers in the ledger count.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from lupom.engine.errors import StoreError, UsageError, did_you_mean
from lupom.engine.llm.forecast import Forecast, Range
from lupom.engine.project.nodes import Node
from lupom.engine.run.context import not_built
from lupom.engine.run.materializations.rows import Prepared, prepare
from lupom.engine.run.reading import query
from lupom.engine.run.scratch import Scratch, scratch
from lupom.engine.run.selection import read_by, select_nodes, with_seeds
from lupom.engine.run.spending import taking
from lupom.engine.run.staleness import plan_of
from lupom.engine.store.names import quoted

if TYPE_CHECKING:
    import duckdb

    from lupom.engine.llm.answers import Answer
    from lupom.engine.run.context import Context

Key = tuple[Any, ...]
# Columns of an LLM model that say how an answer came about and not what it is.
_BESIDE = ("call_id", "probabilities", "missing_mass")
_BEFORE = "lupom_built"


@dataclass(frozen=True, slots=True)
class Change:
    """A row that differs: 'added', 'gone' or 'changed', and of a changed one in which column."""

    kind: str
    key: Key
    column: str = ""
    before: Any = None
    after: Any = None


@dataclass(slots=True)
class Difference:
    """A model now beside what stands.

    Attributes
    ----------
    keys : the columns that make a row the same row; without any, rows are compared as a whole.
    added, gone, changed, same : numbers of rows; of an LLM model, of keys.
    changes : each of them, by key; a changed row has one for each column.
    columns : '+name' and '-name' of columns that came or went.
    to_ask : rows of an LLM model that the ledger has no answer to, `tokens` and `cost` of which are
        ranges; cost None is "price unknown".
    """

    model: str
    keys: list[str]
    added: int = 0
    gone: int = 0
    changed: int = 0
    same: int = 0
    changes: list[Change] = field(default_factory=list)
    columns: list[str] = field(default_factory=list)
    to_ask: int = 0
    tokens: Range | None = None
    cost: Range | None = None


def diff(context: Context, name: str, key: Sequence[str] | None = None) -> Difference:
    """Compare a model as it would be built now with what stands.

    Parameters
    ----------
    key : columns that make a row the same row. By default the model's `key` or `unique_key`, or a
        data test of uniqueness.

    Raises
    ------
    UsageError : for a model there is not, or that has no table; for a key column it has not.
    StoreError : when it is not built yet.
    ModelError : what the model raises.
    """
    node = checked(context, name)
    with stale_built(context, node) as memory:
        if node.materialization.needs_llm:
            with memory.context.store.hold() as cursor:
                prepared = prepare(memory.context, node, cursor)
            return _of_answers(context, node, prepared)
        _built(memory, (name,))
        with memory.context.store.hold() as cursor:
            return _of_tables(cursor, node, list(key or _guessed_key(context, node)))


def checked(context: Context, name: str) -> Node:
    """Return the node of a model whose table stands; raises as `diff` does."""
    node = context.node(name)
    if not node.materialization.is_built:
        raise UsageError(f"'{name}' has no table that LUPoM builds")
    if not context.store.exists:
        raise not_built(name)
    with context.store.reading() as cursor:
        if name not in context.store.relations(cursor):
            raise not_built(name)
    return node


@contextmanager
def stale_built(context: Context, node: Node) -> Iterator[Scratch]:
    """Open a scratch store with everything stale above a node built in it, LLM models aside: what
    they gave stands for what they would give."""
    above = context.graph.sort(context.graph.ancestors(node.name))
    names = tuple(n for n in above if context.nodes[n].resource != "source")
    selected = with_seeds(context, select_nodes(context, list(names) or [node.name]))
    context.sources.check(read_by(context, (context.nodes[name] for name in selected)))
    plan = plan_of(context, selected)
    stale = {step.node for step in plan.doing()} - {node.name}
    plain = tuple(n for n in names if n in stale and not context.nodes[n].materialization.needs_llm)
    with scratch(context) as memory:
        _built(memory, plain)
        yield memory


def _built(memory: Scratch, names: tuple[str, ...]) -> None:
    """Build nodes in memory; raises StoreError where one has texts to be embedded first."""
    stuck = memory.build(names)
    if stuck is not None:
        raise StoreError(
            f"'{stuck}' has texts to be embedded first, which asks an endpoint",
            hint=f"lupom plan --select {stuck} says what that takes, lupom run does it",
        )


def _guessed_key(context: Context, node: Node) -> list[str]:
    for option in ("key", "unique_key"):
        if given := node.config.get(option):
            return [given] if isinstance(given, str) else list(given)
    properties = context.files.properties.get((f"{node.resource}s", node.name))
    for test in properties.tests if properties else ():
        if test.test == "unique":
            columns = test.arguments.get("columns", test.arguments.get("", test.column))
            return [columns] if isinstance(columns, str) else list(columns)
    return []


def _of_tables(cursor: duckdb.DuckDBPyConnection, node: Node, keys: list[str]) -> Difference:
    """Compare two tables of one name: in memory, and in the store beneath it."""
    new, old = quoted("main", node.name), quoted(_BEFORE, "main", node.name)
    after = [row[0] for row in cursor.execute(f"describe {new}").fetchall()]
    before = [row[0] for row in cursor.execute(f"describe {old}").fetchall()]
    both = [column for column in after if column in before and column not in node.measured]
    for key in keys:
        if key not in both:
            raise UsageError(f"--key: no column '{key}'", hint=did_you_mean(key, both))
    out = Difference(node.name, keys)
    out.columns = [f"+{c}" for c in after if c not in before]
    out.columns += [f"-{c}" for c in before if c not in after]
    if not keys:
        _of_whole_rows(cursor, new, old, both, out)
        return out
    names = ", ".join(quoted(key) for key in keys)
    same = " and ".join(f"n.{quoted(k)} is not distinct from o.{quoted(k)}" for k in keys)
    for kind, one, other in (("added", new, old), ("gone", old, new)):
        rows = cursor.execute(
            f"select {names} from {one} as n where not exists"
            f" (select 1 from {other} as o where {same}) order by all"
        ).fetchall()
        setattr(out, kind, len(rows))
        out.changes += [Change(kind, tuple(row)) for row in rows]
    changed: set[Key] = set()
    picked = ", ".join(f"n.{quoted(key)}" for key in keys)
    for column in both:
        if column in keys:
            continue
        c = quoted(column)
        rows = cursor.execute(
            f"select {picked}, o.{c}, n.{c} from {new} as n join {old} as o on {same}"
            f" where n.{c} is distinct from o.{c} order by {picked}"
        ).fetchall()
        for *values, was, now in rows:
            changed.add(tuple(values))
            out.changes.append(Change("changed", tuple(values), column, was, now))
    ((shared,),) = cursor.execute(
        f"select count(*) from {new} as n join {old} as o on {same}"
    ).fetchall()
    out.changed, out.same = len(changed), shared - len(changed)
    return out


def _of_whole_rows(
    cursor: duckdb.DuckDBPyConnection, new: str, old: str, columns: list[str], out: Difference
) -> None:
    names = ", ".join(quoted(column) for column in columns)
    for kind, one, other in (("added", new, old), ("gone", old, new)):
        rows = cursor.execute(
            f"(select {names} from {one} except all select {names} from {other}) order by all"
        ).fetchall()
        setattr(out, kind, len(rows))
        out.changes += [Change(kind, tuple(row)) for row in rows]
    ((count,),) = cursor.execute(f"select count(*) from {new}").fetchall()
    out.keys, out.same = columns, count - out.added


def _of_answers(context: Context, node: Node, prepared: Prepared) -> Difference:
    """Compare the answers the ledger has to today's calls with those that stand."""
    standing = groups(context, node, list(prepared.keys))
    out = Difference(node.name, list(prepared.keys))
    now: set[Key] = set()
    rest = Forecast.none()
    gateway = context.gateway
    for part in prepared.parts():
        for alias, places in part.by_alias().items():
            calls = [part.calls[i] for i in places]
            waiting = gateway.unanswered(alias, calls)
            rest = rest + taking(context, node.name, waiting.calls)
            answers = gateway.recall(alias, calls)
            for i, answer in zip(places, answers, strict=True):
                key = tuple(part.rows[i][k] for k in prepared.keys)
                now.add(key)
                if answer is None:
                    out.to_ask += 1
                    continue
                _compare(out, key, standing.get(key), value_of(prepared, part.responses[i], answer))
    for key in sorted(set(standing) - now, key=str):
        out.gone += 1
        out.changes.append(Change("gone", key, before=standing[key]))
    if out.to_ask:
        out.tokens, out.cost = rest.tokens, rest.cost
    return out


def _compare(out: Difference, key: Key, before: Any, after: Any) -> None:
    if before == after:
        out.same += 1
    elif before is None:
        out.added += 1
        out.changes.append(Change("added", key, after=after))
    elif after is None:
        out.gone += 1
        out.changes.append(Change("gone", key, before=before))
    else:
        out.changed += 1
        out.changes.append(Change("changed", key, "", before, after))


def groups(context: Context, node: Node, keys: list[str]) -> dict[Key, Any]:
    """Return what an LLM model's table says, by key: a value where an answer is one."""
    table = query(context.store, f"select * from {quoted('main', node.name)}").arrow
    found: dict[Key, list[dict[str, Any]]] = {}
    for row in table.to_pylist(maps_as_pydicts="lossy"):
        key = tuple(row[k] for k in keys)
        fields = {k: v for k, v in row.items() if k not in keys and k not in _BESIDE}
        found.setdefault(key, []).append(fields)
    return {key: plain(rows) for key, rows in found.items()}


def value_of(prepared: Prepared, response: Any, answer: Answer) -> Any:
    """Return an answer as `groups` has it; None where it is invalid."""
    if answer.status != "ok" or answer.value is None:
        return None
    rows = response.rows(answer.value)
    return plain([{k: v for k, v in row.items() if k not in _BESIDE} for row in rows])


def plain(rows: Sequence[Mapping[str, Any]]) -> Any:
    """Return rows of fields as little as they can be: one field of one row is its value."""
    if len(rows) == 1 and len(rows[0]) == 1:
        return next(iter(rows[0].values()))
    ordered = sorted((dict(row) for row in rows), key=lambda row: json.dumps(row, default=str))
    return ordered[0] if len(ordered) == 1 else ordered
