"""Opens a project's folder: files read and compiled, store and sources found, all checked."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lupom.engine.compiler.load import compile_project
from lupom.engine.errors import StateError, UsageError, did_you_mean
from lupom.engine.graph import Graph, check_guarded
from lupom.engine.hashes import FileHashes
from lupom.engine.project.discovery import ProjectFiles, read_project
from lupom.engine.run.context import Context, Graphs
from lupom.engine.run.deferral import other_store
from lupom.engine.run.stores import store_of
from lupom.engine.sources.resolve import Sources

if TYPE_CHECKING:
    from lupom.engine.state import Location


def open_context(
    folder: Path | None = None,
    *,
    target: str | None = None,
    vars: Mapping[str, Any] | None = None,
    state: Path | None = None,
    defer: str | None = None,
    compiled: bool = True,
) -> Context:
    """Read the project in a folder (None: here or above), ready to be run.

    Parameters are those of `Project`. Raises ProjectError with file and line when it does not
    compile, UsageError when there is no project, target or var of that name.
    """
    files = read_project(folder, target=target, vars=vars)
    hashes = FileHashes(files.target_folder / "hashes.json")
    store = store_of(files, files.target_name)
    sources = Sources(files.sources, files.state_folder, hashes)
    store.attached = sources.attached
    given = dict(vars or {})
    context = Context(files, lambda: _compiled(context, given), store, sources)
    context.hashes = hashes
    context.given_vars = given
    context.shared_state = state_of(files)
    context.compare_with = state
    context.defers_to = None if defer is None else other_store(files, store, defer)
    if compiled or given:
        # What was given is checked at once: only what is compiled says which vars there are.
        _ = context.graphs
    return context


def _compiled(context: Context, given: Mapping[str, Any]) -> Graphs:
    files = context.files
    compiled = compile_project(
        files,
        context.hashes,
        context.llm_identity,
        context.embedding_identity,
        science=Path(__file__).parents[2] / "science",
    )
    warnings = [*compiled.warnings, *_check_vars(files, given, compiled.used_vars)]
    graph = Graph(compiled.nodes)
    check_guarded(graph, files.settings.guarded_tags)
    # Checked with everything else: a test of what does not exist is an error of any command.
    with_tests = Graph([*compiled.nodes, *compiled.tests]) if compiled.tests else graph
    context.hashes.save()
    return Graphs(
        {node.name: node for node in compiled.nodes},
        graph,
        {test.name: test for test in compiled.tests},
        with_tests,
        warnings,
    )


def state_of(files: ProjectFiles) -> Location | None:
    """Return where the target says that the state is; None is the file in the project's folder.

    Raises ProjectError with file and line.
    """
    if files.target.state is None:
        return None
    from lupom.engine.place import has_password
    from lupom.engine.state.location import location_of

    where = ("targets", files.target_name, "state")
    raw = files.document.data["targets"][files.target_name]["state"]
    if has_password(str(raw)):
        raise files.document.error(
            "a password is spelled out in 'state'",
            where,
            "take it from the environment: postgresql+psycopg://ann:{{ env_var('LUPOM_PASSWORD') }}"
            "@host/database; without one PGPASSWORD and ~/.pgpass count",
        )
    try:
        return location_of(files.target.state, files.root)
    except StateError as error:
        raise files.document.error(error.message, where, error.hint) from None


def compiled_anew(files: ProjectFiles, vars: Mapping[str, Any]) -> Context:
    """Compile the project of some files again, with other vars laid over its own."""
    return open_context(files.root, target=files.target_name, vars={**files.vars, **vars})


def _check_vars(files: ProjectFiles, given: Mapping[str, Any], used: set[str]) -> list[str]:
    """Return what is said of vars that nothing reads; raises UsageError for one given so."""
    # One that YAML declares is no slip: a model reads it in another case, say for another LLM.
    used = used | files.asked_vars | set(files.var_types)
    warnings = []
    for name in sorted(files.declared_vars - used):
        hint = did_you_mean(name, used - files.declared_vars)
        if hint is not None:
            line = files.document.line(("vars", name))
            warnings.append(f"lupom_project.yml:{line}: no model reads the var '{name}' ({hint})")
    known = set(files.declared_vars) | used
    for name in given:
        if name not in known:
            before, colon, value = name.partition(":")
            spaced = f"a space stands after the colon: '{before}: {value}'"
            raise UsageError(
                f"--vars: nothing in this project reads a var '{name}'",
                hint=spaced if colon and before in known else did_you_mean(name, known),
            )
    return warnings
