"""Where one answer of an LLM comes from: its row, prompt, call, and what went into it upstream."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import permutations
from typing import TYPE_CHECKING

from lupom.engine.errors import LLMError, UsageError, did_you_mean
from lupom.engine.project.nodes import Node
from lupom.engine.run.context import not_built
from lupom.engine.run.explanation import Attempt, Explanation, Input
from lupom.engine.store.names import literal, quoted

if TYPE_CHECKING:
    import duckdb

    from lupom.engine.run.context import Context
    from lupom.engine.run.materializations.rows import Part

# Rows of an upstream table that are shown. One where more match is taken to be about more than this
# row, and only named, unless the model's config asks for it.
SHOWN = 20


def explain(
    context: Context,
    model: str,
    values: Sequence[str],
    named: Mapping[str, str],
    *,
    truth: bool = False,
) -> Explanation:
    """Explain the one row of an LLM model that key values name; nothing is asked.

    Parameters
    ----------
    values : values of key columns, in any order; each is looked for in every key column.
    named : values by key column.
    truth : show tables with a guarded tag, too.

    Raises
    ------
    UsageError : for a model without an LLM, a key of no row, or one of several rows.
    StoreError : when the tables it reads are not built.
    """
    from lupom.engine.run.materializations.rows import prepare

    node = _llm_node(context, model)
    with context.store.reading() as cursor:
        missing = [p for p in node.parents if not _stands(context, cursor, p)]
        if missing:
            raise not_built(missing[0], model)
        key = _find(context, cursor, node, values, named)
        prepared = prepare(context, node, cursor, where=_where(node, key))
        (part,) = prepared.parts()
        together = part.calls[0].together
        out = Explanation(
            model=model,
            key=prepared.key_of(part, 0),
            prompt=[dict(message) for message in part.calls[0].messages],
            options=_options(part),
            rows_per_call=1 if together is None else together.most,
        )
        _answered(context, cursor, node, key, out)
        _called(context, part, out)
        out.inputs = list(_inputs(context, cursor, node, key, truth, out))
    return out


def _llm_node(context: Context, model: str) -> Node:
    node = context.node(model)
    if node.materialization.needs_llm:
        return node
    above = context.graph.sort(context.graph.ancestors(model))
    asked = [n for n in above if context.nodes[n].materialization.needs_llm]
    raise UsageError(
        f"'{model}' asks no LLM, so there is no prompt or call to explain",
        hint=f"it reads what {asked[-1]} was answered: lupom explain {asked[-1]} KEY"
        if asked
        else None,
    )


def _stands(context: Context, cursor: duckdb.DuckDBPyConnection, name: str) -> bool:
    node = context.nodes[name]
    return not node.materialization.is_built or name in context.store.relations(cursor)


def _column(node: Node, name: str) -> str:
    """Return a key column's value as text, in SQL."""
    text = f"cast({quoted(name)} as varchar)"
    if name == node.config.get("llm_column"):
        return f"coalesce({text}, {literal(node.config['llm'])})"
    return text


def _where(node: Node, key: Mapping[str, str]) -> str:
    return " and ".join(f"{_column(node, name)} = {literal(value)}" for name, value in key.items())


def _find(
    context: Context,
    cursor: duckdb.DuckDBPyConnection,
    node: Node,
    values: Sequence[str],
    named: Mapping[str, str],
) -> dict[str, str]:
    """Return the key, as text, of the only row that the values fit."""
    keys = list(node.config["key"])
    for name in named:
        if name not in keys:
            raise UsageError(
                f"'{name}' is not a key column of {node.name}",
                hint=did_you_mean(name, keys) or "key columns: " + ", ".join(keys),
            )
    if len(values) + len(named) > len(keys):
        raise UsageError(
            f"{len(values) + len(named)} values for {len(keys)} key columns: {', '.join(keys)}"
        )
    columns = ", ".join(f"{_column(node, name)} as {quoted(name)}" for name in keys)
    rows = f"(select distinct {columns} from ({context.sql(node)}))"
    free = [name for name in keys if name not in named]
    tests = [f"{quoted(name)} = {literal(value)}" for name, value in named.items()]
    for value in values:
        tests.append(f"{literal(value)} in ({', '.join(quoted(name) for name in free)})")
    found = cursor.execute(
        f"select * from {rows} where {' and '.join(tests) or 'true'} order by all"
    ).fetchall()
    fitting = [row for row in found if _fits(dict(zip(keys, row, strict=True)), free, values)]
    if len(fitting) == 1:
        return dict(zip(keys, fitting[0], strict=True))
    if not fitting:
        if not cursor.execute(f"select 1 from {rows} limit 1").fetchall():
            raise UsageError(
                f"{node.name} has no rows to ask", hint=f"lupom show {node.parents[0]}"
            )
        raise _no_row(cursor, node, rows, free, values, named)
    shown = [
        " ".join(f"{n}={v}" for n, v in zip(keys, row, strict=True)) for row in fitting[:SHOWN]
    ]
    more = f"\n  and {len(fitting) - SHOWN} more" if len(fitting) > SHOWN else ""
    raise UsageError(
        f"{len(fitting)} rows of {node.name} fit; name more of the key"
        f" ({', '.join(keys)}):\n  " + "\n  ".join(shown) + more
    )


def _fits(row: Mapping[str, str], free: Sequence[str], values: Sequence[str]) -> bool:
    """Tell whether each value is that of a column of its own."""
    return any(
        all(row[name] == value for name, value in zip(names, values, strict=True))
        for names in permutations(free, len(values))
    )


def _no_row(
    cursor: duckdb.DuckDBPyConnection,
    node: Node,
    rows: str,
    free: Sequence[str],
    values: Sequence[str],
    named: Mapping[str, str],
) -> UsageError:
    """Say which value no row has, and what it may have been meant to be."""

    def known(name: str) -> list[str]:
        distinct = cursor.execute(f"select distinct {quoted(name)} from {rows}").fetchall()
        return [value for (value,) in distinct]

    for value, names in [*((v, free) for v in values), *((v, [n]) for n, v in named.items())]:
        there = {name: known(name) for name in names}
        if any(value in each for each in there.values()):
            continue
        spelled = " or ".join(names)
        everything = sorted({v for each in there.values() for v in each})
        few = "it has " + ", ".join(everything) if len(everything) <= SHOWN else None
        return UsageError(
            f"no row of {node.name} has '{value}' as {spelled}",
            hint=did_you_mean(value, everything) or few,
        )
    said = [*values, *(f"{name}={value}" for name, value in named.items())]
    return UsageError(f"no row of {node.name} has all of {', '.join(said)}")


def _options(part: Part) -> list[str] | None:
    choices = part.responses[0].choices
    return None if choices is None else [choice["option"] for choice in choices]


def _answered(
    context: Context,
    cursor: duckdb.DuckDBPyConnection,
    node: Node,
    key: Mapping[str, str],
    out: Explanation,
) -> None:
    """Add what the model's own table says."""
    if node.name not in context.store.relations(cursor):
        return
    table = cursor.sql(
        f"select * from {quoted('main', node.name)} where {_where(node, key)}"
    ).to_arrow_table()
    rows = table.to_pylist(maps_as_pydicts="lossy")
    keys = set(node.config["key"])
    out.call_id = rows[0]["call_id"] if rows else None
    out.answer = [
        {name: v for name, v in row.items() if name not in keys and name != "call_id"}
        for row in rows
    ]
    if not rows:
        # Quarantined rows keep their key as JSON.
        tests = " and ".join(
            f"json_extract_string(key, {literal('$.' + quoted(n))}) = {literal(v)}"
            for n, v in key.items()
        )
        bad = cursor.execute(
            f"select call_id from lupom_meta.quarantine where node = ? and {tests}", [node.name]
        ).fetchall()
        out.call_id = bad[0][0] if bad else None
    built = cursor.execute("select run_id from lupom_meta.tables where node = ?", [node.name])
    out.built_by = next((run_id for (run_id,) in built.fetchall()), None)


def _called(context: Context, part: Part, out: Explanation) -> None:
    """Add what the ledger says of the call: the one the table names, or else today's."""
    if not context.has_state:
        return
    alias, call = part.aliases[0], part.calls[0]
    out.alias = alias
    gateway = context.gateway
    try:
        today = [gateway.key(name, call) for name in gateway.chain(alias)]
    except LLMError:
        today = []
    wanted = out.call_id
    if wanted is None:
        known = gateway.lookup(today)
        wanted = next((k for k in today if known.get(k) == "ok"), None)
        wanted = wanted or next((k for k in reversed(today) if k in known), None)
    if wanted is None:
        return
    out.prompt_changed = bool(today) and wanted not in today
    ledger = context.state.ledger
    entry, origin = ledger.lookup([wanted]).get(wanted), ledger.origin(wanted)
    if entry is None or origin is None:
        return
    out.call_id, out.status, out.text = wanted, entry.status, entry.answer
    out.error, out.cost = entry.error, entry.cost
    out.alias, out.provider, out.llm = origin["alias"], origin["provider"], origin["model"]
    out.probabilities, out.missing_mass = entry.probabilities, entry.missing_mass
    out.tokens_in, out.tokens_out = entry.tokens_in, entry.tokens_out
    out.tokens_cached, out.seconds = entry.tokens_cached, entry.latency
    out.attempts, out.repaired = entry.attempts, entry.repaired
    out.invalid = [
        Attempt(str(a.get("text") or ""), str(a.get("error") or ""), bool(a.get("earlier")))
        for a in entry.history
    ]
    out.asked_at, out.run_id = origin["updated_at"], origin["run_id"]
    out.asked_for = origin["node"]
    out.from_ledger = out.built_by is not None and out.built_by != origin["run_id"]


def _inputs(
    context: Context,
    cursor: duckdb.DuckDBPyConnection,
    node: Node,
    key: Mapping[str, str],
    truth: bool,
    out: Explanation,
) -> Iterator[Input]:
    """Yield the rows of upstream tables that share the key's columns, nearest tables first."""
    guarded = _guarded(context)
    chosen = _chosen(node)
    names = [name for name, _ in chosen] or _nearest(context, node, guarded)
    joins = {name: on for name, on in chosen if on}
    if truth:
        names += [n for n in context.graph.sort(guarded) if n not in names]
    standing = context.store.relations(cursor)
    shown: dict[str, tuple[str, str]] = {}
    for name in names:
        if name not in context.nodes:
            raise UsageError(f"explain: no model '{name}'", hint=did_you_mean(name, context.nodes))
        if name not in standing or (name in guarded and not truth):
            continue
        columns = [row[0] for row in cursor.execute(f"describe {quoted('main', name)}").fetchall()]
        on = joins.get(name, {})
        tests = [
            f"cast({quoted(c)} as varchar) = {literal(v)}"
            for c, v in key.items()
            if c in columns and c not in on
        ]
        for column, other in on.items():
            table, _, theirs = other.partition(".")
            if table not in shown:
                raise UsageError(
                    f"explain: '{other}' is of no table listed before {name}",
                    hint=did_you_mean(table, shown),
                )
            tests.append(
                f"{quoted(column)} in (select {quoted(theirs)} from {shown[table][0]}"
                f" where {shown[table][1]})"
            )
        by = [c for c in key if c in columns and c not in on] + list(on)
        if not by:
            continue
        relation, where = quoted("main", name), " and ".join(tests)
        ((count,),) = cursor.execute(f"select count(*) from {relation} where {where}").fetchall()
        shown[name] = (relation, where)
        if not chosen and count > SHOWN:
            out.left_out[name] = count
        if not count or name in out.left_out:
            continue
        rows = cursor.sql(f"select * from {relation} where {where} limit {SHOWN}")
        yield Input(
            name,
            by,
            count,
            rows.to_arrow_table().to_pylist(maps_as_pydicts="lossy"),
            guarded=name in guarded,
        )


def _chosen(node: Node) -> list[tuple[str, dict[str, str]]]:
    """Return the tables that the model's config names, with their own joins."""
    out: list[tuple[str, dict[str, str]]] = []
    for entry in node.config.get("explain") or []:
        if isinstance(entry, str):
            out.append((entry, {}))
        else:
            out += [(name, dict(on)) for name, on in entry.items()]
    return out


def _guarded(context: Context) -> set[str]:
    """Return the tables that are held out: with a guarded tag, and the files they are made of."""
    tags = set(context.files.settings.guarded_tags)
    tagged = {name for name, node in context.nodes.items() if tags & set(node.tags)}
    raw = {
        name
        for name in context.graph.ancestors(tagged)
        if context.nodes[name].resource in ("seed", "source")
    }
    return tagged | raw


def _nearest(context: Context, node: Node, guarded: set[str]) -> list[str]:
    """Return the ancestors by their distance; what lies above held-out tables is not looked at."""
    out: list[str] = []
    level = [node.name]
    while level:
        above = {p for name in level for p in context.graph.parents(name)}
        level = [n for n in context.graph.sort(above) if n not in out and n not in guarded]
        out += level
    return out
