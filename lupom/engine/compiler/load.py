"""Turns a project's files into nodes: configs merged, refs found, parts hashed."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lupom.engine.compiler import python, sql
from lupom.engine.compiler.sources import Sources
from lupom.engine.compiler.tests import compile_tests
from lupom.engine.errors import CompileError, LLMError, LupomError, ProjectError, did_you_mean
from lupom.engine.hashes import FileHashes, digest
from lupom.engine.project.discovery import ProjectFiles, folder_config, merge_config
from lupom.engine.project.documents import Document
from lupom.engine.project.materializations import MATERIALIZATIONS, names_for
from lupom.engine.project.nodes import Node, Properties, Ref, llm_part
from lupom.engine.project.settings import ModelConfig
from lupom.engine.project.traits import traits_of
from lupom.engine.store.dialect import RULES
from lupom.engine.store.relations import RESERVED

if TYPE_CHECKING:
    from lupom.engine.llm.prompts import Prompt

# What of a config changes a table's contents; tags, meta and thresholds do not.
_CONTENT_CONFIG = ("materialized", "unique_key", "key", "llm_column", "column_types", "delimiter")


@dataclass(slots=True)
class Compiled:
    """The nodes of a project, its data tests apart, and what was noticed on the way."""

    nodes: list[Node] = field(default_factory=list)
    tests: list[Node] = field(default_factory=list)
    disabled: set[str] = field(default_factory=set)
    used_vars: set[str] = field(default_factory=set)
    warnings: list[str] = field(default_factory=list)


class _Vars(Mapping[str, Any]):
    """Vars that remember which of them were read."""

    def __init__(self, values: Mapping[str, Any], used: set[str]) -> None:
        self._values, self._used = values, used

    def __getitem__(self, name: str) -> Any:
        return self._values[name]

    def __contains__(self, name: object) -> bool:
        self._used.add(str(name))
        return name in self._values

    def __iter__(self) -> Any:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)


def compile_project(
    files: ProjectFiles,
    hashes: FileHashes,
    llm_identity: Callable[[str], Mapping[str, Any]],
    embedding_identity: Callable[[str], Mapping[str, Any]],
    science: Path,
) -> Compiled:
    """Compile every file of a project to a node.

    Parameters
    ----------
    files : the project as read.
    hashes : file hashes, cached.
    llm_identity, embedding_identity : what decides an alias's answers; may raise LLMError where
        that is not known yet (no weights), which makes the part differ from any built one.
    science : folder of the science half, whose sources are part of the Python models' identity.

    Raises
    ------
    ProjectError : with file and line.
    """
    out = Compiled(warnings=list(files.warnings))
    context = sql.Context(
        vars=_Vars(files.vars, out.used_vars),
        target={"name": files.target_name, **files.target.model_dump(include={"type", "path"})},
        llms={alias: traits_of(llm) for alias, llm in files.settings.llms.items()},
    )
    sources = Sources(files, hashes, science)
    metas: list[tuple[Node, int, list[str]]] = []
    for relative in files.models:
        if relative.endswith(".sql"):
            node = _sql_node(files, relative, context)
        else:
            node, told = _python_node(files, relative, out.used_vars, sources, embedding_identity)
            metas += [(node, line, names) for line, names in told]
        if not node.config.get("enabled", True):
            out.disabled.add(node.name)
            continue
        if node.materialization.needs_llm:
            _add_llm_parts(files, node, llm_identity, sources)
        out.nodes.append(node)
    for relative in files.seeds:
        node = _seed_node(files, relative, hashes)
        if node.config.get("enabled", True):
            out.nodes.append(node)
        else:
            out.disabled.add(node.name)
    _check_views(files, out.nodes)
    out.nodes.extend(_source_nodes(files, {r.name for n in out.nodes for r in n.refs}))
    _add_meta(out, metas)
    for node in out.nodes:
        if node.name in RESERVED:
            raise CompileError(
                f"'{node.name}' is one of LUPoM's own tables: {', '.join(RESERVED)}",
                file=node.file,
                hint="give the file another name",
            )
    _check_properties(files, out)
    # A test of a model that is switched off is switched off with it.
    out.tests = [
        test
        for test in compile_tests(files, context)
        if not out.disabled & {ref.name for ref in test.refs}
    ]
    return out


def _name(relative: str) -> str:
    return relative.rsplit("/", 1)[-1].rsplit(".", 1)[0]


def _read(files: ProjectFiles, relative: str) -> str:
    try:
        return (files.root / relative).read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ProjectError(
            "the file is not UTF-8 text", file=relative, hint="save it as UTF-8"
        ) from error


def _config(
    files: ProjectFiles,
    kind: str,
    relative: str,
    inline: Mapping[str, Any],
    line: int | None,
    default: str,
) -> dict[str, Any]:
    """Merge a node's config (file over properties over folders) and check its keys and values."""
    _validate(inline, relative, line)
    properties = files.properties.get((kind, _name(relative)))
    merged = folder_config(files, kind, relative)
    if properties:
        merged = merge_config(merged, properties.config)
    merged = merge_config(merged, inline)
    filters = {k: v for k, v in merged.items() if k.startswith("filters_")}
    valid = _validate(merged, relative, line)
    config = valid.model_dump(exclude_defaults=True)
    config.update(filters)
    config.setdefault("materialized", default)
    return config


def _validate(config: Mapping[str, Any], relative: str, line: int | None) -> ModelConfig:
    plain = {k: v for k, v in config.items() if not k.startswith("filters_")}
    document = Document(Path(relative), label=relative, text="")
    if line is not None:
        document.lines[()] = line
    return document.validate(ModelConfig, plain)


def _describe(node: Node, properties: Properties | None) -> Node:
    if properties:
        node.description, node.columns = properties.description, properties.columns
        if node.measured:
            node.parts["measured columns"] = digest(list(node.measured))
    return node


def _config_part(config: Mapping[str, Any]) -> str:
    content = {k: config[k] for k in _CONTENT_CONFIG if k in config}
    if config.get("rows_per_call", 1) > 1:
        # Which rows are asked together, and how many, is in no call's key: only the form is.
        content["rows_per_call"] = "several"
    return digest(content)


def _sql_node(files: ProjectFiles, relative: str, context: sql.Context) -> Node:
    text = _read(files, relative)
    rendered = sql.render(text, relative, context)
    config = _config(files, "models", relative, rendered.config, rendered.config_line, "view")
    if config["materialized"] not in (can := names_for("sql")):
        raise CompileError(
            f"a SQL model cannot be materialized as '{config['materialized']}'",
            file=relative,
            line=rendered.config_line,
            hint=f"{', '.join(can[:-1])} or {can[-1]}",
        )
    body = rendered.text.strip().rstrip(";").rstrip()
    if not body:
        raise CompileError("the model is empty", file=relative, hint="write a select")
    node = Node(
        name=_name(relative),
        resource="model",
        file=relative,
        path=files.root / relative,
        language="sql",
        config=config,
        refs=tuple(rendered.refs),
        text=body,
    )
    node.parts = {"SQL": digest(body), "config": _config_part(config)}
    if rendered.asked_incremental or MATERIALIZATIONS[config["materialized"]].grows:
        again = sql.render(text, relative, context, incremental=True)
        node.incremental_text = again.text.strip().rstrip(";").rstrip()
        known = {ref.name for ref in node.refs}
        node.refs += tuple(ref for ref in again.refs if ref.name not in known)
        node.parts["SQL"] = digest(body, node.incremental_text)
    return _describe(node, files.properties.get(("models", node.name)))


def _python_node(
    files: ProjectFiles,
    relative: str,
    used_vars: set[str],
    sources: Sources,
    embedding_identity: Callable[[str], Mapping[str, Any]],
) -> tuple[Node, list[tuple[int, list[str]]]]:
    """Return the node of a Python model, and by line the nodes whose `meta` it asks for."""
    text = _read(files, relative)
    scanned = python.scan(text, relative)
    given = scanned.config.get("materialized")
    if given not in (None, *names_for("python")):
        raise CompileError(
            f"a Python model cannot be materialized as '{given}'",
            file=relative,
            line=scanned.config_line,
            hint="leave it out: a Python model is a table",
        )
    config = _config(files, "models", relative, scanned.config, scanned.config_line, "python")
    config["materialized"] = "python"
    used_vars.update(scanned.vars)
    values: dict[str, Any] = {}
    for name, default in sorted(scanned.vars.items()):
        if name in scanned.required_vars and name not in files.vars:
            raise CompileError(
                f"the var '{name}' has no value",
                file=relative,
                line=scanned.required_vars[name],
                hint=did_you_mean(name, files.vars) or "give it under 'vars:' or with --vars",
            )
        values[name] = files.vars.get(name, default)
    refs = list(scanned.refs)
    for family in scanned.families:
        names = _expanded(family, values, relative)
        refs.extend(Ref(name, relative, family.line) for name in names)
    node = Node(
        name=_name(relative),
        resource="model",
        file=relative,
        path=files.root / relative,
        language="python",
        config=config,
        refs=tuple(refs),
        text=text,
        code=sources.code,
        embeddings=tuple(sorted(scanned.embeddings)),
    )
    node.parts = {
        "Python": digest(text),
        "config": _config_part(config),
        "vars": digest(json.loads(json.dumps(values, default=str))),
        "imported code": sources.hash(scanned.modules, node.path),
    }
    for call in scanned.offers:
        node.parts.update(sources.offered(call, files.vars.get(call.var), relative))
    for alias in node.embeddings:
        node.parts[f"embeddings '{alias}'"] = identity_part(embedding_identity, alias)
    told = [(family.line, _expanded(family, values, relative)) for family in scanned.metas]
    return _describe(node, files.properties.get(("models", node.name))), told


def _expanded(family: python.Family, values: Mapping[str, Any], relative: str) -> list[str]:
    try:
        return list(python.expand(family.pattern, family.var, values[family.var]).values())
    except CompileError as error:
        error.file, error.line = relative, family.line
        raise


def _add_meta(out: Compiled, metas: list[tuple[Node, int, list[str]]]) -> None:
    """Make what models read of others' `meta` part of what makes them what they are."""
    known = {node.name: node for node in out.nodes}
    told: dict[str, dict[str, Any]] = {}
    for node, line, names in metas:
        for name in names:
            if name not in known and name not in out.disabled:
                raise CompileError(
                    f"there is no model, seed or source '{name}' to read the meta of",
                    file=node.file,
                    line=line,
                    hint=did_you_mean(name, known),
                )
            meta = known[name].config.get("meta", {}) if name in known else {}
            told.setdefault(node.name, {})[name] = meta
    for name, values in told.items():
        if name in known:
            known[name].parts["meta"] = digest(json.loads(json.dumps(values, default=str)))


def identity_part(identity: Callable[[str], Mapping[str, Any]], alias: str) -> str:
    """Hash what decides an alias's answers; without weights it equals nothing that was built."""
    try:
        return digest(dict(identity(alias)))
    except LLMError as error:
        return f"unknown: {error.message}"


def _add_llm_parts(
    files: ProjectFiles,
    node: Node,
    llm_identity: Callable[[str], Mapping[str, Any]],
    sources: Sources,
) -> None:
    from lupom.engine.llm.profiles import PROFILES, load_wordings, parts_of

    config, line = node.config, _config_line(node)
    for needed in ("prompt", "response", "key"):
        if not config.get(needed):
            raise CompileError(
                f"an llm model needs '{needed}' in its config",
                file=node.file,
                line=line,
                hint="prompt='infer_persona', response='PersonaValues', key=['respondent_id']",
            )
    alias = config.setdefault("llm", "default")
    if alias not in files.settings.llms:
        raise CompileError(
            f"no llm '{alias}' under 'llms:'",
            file=node.file,
            line=line,
            hint=did_you_mean(alias, files.settings.llms)
            or "aliases: " + (", ".join(sorted(files.settings.llms)) or "none yet"),
        )
    try:
        wordings = load_wordings(
            files.prompts, config["prompt"], config["response"], sources.imports
        )
        node.wordings = wordings
        own = files.settings.llms[alias].profile
        # Which aliases rows name is in the data, so any profile may be asked.
        others = PROFILES if config.get("llm_column") else ()
        node.parts.update(parts_of(wordings, [own, *others]))
        if config.get("rows_per_call", 1) > 1:
            _check_together(node, line, [wording.prompt for wording in wordings.values()])
    except LupomError as error:
        if error.file is None:
            error.file, error.line = node.file, line
        error.within(files.root)
        raise
    # Which aliases rows name is in the data: those that were asked are added from the record.
    if not config.get("llm_column"):
        node.parts[llm_part(alias)] = identity_part(llm_identity, alias)


def _check_together(node: Node, line: int | None, prompts: Sequence[Prompt]) -> None:
    """Refuse rows in one call without a word on which, or with a prompt that has no place for
    them."""
    from lupom.engine.llm.together import ROWS

    if not node.config.get("rows_together"):
        raise CompileError(
            "rows_per_call needs 'rows_together': the columns that rows of one call are equal in",
            file=node.file,
            line=line,
            hint="rows_together=['survey', 'respondent_id']",
        )
    if not any(ROWS in prompt.variables for prompt in prompts):
        raise CompileError(
            f"rows_per_call is {node.config['rows_per_call']}, and prompt '{prompts[0].name}' has"
            " no place for the rows of a call",
            file=node.file,
            line=line,
            hint="{% for row in rows %}{{ row.label }}: ...{% endfor %}",
        )


def _config_line(node: Node) -> int | None:
    text = node.path.read_text(encoding="utf-8")
    return next((i for i, row in enumerate(text.splitlines(), 1) if "config(" in row), None)


def _seed_node(files: ProjectFiles, relative: str, hashes: FileHashes) -> Node:
    config = _config(files, "seeds", relative, {}, None, "seed")
    config["materialized"] = "seed"
    path = files.root / relative
    node = Node(_name(relative), "seed", relative, path, "csv", config)
    node.parts = {"file": hashes.of(path), "config": _config_part(config), "CSV dialect": RULES}
    return _describe(node, files.properties.get(("seeds", node.name)))


def _source_nodes(files: ProjectFiles, wanted: set[str]) -> list[Node]:
    """Make nodes of the declared sources; a file that is missing matters only where it is read.

    What they hold is asked for by a run or plan, and then only of those that it reads.
    """
    nodes = []
    for name, (source, properties) in sorted(files.sources.items()):
        path = source.file or files.store_path
        config: dict[str, Any] = {"materialized": "source", **properties.config}
        node = Node(name, "source", properties.file, path, "source", config)
        if name in wanted and source.file is not None and not source.file.is_file():
            raise ProjectError(
                f"the file of source '{name}' is not there: {source.file}",
                file=properties.file,
                line=properties.line,
            )
        nodes.append(_describe(node, properties))
    return nodes


def _check_views(files: ProjectFiles, nodes: list[Node]) -> None:
    """Refuse a view of a table in another DuckDB file, which no other client could read."""
    for node in nodes:
        for ref in node.refs:
            of = files.sources.get(ref.name)
            if node.materialization.is_view and of is not None and of[0].database is not None:
                raise CompileError(
                    f"'{node.name}' is a view of a table in another DuckDB file ({ref.name})",
                    file=ref.file,
                    line=ref.line,
                    hint="materialized='table'",
                )


def _check_properties(files: ProjectFiles, out: Compiled) -> None:
    """Refuse a description of a model or seed that does not exist: most often a typing error."""
    for kind, resource in (("models", "model"), ("seeds", "seed")):
        names = {node.name for node in out.nodes if node.resource == resource}
        for (of, name), properties in files.properties.items():
            if of == kind and name not in names and name not in out.disabled:
                raise ProjectError(
                    f"no {resource} named '{name}'",
                    file=properties.file,
                    line=properties.line,
                    hint=did_you_mean(name, names),
                )
