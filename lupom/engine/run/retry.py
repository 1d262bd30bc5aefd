"""What a run left undone, and how it was called: what `lupom retry` does again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lupom.engine.errors import UsageError
from lupom.engine.run import results as r
from lupom.engine.run.selection import select_beside_tests, select_tests
from lupom.engine.run.staleness import quarantined

if TYPE_CHECKING:
    from lupom.engine.run.context import Context
    from lupom.engine.state import Location

_UNDONE = (r.ERROR, r.FAIL, r.SKIPPED, r.STOPPED)


@dataclass(frozen=True, slots=True)
class LastRun:
    """A run as the state remembers it.

    Attributes
    ----------
    command : 'run', 'build' or 'test'.
    vars : those of its command line.
    arguments : its other flags, by the names `Project.run` has for them.
    undone : nodes and tests that failed, were skipped or not reached; None when it was cut off
        before it could say.
    """

    run_id: str
    started_at: str
    status: str
    target: str | None
    command: str = "run"
    vars: Mapping[str, Any] = field(default_factory=dict)
    arguments: Mapping[str, Any] = field(default_factory=dict)
    undone: frozenset[str] | None = frozenset()


def last_run(
    folder: Path | None, target: str | None = None, vars: Mapping[str, Any] | None = None
) -> LastRun:
    """Return the last run of the project in a folder (None: here or above).

    `target` and `vars` say which state database is meant, where targets have their own. Raises
    UsageError when there is no project, or it was never run.
    """
    from lupom.engine.project.discovery import find_root

    folder = find_root(folder)
    state_folder = folder / ".lupom"
    where = _shared_state(folder, target, vars)
    path = where.path if where is not None else state_folder / "state.db"
    runs: list[dict[str, Any]] = []
    nodes: list[dict[str, Any]] = []
    if path is None or path.is_file():
        from lupom.engine.state import State

        its = None if where is None else state_folder
        with State(where or state_folder / "state.db", folder=its) as state:
            runs = state.runs(limit=1)
            nodes = state.nodes(runs[0]["run_id"]) if runs else []
    if not runs:
        raise UsageError("there has been no run yet", hint="lupom run")
    (run,) = runs
    arguments = dict(run["arguments"])
    undone = frozenset(node["node"] for node in nodes if node["status"] in _UNDONE)
    return LastRun(
        run_id=run["run_id"],
        started_at=run["started_at"],
        status=run["status"],
        target=run["target"],
        command=run["command"],
        vars=arguments.pop("vars", {}),
        arguments=arguments,
        undone=undone if nodes else None,
    )


def _shared_state(
    folder: Path, target: str | None, vars: Mapping[str, Any] | None
) -> Location | None:
    """Return the state that a target names; the project is read for it where one does at all."""
    from lupom.engine.project.discovery import PROJECT_FILE, read_project
    from lupom.engine.run.opening import state_of

    if "state:" not in (folder / PROJECT_FILE).read_text(encoding="utf-8", errors="replace"):
        return None
    return state_of(read_project(folder, target=target, vars=vars))


def flags_of(last: LastRun, budget: str | None = None) -> dict[str, Any]:
    """Return a run's flags as keyword arguments of `Project.run`, what it asked invalidly asked
    anew; `budget` takes the place of its own."""
    kept = ("threads", "full_refresh", "fail_fast", "no_llm", "store_failures")
    return {
        **{name: last.arguments[name] for name in kept if name in last.arguments},
        "budget": budget or last.arguments.get("budget"),
        "tests": last.command == "build",
        "retry_invalid": True,
    }


def to_retry(context: Context, last: LastRun) -> list[str]:
    """Return what did not succeed in a run, and what follows from it there; may be empty.

    Nodes with quarantined answers are among it, whichever run they are of. Nodes and tests that are
    no longer in the project are not.
    """
    arguments = last.arguments.get("select"), last.arguments.get("exclude")
    tests = select_tests(context, *arguments) if last.command in ("build", "test") else ()
    undone = frozenset(tests) if last.undone is None else last.undone
    failed = sorted(name for name in undone if name in context.tests)
    if last.command == "test":
        return failed
    selected = select_beside_tests(context, *arguments)
    if last.undone is None:
        again = set(selected)
    else:
        again = {name for name in last.undone if name in context.nodes}
    again |= {name for name in quarantined(context) if name in context.nodes}
    below = {name for one in again for name in context.graph.descendants(one)}
    return [*context.graph.sort(again | (below & set(selected))), *failed]
