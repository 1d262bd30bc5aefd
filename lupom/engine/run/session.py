"""One run from lock to record: the state is opened, the plan executed, the outcome written down."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

from lupom.engine.run import results as r
from lupom.engine.run.lock import run_lock
from lupom.engine.run.runner import Options, Runner

if TYPE_CHECKING:
    from lupom.engine.workspace import Project


def run_session(
    project: Project, selected: tuple[str, ...], options: Options, flags: dict[str, Any]
) -> r.RunResult:
    """Run the stale ones among the selected nodes under the project's lock and record it all.

    The plan is made within the lock: another run may have built things while this one waited.
    """
    context = project.context
    begun = time.monotonic()
    state = context.state
    run_id = state.new_run_id()
    with run_lock(project.files.state_folder, run_id):
        plan = project._stale(selected, options)
        known = project._identities(frozenset(selected))
        state.start_run(
            run_id,
            command="run",
            target=project.files.target_name,
            flags=json.dumps(
                flags | {"full_refresh": options.full_refresh, "no_llm": options.no_llm}
            ),
        )
        status = "error"
        nodes: list[r.NodeResult] = []
        try:
            runner = Runner(context, project.graph, plan, known, options, run_id)
            nodes = runner.run()
            status = _status(nodes, context.stop.is_set())
        finally:
            seconds = time.monotonic() - begun
            for node in nodes:
                state.record_node(run_id, **_row(node))
            state.finish_run(run_id, status=status, seconds=seconds)
            _publish(project)
    up_to_date = len(plan.steps) - len(plan.doing())
    return r.RunResult(run_id, status, nodes, up_to_date, seconds)


def _status(nodes: list[r.NodeResult], stopped: bool) -> str:
    if any(node.status == r.ERROR for node in nodes):
        return "error"
    if stopped and any(node.status == r.STOPPED for node in nodes):
        return "stopped"
    return "success"


def _row(node: r.NodeResult) -> dict[str, Any]:
    calls = node.calls or r.Calls()
    return {
        "node": node.node,
        "kind": node.kind,
        "status": node.status,
        "message": node.message,
        "reason": node.reason,
        "rows": node.rows,
        "seconds": node.seconds,
        "calls": calls.total,
        "cached": calls.cached,
        "asked": calls.asked,
        "invalid": calls.invalid,
        "tokens_in": calls.tokens_in,
        "tokens_out": calls.tokens_out,
        "cost": calls.cost,
    }


def _publish(project: Project) -> None:
    """Copy runs, nodes and calls to the store; one that is held gets them with the next run."""
    from lupom.engine.errors import StoreError
    from lupom.engine.run.publish import publish

    try:
        publish(project.context)
    except StoreError as error:
        project.context.reporter.note(f"lupom.calls is not up to date: {error}")
