"""Turns data tests into nodes: a select of the rows that fail."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jinja2
import jinja2.meta
from jinja2.sandbox import SandboxedEnvironment

from lupom.engine.compiler import sql
from lupom.engine.errors import CompileError, ProjectError, did_you_mean
from lupom.engine.hashes import digest
from lupom.engine.project.discovery import ProjectFiles
from lupom.engine.project.documents import Document
from lupom.engine.project.nodes import Node, Properties, Ref, TestBlock
from lupom.engine.project.settings import TestConfig
from lupom.engine.project.units import UnitTest
from lupom.engine.store.names import literal, quoted

_REF = re.compile(r"\s*ref\(\s*['\"](?P<name>[^'\"]+)['\"]\s*\)\s*")
_SOURCE = re.compile(
    r"\s*source\(\s*['\"](?P<name>[^'\"]+)['\"]\s*,\s*['\"](?P<table>[^'\"]+)['\"]\s*\)\s*"
)
# What a kind of test of the project's own sees beside its arguments.
_GIVEN = ("model", "column_name")


def compile_tests(files: ProjectFiles, context: sql.Context) -> list[Node]:
    """Return the project's data tests as nodes of resource 'test', by name.

    Raises CompileError or ProjectError with file and line: an unknown kind of test, an argument it
    does not take or that is missing, SQL that does not render.
    """
    kinds = _kinds(files)
    nodes: list[Node] = []
    for (kind, name), properties in sorted(files.properties.items()):
        nodes += _of_relation(files, context, kinds, f"{kind[:-1]}s", name, properties)
    for name, (_, properties) in sorted(files.sources.items()):
        nodes += _of_relation(files, context, kinds, "sources", name, properties)
    for relative in files.tests:
        nodes.append(_singular(files, relative, context))
    nodes += [_unit(files, test) for test in files.unit_tests]
    return sorted((node for node in _named(nodes) if node.config["enabled"]), key=lambda n: n.name)


def _unit(files: ProjectFiles, test: UnitTest) -> Node:
    block = test.block
    config = {**block.config.model_dump(), "materialized": "test", "test": "unit", "column": None}
    return Node(
        name=block.name,
        resource="test",
        file=test.file,
        path=files.root / test.file,
        language="yaml",
        config=config,
        refs=(Ref(block.model, test.file, test.line),),
        description=block.description,
    )


def _kinds(files: ProjectFiles) -> dict[str, str]:
    """Return the files of the project's own kinds of test, by name."""
    kinds: dict[str, str] = {}
    for relative in files.generic_tests:
        name = relative.rsplit("/", 1)[-1].removesuffix(".sql")
        if name in kinds or name in BUILT_IN:
            other = kinds.get(name, "LUPoM's own")
            raise ProjectError(
                f"there are two kinds of data test named '{name}'",
                file=relative,
                hint=f"the other: {other}",
            )
        kinds[name] = relative
    return kinds


def _of_relation(
    files: ProjectFiles,
    context: sql.Context,
    kinds: Mapping[str, str],
    resource: str,
    name: str,
    properties: Properties,
) -> list[Node]:
    return [
        _generic(files, context, kinds, resource, name, block, i)
        for i, block in enumerate(properties.tests)
    ]


def _generic(
    files: ProjectFiles,
    context: sql.Context,
    kinds: Mapping[str, str],
    resource: str,
    name: str,
    block: TestBlock,
    place: int,
) -> Node:
    config = _config(files, block.config, block.file, block.line)
    refs = [Ref(name, block.file, block.line)]
    relation = f"\x01{name}\x01"
    if config["where"]:
        relation = f"(select * from {relation} where {config['where']})"
    arguments = {key: _resolved(value, refs, block) for key, value in block.arguments.items()}
    if block.test in BUILT_IN:
        text = _built_in(block, relation, arguments)
    elif block.test in kinds:
        text = _own(files, kinds[block.test], context, block, relation, arguments, refs)
    else:
        known = [*BUILT_IN, *kinds]
        raise CompileError(
            f"there is no data test '{block.test}'",
            file=block.file,
            line=block.line,
            hint=did_you_mean(block.test, known) or "there are: " + ", ".join(sorted(known)),
        )
    made = "_".join(filter(None, (block.test, name.replace(".", "_"), block.column)))
    node = Node(
        name=block.name or re.sub(r"\W", "_", made),
        resource="test",
        file=block.file,
        path=files.root / block.file,
        language="sql",
        config={**config, "materialized": "test", "test": block.test, "column": block.column},
        refs=tuple(refs),
        description=block.description,
        text=text,
    )
    # Two tests of a kind on one column differ in their arguments, and must in their names.
    node.parts = {"SQL": digest(text), "given name": block.name, "place": f"{resource} {place}"}
    return node


def _named(nodes: Sequence[Node]) -> list[Node]:
    by_name: dict[str, list[Node]] = {}
    for node in nodes:
        by_name.setdefault(node.name.lower(), []).append(node)
    for group in by_name.values():
        for node in group if len(group) > 1 else ():
            if node.parts.get("given name") or not node.parts.get("place"):
                raise ProjectError(
                    f"two data tests are named '{node.name}'",
                    file=node.file,
                    line=node.refs[0].line if node.refs else None,
                    hint="names are unique; give another 'name'",
                )
            node.name = f"{node.name}_{digest(node.text)[:6]}"
    unique = {node.name: node for node in nodes}
    return list(unique.values())


def _config(
    files: ProjectFiles, given: Mapping[str, Any], file: str, line: int | None
) -> dict[str, Any]:
    document = Document(files.root / file, label=file, text="")
    if line is not None:
        document.lines[()] = line
    whole = {**files.settings.data_tests.model_dump(exclude_defaults=True), **given}
    return document.validate(TestConfig, whole).model_dump()


def _resolved(value: Any, refs: list[Ref], block: TestBlock) -> Any:
    """Put relations in the place of `ref('x')` and `source('x', 'y')` in an argument."""
    if isinstance(value, str) and (match := _REF.fullmatch(value)):
        name = match["name"]
    elif isinstance(value, str) and (match := _SOURCE.fullmatch(value)):
        name = f"{match['name']}.{match['table']}"
    else:
        return value
    refs.append(Ref(name, block.file, block.line))
    return f"\x01{name}\x01"


def _singular(files: ProjectFiles, relative: str, context: sql.Context) -> Node:
    text = (files.root / relative).read_text(encoding="utf-8")
    rendered = sql.render(text, relative, context)
    body = rendered.text.strip().rstrip(";").rstrip()
    if not body:
        raise CompileError("the data test is empty", file=relative, hint="select rows that fail")
    config = _config(files, rendered.config, relative, rendered.config_line)
    return Node(
        name=relative.rsplit("/", 1)[-1].removesuffix(".sql"),
        resource="test",
        file=relative,
        path=files.root / relative,
        language="sql",
        config={**config, "materialized": "test", "test": "singular", "column": None},
        refs=tuple(rendered.refs),
        text=body,
    )


def _own(
    files: ProjectFiles,
    relative: str,
    context: sql.Context,
    block: TestBlock,
    relation: str,
    arguments: Mapping[str, Any],
    refs: list[Ref],
) -> str:
    """Render a kind of test of the project's own: a template that sees its arguments by name."""
    text = (files.root / relative).read_text(encoding="utf-8")
    try:
        tree = SandboxedEnvironment().parse(text)
    except jinja2.TemplateSyntaxError as error:
        raise CompileError(
            f"Jinja does not parse: {error.message}", file=relative, line=error.lineno
        ) from error
    known = jinja2.meta.find_undeclared_variables(tree) - {*_GIVEN, *sql.NAMES}
    for key in arguments:
        if key not in known:
            raise CompileError(
                f"the data test '{block.test}' has no argument '{key or 'without a name'}'",
                file=block.file,
                line=block.line,
                hint=did_you_mean(key, known)
                or "it takes: " + (", ".join(sorted(known)) or "none"),
            )
    extra = {"model": relation, "column_name": block.column and quoted(block.column), **arguments}
    rendered = sql.render(text, relative, context, extra=extra)
    refs += rendered.refs
    return rendered.text.strip().rstrip(";").rstrip()


# -- the kinds that are always there ---------------------------------------------------------------


def _built_in(block: TestBlock, relation: str, arguments: Mapping[str, Any]) -> str:
    make, takes, first = BUILT_IN[block.test]
    given = {first if key == "" and first else key: value for key, value in arguments.items()}
    for key in given:
        if key not in takes:
            raise _fault(
                block,
                f"has no argument '{key or 'without a name'}'",
                did_you_mean(key, takes) or "it takes: " + (", ".join(takes) or "none"),
            )
    return make(block, relation, given)


def _fault(block: TestBlock, message: str, hint: str | None = None) -> CompileError:
    return CompileError(
        f"the data test '{block.test}' {message}", file=block.file, line=block.line, hint=hint
    )


def _columns(block: TestBlock, arguments: Mapping[str, Any]) -> list[str]:
    """Return the columns a test is of: the one it stands at, or its argument `columns`."""
    given = arguments.get("columns", block.column)
    names = [given] if isinstance(given, str) else given
    if not isinstance(names, list) or not names or not all(isinstance(n, str) for n in names):
        raise _fault(
            block, "must stand at a column, or name its 'columns'", "columns: [survey, question_id]"
        )
    return [quoted(name) for name in names]


def _not_null(block: TestBlock, relation: str, arguments: Mapping[str, Any]) -> str:
    columns = _columns(block, arguments)
    missing = " or ".join(f"{column} is null" for column in columns)
    return f"select * from {relation} where {missing}"


def _unique(block: TestBlock, relation: str, arguments: Mapping[str, Any]) -> str:
    columns = _columns(block, arguments)
    names = ", ".join(columns)
    # Of a single column nulls are not_null's business, as in dbt; within a key they are values.
    where = f" where {columns[0]} is not null" if len(columns) == 1 else ""
    return (
        f"select {names}, count(*) as n_rows from {relation}{where}"
        f" group by {names} having count(*) > 1"
    )


def _accepted_values(block: TestBlock, relation: str, arguments: Mapping[str, Any]) -> str:
    (column,) = _columns(block, {})
    values = arguments.get("values")
    if not isinstance(values, list) or not values:
        raise _fault(block, "needs its 'values'", "values: [low, mid, high]")
    plain = ", ".join(
        str(v) if isinstance(v, int | float) and not isinstance(v, bool) else literal(v)
        for v in values
    )
    return (
        f"select {column}, count(*) as n_rows from {relation}"
        f" where {column} is not null and {column} not in ({plain}) group by {column}"
    )


def _relationships(block: TestBlock, relation: str, arguments: Mapping[str, Any]) -> str:
    columns = _columns(block, arguments)
    to, fields = arguments.get("to"), arguments.get("field", arguments.get("fields"))
    if fields is None:
        fields = arguments.get("columns", block.column)
    fields = [fields] if isinstance(fields, str) else fields
    if not isinstance(to, str) or not to.startswith("\x01"):
        raise _fault(block, "needs 'to', a relation", "to: ref('questions')")
    if not isinstance(fields, list) or len(fields) != len(columns):
        raise _fault(block, f"has {len(columns)} columns and another number of fields")
    pairs = list(zip(columns, map(quoted, fields), strict=True))
    names = ", ".join(f"child.{column}" for column in columns)
    there = " and ".join(f"child.{column} is not null" for column in columns)
    same = " and ".join(f"child.{column} = parent.{field}" for column, field in pairs)
    return (
        f"select {names}, count(*) as n_rows from {relation} as child where {there}"
        f" and not exists (select 1 from {to} as parent where {same}) group by {names}"
    )


def _expression(block: TestBlock, relation: str, arguments: Mapping[str, Any]) -> str:
    expression = arguments.get("expression")
    if not isinstance(expression, str) or not expression.strip():
        raise _fault(block, "needs an 'expression'", 'expression: "share between 0 and 1"')
    left = "" if block.column is None else f"{quoted(block.column)} "
    return f"select * from {relation} where not ({left}{expression})"


_Make = Callable[[TestBlock, str, Mapping[str, Any]], str]

# Kind -> (what makes its SQL, the arguments it takes, the one that may be given alone).
BUILT_IN: dict[str, tuple[_Make, tuple[str, ...], str]] = {
    "not_null": (_not_null, ("columns",), "columns"),
    "unique": (_unique, ("columns",), "columns"),
    "accepted_values": (_accepted_values, ("values",), "values"),
    "relationships": (_relationships, ("to", "field", "fields", "columns"), "to"),
    "expression": (_expression, ("expression",), "expression"),
}
