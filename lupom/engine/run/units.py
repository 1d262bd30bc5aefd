"""Runs unit tests of models: in memory, on given rows, with a scripted LLM."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lupom.engine.errors import LupomError, ModelError, did_you_mean
from lupom.engine.project.discovery import ProjectFiles
from lupom.engine.project.nodes import Node
from lupom.engine.project.units import UnitTest
from lupom.engine.run import results as r
from lupom.engine.run.context import Context, Graphs
from lupom.engine.run.scratch import ScratchStore
from lupom.engine.store import messages
from lupom.engine.store.base import Store
from lupom.engine.store.dialect import csv_relation, found_types
from lupom.engine.store.names import literal, quoted
from lupom.engine.store.records import TableRecord

if TYPE_CHECKING:
    import duckdb

Rows = list[dict[str, Any]]
# Compiles the project of some files again, with other vars.
CompileAnew = Callable[[ProjectFiles, Mapping[str, Any]], Context]
# Differences a message shows of each kind.
_SHOWN = 5


class _Given(Context):
    """A context in which what a test gives is a table in memory, whatever it is otherwise."""

    def __init__(self, context: Context, store: Store, test: UnitTest) -> None:
        nodes = {
            name: replace(node, config={**node.config, "materialized": "table"}, resource="model")
            if name in test.given and name != test.block.model
            else node
            for name, node in context.nodes.items()
        }
        super().__init__(context.files, lambda: Graphs(nodes), store)
        self._test = test

    def source(self, name: str) -> str:
        """Return what reads a source; raises ModelError where the test does not give it."""
        if name not in self._test.given:
            raise ModelError(
                f"the unit test gives no rows of the source '{name}'",
                file=self._test.file,
                line=self._test.line,
            )
        return quoted("main", name)


def run_unit(
    context: Context, model: str, test: UnitTest, compile_anew: CompileAnew
) -> r.NodeResult:
    """Run one unit test of a model.

    The model runs in memory on the given rows; columns left out are null, typed as the real table
    has them where it is built. Of an LLM model no call is made: the first scripted answer whose
    `when` fits a row is what it says. `compile_anew` gives the project with the vars that the test
    overrides.

    Returns a result with status 'pass', 'fail' (the message says what differs) or 'error'.
    """
    import duckdb

    begun = time.monotonic()
    result = r.NodeResult(test.block.name, "test", r.PASS)
    try:
        with _overridden(context, test, compile_anew) as compiled:
            _run(compiled, context, compiled.nodes[model], test, result)
    except LupomError as error:
        if error.file is None:
            error.file, error.line = test.file, test.line
        error.within(context.files.root)
        result.status, result.message = r.ERROR, str(error)
    except duckdb.Error as error:
        where = f"{test.file}:{test.line}"
        result.status, result.message = r.ERROR, f"{where}: {messages.lines(error)}"
    result.seconds = time.monotonic() - begun
    return result


@contextmanager
def _overridden(context: Context, test: UnitTest, compile_anew: CompileAnew) -> Iterator[Context]:
    """Compile the project anew where the test overrides vars."""
    if not test.block.overrides.vars:
        yield context
        return
    with closing(compile_anew(context.files, test.block.overrides.vars)) as other:
        yield other


def _run(
    compiled: Context, context: Context, node: Node, test: UnitTest, result: r.NodeResult
) -> None:
    store = ScratchStore()
    inner = _Given(compiled, store, test)
    try:
        _check_inputs(inner, node, test)
        kinds = _real_types(context, test)
        with store.hold() as cursor:
            for name, rows in test.given.items():
                _create(cursor, name, rows, kinds.get(name), test)
            look = _llm if node.materialization.needs_llm else _plain
            faults = look(inner, node, test, cursor)
    finally:
        inner.close()
    if faults:
        result.status, result.message = r.FAIL, "\n".join(faults)
        result.rows = len(faults)


def _check_inputs(context: Context, node: Node, test: UnitTest) -> None:
    """Check that everything the model reads is given, through ephemeral models too."""
    known = _inputs(context, node)
    for name in test.given:
        if name not in known and name != node.name:
            raise ModelError(
                f"'{node.name}' does not read '{name}'",
                hint=did_you_mean(name, known)
                or "it reads: " + (", ".join(sorted(known)) or "nothing"),
            )
    for name in sorted(known):
        if name not in test.given:
            raise ModelError(f"the unit test gives no rows of '{name}'", hint="rows: [] for none")


def _inputs(context: Context, node: Node) -> set[str]:
    out: set[str] = set()
    for name in node.parents:
        parent = context.nodes[name]
        if parent.materialization.inlined:
            out |= _inputs(context, parent)
        else:
            out.add(name)
    return out


def _real_types(context: Context, test: UnitTest) -> dict[str, dict[str, str]]:
    """Return the columns of the real tables, where they are built."""
    if not context.store.exists:
        return {}
    out = {}
    with context.store.reading() as cursor:
        standing = context.store.relations(cursor)
        for name in test.given:
            if name in standing:
                described = cursor.execute(f"describe {quoted('main', name)}").fetchall()
                out[name] = {column[0]: column[1] for column in described}
    return out


def _create(
    cursor: duckdb.DuckDBPyConnection,
    name: str,
    rows: Rows | str,
    types: Mapping[str, str] | None,
    test: UnitTest,
) -> None:
    """Make a table of given rows."""
    relation = quoted("main", name)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows"
        if isinstance(rows, str):
            path.write_text(rows, encoding="utf-8")
            kinds = found_types(cursor, csv_relation([path]))
            described = cursor.execute(f"describe select * from {csv_relation([path])}").fetchall()
            kinds |= {c[0]: types[c[0]] for c in described if types and c[0] in types}
            cursor.execute(
                f"create table {relation} as select * from {csv_relation([path], types=kinds)}"
            )
            return
        path.write_text("\n".join(json.dumps(row, default=str) for row in rows), encoding="utf-8")
        if types is not None:
            given = {key for row in rows for key in row}
            for key in sorted(given - set(types)):
                raise ModelError(
                    f"'{name}' has no column '{key}'",
                    file=test.file,
                    line=test.line,
                    hint=did_you_mean(key, types),
                )
            described = ", ".join(
                f"{literal(column)}: {literal(kind)}" for column, kind in types.items()
            )
            columns = ", ".join(f"{quoted(column)} {kind}" for column, kind in types.items())
            cursor.execute(f"create table {relation} ({columns})")
            if rows:
                cursor.execute(
                    f"insert into {relation} by name select * from read_json({literal(path)},"
                    f" format = 'newline_delimited', columns = {{{described}}})"
                )
        elif rows:
            cursor.execute(
                f"create table {relation} as select * from read_json({literal(path)},"
                " format = 'newline_delimited', sample_size = -1)"
            )
        else:
            raise ModelError(
                f"'{name}' is given no rows and is not built, so that its columns are not known",
                hint="build it once, or give a row",
            )


def _plain(
    context: Context, node: Node, test: UnitTest, cursor: duckdb.DuckDBPyConnection
) -> list[str]:
    from lupom.engine.run.materializations import build

    block = test.block
    if block.answers or block.expect.invalid is not None or block.expect.prompts:
        raise ModelError(f"'{node.name}' asks no LLM: its unit test expects rows alone")
    if node.materialization.inlined:
        node = replace(node, config={**node.config, "materialized": "table"})
    record = TableRecord(node.name, node.materialization.relation, "", "")
    build(context, node, record, whole=node.name not in test.given)
    table = cursor.sql(f"select * from {quoted('main', node.name)}").to_arrow_table()
    rows = table.to_pylist(maps_as_pydicts="lossy")
    return _differences(rows, block.expect.rows or [], list(table.column_names), test)


def _llm(
    context: Context, node: Node, test: UnitTest, cursor: duckdb.DuckDBPyConnection
) -> list[str]:
    from lupom.engine.llm.responses import InvalidAnswer
    from lupom.engine.run.materializations.rows import prepare

    prepared = prepare(context, node, cursor)
    rows: Rows = []
    prompts: list[tuple[dict[str, Any], str]] = []
    invalid: list[str] = []
    for part in prepared.parts():
        for i, row in enumerate(part.rows):
            prompts.append((row, "\n".join(m["content"] for m in part.calls[i].messages)))
            text = _scripted(test, row, prepared.key_of(part, i))
            if text is None:
                continue
            try:
                value = part.responses[i].parse(text)
            except InvalidAnswer as error:
                invalid.append(str(error))
                continue
            rows += [{**prepared.key_of(part, i), **one} for one in part.responses[i].rows(value)]
    expect = test.block.expect
    faults = []
    if expect.rows is not None:
        columns = [*prepared.keys, *prepared.fields]
        faults += _differences(rows, expect.rows, columns, test)
    if (expect.invalid or 0) != len(invalid):
        shown = f": {invalid[0]}" if invalid else ""
        faults.append(f"invalid answers: {len(invalid)}, not {expect.invalid or 0}{shown}")
    for wanted in expect.prompts:
        faults += _prompt_faults(wanted, prompts)
    return faults


def _scripted(test: UnitTest, row: Mapping[str, Any], key: Mapping[str, Any]) -> str | None:
    """Return what the LLM says to a row; None where the test only looks at prompts."""
    if not test.block.answers:
        if test.block.expect.rows is None and test.block.expect.invalid is None:
            return None
        raise ModelError("the model asks an LLM and the unit test has no 'answers'")
    for one in test.block.answers:
        if _fits(row, one.when):
            return json.dumps(one.answer) if one.text is None else one.text
    raise ModelError(f"no scripted answer fits the row {dict(key)}")


def _fits(row: Mapping[str, Any], when: Mapping[str, Any]) -> bool:
    for name in when:
        if name not in row:
            raise ModelError(
                f"when: the select has no column '{name}'", hint=did_you_mean(name, row)
            )
    return all(_plainly(row[name]) == _plainly(value) for name, value in when.items())


def _prompt_faults(wanted: Any, prompts: Sequence[tuple[dict[str, Any], str]]) -> list[str]:
    looked_at = [text for row, text in prompts if _fits(row, wanted.when)]
    if not looked_at:
        return [f"no row has {wanted.when}, so that there is no prompt to look at"]
    faults = []
    for text in looked_at:
        faults += [
            f"a prompt does not contain {part!r}" for part in wanted.contains if part not in text
        ]
        faults += [f"a prompt contains {part!r}" for part in wanted.excludes if part in text]
    return list(dict.fromkeys(faults))


def _differences(rows: Rows, expected: Rows, columns: Sequence[str], test: UnitTest) -> list[str]:
    """Say which rows are missing and which are too many, by the columns that are expected."""
    names = list(dict.fromkeys(name for row in expected for name in row))
    for name in names:
        if name not in columns:
            raise ModelError(
                f"expect: the model has no column '{name}'", hint=did_you_mean(name, columns)
            )
    if not names:
        return [f"{len(rows)} rows, not {len(expected)}"] if len(rows) != len(expected) else []
    left = [_line({name: row.get(name) for name in names}) for row in rows]
    missing = []
    for row in expected:
        line = _line({name: row.get(name) for name in names})
        if line in left:
            left.remove(line)
        else:
            missing.append(line)
    return [*_listed("expected and not there", missing), *_listed("there and not expected", left)]


def _listed(head: str, lines: Sequence[str]) -> list[str]:
    more = [f"{head}: and {len(lines) - _SHOWN} more"] if len(lines) > _SHOWN else []
    return [*(f"{head}: {line}" for line in sorted(lines)[:_SHOWN]), *more]


def _line(row: Mapping[str, Any]) -> str:
    return json.dumps({k: _plainly(v) for k, v in row.items()}, ensure_ascii=False, default=str)


def _plainly(value: Any) -> Any:
    """Return a value as YAML may have it: 1.0 is 1, a date is its text, a float has 9 digits."""
    if isinstance(value, bool) or value is None or isinstance(value, int | str):
        return value
    if isinstance(value, float):
        return int(value) if value.is_integer() else float(f"{value:.9g}")
    if isinstance(value, Mapping):
        return {str(k): _plainly(v) for k, v in sorted(value.items(), key=str)}
    if isinstance(value, list | tuple):
        return [_plainly(v) for v in value]
    return str(value)
