"""Finds a project and reads its files: settings, model files, seeds, properties and sources."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jinja2
import yaml
from jinja2.sandbox import SandboxedEnvironment
from pydantic import Field

from lupom.engine.errors import LupomError, UsageError, did_you_mean
from lupom.engine.project.documents import Document, Path_
from lupom.engine.project.nodes import Column, Properties
from lupom.engine.project.settings import ModelConfig, ProjectSettings, Target
from lupom.engine.project.sources import ColumnBlock, Source, SourceBlock, Tested, read_source
from lupom.engine.project.strict import Strict
from lupom.engine.project.tests import read_tests
from lupom.engine.project.units import UnitBlock, UnitTest, read_unit
from lupom.engine.project.vars import DeclaredVar, VarBlock, check_vars, read_vars

PROJECT_FILE = "lupom_project.yml"


class _PropertyBlock(Tested):
    name: str
    """The model or seed."""
    description: str = ""
    """What a row is, and what for."""
    columns: list[ColumnBlock] = Field(default_factory=list)
    """Its columns."""
    config: dict[str, Any] = Field(default_factory=dict)
    """Its config."""


class PropertiesFile(Strict):
    """A YAML file under models/ or seeds/."""

    version: int = 2
    """dbt's number of the format."""
    models: list[_PropertyBlock] = Field(default_factory=list)
    """Properties of models."""
    seeds: list[_PropertyBlock] = Field(default_factory=list)
    """Properties of seeds."""
    sources: list[SourceBlock] = Field(default_factory=list)
    """Tables that LUPoM reads and never writes."""
    unit_tests: list[UnitBlock] = Field(default_factory=list)
    """Tests of models on given rows."""
    vars: list[VarBlock] = Field(default_factory=list)
    """Vars that models read, and what each may be."""


class _Vars(dict[str, Any]):
    """Vars that remember which of them YAML asked for."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        super().__init__(values)
        self.asked: set[str] = set()

    def __contains__(self, name: object) -> bool:
        self.asked.add(str(name))
        return super().__contains__(name)


@dataclass(slots=True)
class ProjectFiles:
    """A project as its files say it, nothing compiled.

    Attributes
    ----------
    root : the project's folder.
    vars : the project's vars with those of the command line laid over them.
    asked_vars : vars that YAML files ask for.
    var_types : what YAML beside models says that vars may be.
    declared_vars, declared_llms : names under `vars:` and `llms:` in the project file.
    models, seeds : relative path by order of name.
    tests, generic_tests : the same of SQL data tests, and of kinds of them.
    properties : by ('models' | 'seeds', name).
    sources : by 'source.table', with the description and columns of each.
    """

    root: Path
    document: Document
    settings: ProjectSettings
    target_name: str
    target: Target
    vars: dict[str, Any]
    declared_vars: frozenset[str]
    declared_llms: frozenset[str]
    asked_vars: frozenset[str] = frozenset()
    var_types: dict[str, DeclaredVar] = field(default_factory=dict)
    models: list[str] = field(default_factory=list)
    seeds: list[str] = field(default_factory=list)
    tests: list[str] = field(default_factory=list)
    generic_tests: list[str] = field(default_factory=list)
    unit_tests: list[UnitTest] = field(default_factory=list)
    properties: dict[tuple[str, str], Properties] = field(default_factory=dict)
    sources: dict[str, tuple[Source, Properties]] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)

    @property
    def store_path(self) -> Path:
        """The plain store's file, or that of a lake's catalog."""
        lake = self.target.catalog
        file = self.target.path if lake is None or "://" in lake else lake
        return (self.root / file).resolve()

    @property
    def names(self) -> frozenset[str]:
        """Names that files give to models and seeds, switched off or not."""
        return frozenset(Path(relative).stem for relative in [*self.models, *self.seeds])

    @property
    def prompts(self) -> Path:
        return self.root / self.settings.prompt_path

    @property
    def target_folder(self) -> Path:
        return self.root / self.settings.target_path

    @property
    def state_folder(self) -> Path:
        return self.root / ".lupom"


def find_root(start: Path | None) -> Path:
    """Return the folder of lupom_project.yml.

    `start` is a project's folder given by the user; None walks up from the current folder.
    Raises UsageError when there is none.
    """
    if start is not None:
        if not (start / PROJECT_FILE).is_file():
            raise UsageError(
                f"no {PROJECT_FILE} in {start}", hint="--project-dir takes the project's folder"
            )
        return start.resolve()
    here = Path.cwd().resolve()
    for folder in (here, *here.parents):
        if (folder / PROJECT_FILE).is_file():
            return folder
    raise UsageError(
        f"no {PROJECT_FILE} in {here} or above it",
        hint="lupom init NAME makes one; or go to a project's folder, or give --project-dir",
    )


def read_project(
    start: Path | None = None,
    *,
    target: str | None = None,
    vars: Mapping[str, Any] | None = None,
    environ: Mapping[str, str] | None = None,
) -> ProjectFiles:
    """Read a project's files.

    Raises
    ------
    ProjectError : with file and line, for what is malformed or unknown.
    UsageError : when no project is found, or the target or a var is not one of the project's.
    """
    root = find_root(start)
    document = Document(root / PROJECT_FILE, label=PROJECT_FILE)
    declared = document.data.get("vars") if isinstance(document.data, dict) else None
    variables = _Vars({**(declared if isinstance(declared, dict) else {}), **(vars or {})})
    data = _render(document, document.data, (), variables, environ or os.environ)
    settings = document.validate(ProjectSettings, data)
    _check_fallbacks(document, settings)
    name = target or settings.target
    if name not in settings.targets:
        raise UsageError(
            f"no target '{name}' in {PROJECT_FILE}",
            hint=did_you_mean(name, settings.targets)
            or "targets: " + ", ".join(sorted(settings.targets)),
        )
    files = ProjectFiles(
        root=root,
        document=document,
        settings=settings,
        target_name=name,
        target=settings.targets[name],
        vars={**settings.vars, **(vars or {})},
        declared_vars=frozenset(settings.vars),
        declared_llms=frozenset(data.get("llms") or {}),
    )
    _check_folder_config(files, "models", settings.model_paths)
    _check_folder_config(files, "seeds", settings.seed_paths)
    for folder in settings.model_paths:
        for path in _walk(root / folder):
            relative = path.relative_to(root).as_posix()
            if path.suffix in (".sql", ".py"):
                files.models.append(relative)
            elif path.suffix in (".yml", ".yaml"):
                _read_properties(files, path, relative, variables, environ or os.environ)
    for folder in settings.seed_paths:
        for path in _walk(root / folder):
            relative = path.relative_to(root).as_posix()
            if path.suffix == ".csv":
                files.seeds.append(relative)
            elif path.suffix in (".yml", ".yaml"):
                _read_properties(files, path, relative, variables, environ or os.environ)
    for folder in settings.test_paths:
        for path in _walk(root / folder):
            if path.suffix == ".sql":
                generic = "generic" in path.relative_to(root / folder).parts[:-1]
                relative = path.relative_to(root).as_posix()
                (files.generic_tests if generic else files.tests).append(relative)
    check_vars(files.var_types, document, settings.vars, vars or {})
    files.asked_vars = frozenset(variables.asked)
    return files


def folder_config(files: ProjectFiles, kind: str, relative: str) -> dict[str, Any]:
    """Return what lupom_project.yml configures for a file, deeper folders over upper ones.

    The blocks follow the folders below `models/` (or `seeds/`), or the project's name first as in
    dbt; keys of config begin with '+'. Tags add up; everything else is replaced.
    """
    block: Any = getattr(files.settings, kind)
    parts = relative.split("/")[1:]
    parts[-1] = parts[-1].rsplit(".", 1)[0]
    if files.settings.name in block and (not parts or parts[0] != files.settings.name):
        parts = [files.settings.name, *parts]
    merged: dict[str, Any] = {}
    for part in [None, *parts]:
        if part is not None:
            block = block.get(part)
        if not isinstance(block, dict):
            break
        merged = merge_config(merged, {k[1:]: v for k, v in block.items() if k.startswith("+")})
    return merged


def merge_config(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Lay one config over another: tags add up, the rest is replaced."""
    merged = {**below, **above}
    if "tags" in below and "tags" in above:
        lists = [[t] if isinstance(t, str) else list(t) for t in (below["tags"], above["tags"])]
        merged["tags"] = list(dict.fromkeys(lists[0] + lists[1]))
    return merged


def _check_fallbacks(document: Document, settings: ProjectSettings) -> None:
    """Check that each fallback is an alias and that none leads back to where it began."""
    for name, llm in settings.llms.items():
        chain = [name]
        while llm.fallback is not None:
            where: Path_ = ("llms", chain[-1], "fallback")
            if llm.fallback not in settings.llms:
                raise document.error(
                    f"no llm '{llm.fallback}' to fall back on",
                    where,
                    did_you_mean(llm.fallback, settings.llms)
                    or "aliases: " + ", ".join(sorted(settings.llms)),
                )
            if llm.fallback in chain:
                circle = " -> ".join([*chain, llm.fallback])
                raise document.error(f"fallbacks lead in a circle: {circle}", where)
            chain.append(llm.fallback)
            llm = settings.llms[llm.fallback]


def _walk(folder: Path) -> Iterator[Path]:
    """Yield files below a folder by name; those that begin with '_' or '.' are nobody's models."""
    if not folder.is_dir():
        return
    for path in sorted(folder.rglob("*")):
        inner = path.relative_to(folder).parts
        if path.is_file() and not any(part.startswith(("_", ".")) for part in inner):
            yield path


def _render(
    document: Document, value: Any, path: Path_, vars: Mapping[str, Any], environ: Mapping[str, str]
) -> Any:
    """Replace {{ env_var(...) }} and {{ var(...) }} in the strings of a YAML file."""
    if isinstance(value, dict):
        return {k: _render(document, v, (*path, k), vars, environ) for k, v in value.items()}
    if isinstance(value, list):
        return [_render(document, v, (*path, i), vars, environ) for i, v in enumerate(value)]
    if not isinstance(value, str) or "{{" not in value:
        return value

    def env_var(name: str, default: Any = ...) -> Any:
        if name in environ:
            return environ[name]
        if default is ...:
            raise document.error(
                f"the environment variable {name} is not set",
                path,
                f"export {name}=..., or give a default: env_var('{name}', '...')",
            )
        return default

    def var(name: str, default: Any = ...) -> Any:
        if name not in vars and default is ...:
            raise document.error(f"the var '{name}' has no value", path, did_you_mean(name, vars))
        return vars.get(name, default)

    try:
        environment = SandboxedEnvironment(undefined=jinja2.StrictUndefined)
        text = environment.from_string(value).render(env_var=env_var, var=var)
    except LupomError:
        raise
    except jinja2.TemplateError as error:
        raise document.error(f"Jinja: {error}", path) from error
    # What was a number before it went through the environment is a number again.
    plain = yaml.safe_load(text) if text.strip() else text
    return plain if isinstance(plain, int | float | bool) else text


def _check_folder_config(files: ProjectFiles, kind: str, folders: list[str]) -> None:
    """Check names and values of '+key' and that each folder named in the settings is there."""
    known = list(ModelConfig.model_fields)
    pending: list[tuple[Path_, Any]] = [((kind,), getattr(files.settings, kind))]
    while pending:
        path, block = pending.pop()
        if not isinstance(block, dict):
            raise files.document.error(
                f"'{path[-1]}' must be a folder's block, or config with a '+'",
                path,
                did_you_mean(str(path[-1]), known) and f"did you mean '+{path[-1]}'?",
            )
        plain = {k[1:]: v for k, v in block.items() if k.startswith("+") and k[1:] in known}
        files.document.validate(ModelConfig, plain, path, prefix="+")
        for key, value in block.items():
            if key.startswith("+"):
                if key[1:] not in known and not key.startswith("+filters_"):
                    hint = did_you_mean(key[1:], known)
                    raise files.document.error(
                        f"unknown config '{key}'",
                        (*path, key),
                        hint and hint.replace("'", "'+", 1),
                    )
                continue
            inner = (*path, key)
            parts = [str(p) for p in inner[1:] if p != files.settings.name]
            there = not parts or any(
                (files.root / folder / Path(*parts)).with_suffix(suffix).exists()
                for folder in folders
                for suffix in ("", ".sql", ".py", ".csv")
            )
            if not there and isinstance(value, dict):
                files.warnings.append(
                    f"{PROJECT_FILE}:{files.document.line(inner)}: '{'.'.join(parts)}' under "
                    f"'{kind}' matches no folder or file"
                )
            pending.append((inner, value))


def _read_properties(
    files: ProjectFiles,
    path: Path,
    relative: str,
    vars: Mapping[str, Any],
    environ: Mapping[str, str],
) -> None:
    document = Document(path, label=relative)
    data = _render(document, document.data, (), vars, environ)
    parsed = document.validate(PropertiesFile, data)
    for kind, blocks in (("models", parsed.models), ("seeds", parsed.seeds)):
        for i, block in enumerate(blocks):
            if (kind, block.name) in files.properties:
                other = files.properties[(kind, block.name)]
                raise document.error(
                    f"'{block.name}' is described twice",
                    (kind, i, "name"),
                    f"the other is in {other.file}:{other.line}",
                )
            document.validate(
                ModelConfig,
                {k: v for k, v in block.config.items() if not k.startswith("filters_")},
                (kind, i, "config"),
            )
            files.properties[(kind, block.name)] = Properties(
                relative,
                document.line((kind, i, "name")),
                block.description,
                _columns(block.columns),
                block.config,
                read_tests(document, block, (kind, i)),
            )
    read_vars(files.var_types, document, parsed.vars)
    for i, unit in enumerate(parsed.unit_tests):
        files.unit_tests.append(read_unit(document, unit, ("unit_tests", i)))
    for i, source in enumerate(parsed.sources):
        for j, table in enumerate(source.tables):
            where: Path_ = ("sources", i, "tables", j)
            name = f"{source.name}.{table.name}"
            if name in files.sources:
                raise document.error(f"the source '{name}' is declared twice", where)
            files.sources[name] = (
                read_source(document, source, table, where, files.root, files.store_path),
                Properties(
                    relative,
                    document.line(where),
                    table.description,
                    _columns(table.columns),
                    {"meta": table.meta} if table.meta else {},
                    tests=read_tests(document, table, where),
                ),
            )


def _columns(blocks: list[ColumnBlock]) -> tuple[Column, ...]:
    return tuple(Column(b.name, b.description, b.data_type, b.measured) for b in blocks)
