"""One run from lock to record: the state is opened, the plan executed, the outcome written down."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from lupom.engine.project.nodes import Node
from lupom.engine.run import results as r
from lupom.engine.run.artifacts import write_artifacts
from lupom.engine.run.builder import Options
from lupom.engine.run.identities import Identities
from lupom.engine.run.lock import run_lock
from lupom.engine.run.plan import Plan
from lupom.engine.run.runner import Runner
from lupom.engine.run.spending import check_prices, make_budget
from lupom.engine.run.staleness import identities, plan_of
from lupom.engine.store.duck import ROW_GROUP
from lupom.version import __version__

if TYPE_CHECKING:
    from lupom.engine.run.context import Context

# Bytes of all seeds together that DuckDB reads on one thread.
_SEEDS = 16_000_000


def run_session(
    context: Context,
    selected: tuple[str, ...],
    options: Options,
    flags: dict[str, Any],
    *,
    command: str = "run",
    tests: Sequence[Node] = (),
) -> r.RunResult:
    """Run the stale ones among the selected nodes under the project's lock and record it all.

    `tests` are the data tests to run with them.

    The plan is made within the lock: another run may have built things while this one waited.
    """
    begun = time.monotonic()
    state = context.state
    with run_lock(context.files.state_folder) as claim:
        known = identities(context, selected)
        plan = stale(context, selected, options, known)
        budget = make_budget(context.files.settings.budget, options.budget, context)
        if budget is not None:
            check_prices(context, plan, budget)
            context.gateway.budget = budget
        run_id = state.start_run(
            command,
            target=context.files.target_name,
            version=__version__,
            arguments=json.loads(json.dumps({**flags, **asdict(options)}, default=str)),
        )
        claim(run_id)
        status, message = "error", ""
        nodes: list[r.NodeResult] = []
        try:
            context.store.small = _small(context, known)
            runner = Runner(context, context.graph, plan, known, options, run_id, tests)
            nodes = runner.run()
            reached = None if budget is None else budget.reached
            status = _status(nodes, context.stop.is_set(), reached is not None)
            message = reached if status == "budget" and reached else ""
        finally:
            context.end_work()
            if budget is not None:
                context.gateway.budget = None
            seconds = time.monotonic() - begun
            state.record_nodes(run_id, [_fields(node) for node in nodes])
            state.finish_run(run_id, status, message=message)
            _publish(context, run_id)
    up_to_date = len(plan.steps) - len(plan.doing())
    result = r.RunResult(run_id, status, nodes, up_to_date, seconds, message)
    if isinstance(context.stop, r.StopEvent):
        result.signal = context.stop.signal
    write_artifacts(context, result, command, flags)
    return result


def stale(
    context: Context,
    selected: tuple[str, ...],
    options: Options,
    known: Identities | None = None,
) -> Plan:
    """Return the plan of a run of these options; nothing is estimated.

    `known` are the nodes' identities where the caller has them.
    """
    return plan_of(
        context,
        selected,
        known,
        full_refresh=options.full_refresh,
        no_llm=options.no_llm,
        retry_invalid=options.retry_invalid,
    )


def _status(nodes: list[r.NodeResult], stopped: bool, over_budget: bool) -> str:
    if any(node.status in (r.ERROR, r.FAIL) for node in nodes):
        return "error"
    if stopped and any(node.status == r.STOPPED for node in nodes):
        return "stopped"
    if any(node.status == r.STOPPED for node in nodes):
        return "budget" if over_budget else "waiting"
    return "success"


def _fields(node: r.NodeResult) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "node": node.node,
        "kind": node.kind,
        "status": node.status,
        "message": node.message,
        "reason": node.reason,
        "rows": node.rows,
        "seconds": node.seconds,
    }
    if node.calls is not None:
        calls = node.calls.flat()
        fields |= {"calls": calls.pop("total"), **calls}
    if node.embedded is not None:
        fields |= node.embedded.flat()
    return fields


def _small(context: Context, known: Identities) -> bool:
    """Tell whether all that a run reads has few rows, as far as can be told before it begins.

    What grows meanwhile is seen when it is committed.
    """
    files = context.files
    # Of a source nobody knows: it may be a bucket's.
    read = (ref.name for node in context.nodes.values() for ref in node.refs)
    if known.most_rows > ROW_GROUP or any(name in files.sources for name in read):
        return False
    return sum((files.root / seed).stat().st_size for seed in files.seeds) <= _SEEDS


def _publish(context: Context, run_id: str) -> None:
    """Copy runs, nodes and calls to the store; one that is held gets them with the next run."""
    if not context.store.exists:
        return
    import duckdb

    from lupom.engine.errors import StoreError
    from lupom.engine.run.publish import publish
    from lupom.engine.store import messages

    try:
        publish(context, run_id)
    except StoreError as error:
        context.reporter.note(f"lupom.calls is not up to date: {error}")
    except duckdb.Error as error:
        # A disk that is full, a folder that is gone: what the run came to is said all the same.
        context.reporter.note(f"lupom.calls is not up to date: {messages.lines(error)}")
