"""lupom run, lupom seed."""

from __future__ import annotations

import gc
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lupom.cli.options import (
    SelectingCommand,
    log_format,
    log_options,
    offline_option,
    open_project,
    project_options,
    run_options,
    selection_options,
)
from lupom.cli.stopping import stopping
from lupom.engine.errors import did_you_mean

if TYPE_CHECKING:
    import threading

    from lupom.cli.console import Console
    from lupom.engine.run.results import Reporter, RunResult
    from lupom.engine.workspace import Project

# When to look for cycles of objects nobody holds. A run makes many objects and few cycles: at the
# usual pace (700, 10, 10) looking took a fifth of its CPU.
_COLLECT = (50_000, 20, 100)


@click.command(cls=SelectingCommand)
@selection_options
@run_options
@offline_option
@log_options
@project_options
def run(project_dir: Path | None, target: str | None, vars_: str | None, **options: Any) -> int:
    """Build what is stale among the selected models, and the seeds they need.

    What is unchanged is not built, and no LLM call is paid for twice. Ctrl-C once (or SIGTERM)
    finishes the calls in flight and reports; twice stops at once. Exit code 1: something failed; 3:
    the budget is reached; 4: calls are out in a batch; 130: stopped, by SIGTERM 143.

    \b
    Example:
      lupom run --select persona_values+ --vars 'seed: 7'
    """
    with open_project(project_dir, target, vars_) as project:
        return execute(project, **options)


@click.command(cls=SelectingCommand)
@selection_options
@click.option(
    "-f", "--full-refresh", is_flag=True, help="Load them even if the files are unchanged."
)
@log_options
@project_options
def seed(
    select: tuple[str, ...],
    exclude: tuple[str, ...],
    full_refresh: bool,
    project_dir: Path | None,
    target: str | None,
    vars_: str | None,
) -> int:
    """Load CSV seeds whose files changed; `lupom run` does so too for those it needs.

    \b
    Example:
      lupom seed --select settings
    """
    with open_project(project_dir, target, vars_) as project:
        seeds = project.select("resource_type:seed")
        chosen = [n for n in project.select(select, exclude) if n in seeds]
        if not chosen:
            click.echo("Nothing to do: no seed is selected.", err=True)
            return 0
        return execute(project, select=chosen, full_refresh=full_refresh, show=False)


def execute(project: Project, *, show: bool = True, **options: Any) -> int:
    """Run a project, print how it goes and ends; returns the exit code."""
    tests = options.get("tests", False)
    early = _named(project, project.files.settings.show_when_built)
    wanted = show and early and not options.get("no_llm") and log_format() == "text"

    def work(reporter: Console, stop: threading.Event) -> RunResult:
        from lupom.cli.early import Early

        hears: Reporter = Early(reporter, project, early) if wanted else reporter
        return project.run(reporter=hears, stop=stop, **options)

    result, console, code = with_console(work)
    _summary(console, result)
    if log_format() == "text" and show and result.run_id is not None and result.status == "success":
        choose = project.chosen if tests else project.select
        _show_at_end(project, choose(options.get("select"), options.get("exclude")))
    return code


def _named(project: Project, names: list[str]) -> list[str]:
    """Return the tables of `show_when_built` that the project has; the others are told."""
    for name in names:
        if name not in project.nodes:
            hint = did_you_mean(name, project.nodes)
            click.echo(
                f"show_when_built: no model '{name}'{f' ({hint})' if hint else ''}", err=True
            )
    return [name for name in names if name in project.nodes]


def with_console(work: Callable[..., RunResult]) -> tuple[RunResult, Console, int]:
    """Do work that reports as it goes, on a console; returns the exit code, too.

    Ctrl-C or SIGTERM once ask it to stop.
    """
    from lupom.cli.console import Console
    from lupom.cli.logs import JsonConsole

    console = JsonConsole() if log_format() == "json" else Console()
    usual = gc.get_threshold()
    gc.set_threshold(*_COLLECT)
    with stopping(console.note, "calls in flight are finished and kept") as stop:
        try:
            result = work(reporter=console, stop=stop.event)
        finally:
            gc.set_threshold(*usual)
            console.close()
    return result, console, result.exit_code


def _summary(console: Console, result: RunResult) -> None:
    from lupom.engine.llm import prices
    from lupom.engine.llm.prices import whole
    from lupom.engine.run import results as r

    console.finished(result)
    if result.run_id is None:
        many = "1 node is" if result.up_to_date == 1 else f"all {result.up_to_date} nodes are"
        console.note(f"Nothing to do: {many} up to date.")
        return
    words = []
    for status, word in (
        (r.SUCCESS, "built"),
        (r.WARN, "built with warnings"),
        (r.ERROR, "failed"),
        (r.SKIPPED, "skipped"),
        (r.STOPPED, "not reached"),
        (r.UNCHANGED, "unchanged"),
        (r.KEPT, "kept"),
    ):
        if count := sum(1 for n in result.nodes if n.status == status and n.kind != "test"):
            words.append(f"{count} {word}")
    words += test_words(result)
    if result.up_to_date:
        words.append(f"{result.up_to_date} up to date before")
    asked = sum(node.calls.asked for node in result.nodes if node.calls)
    taken = [n.calls.usage.tokens for n in result.nodes if n.calls]
    heads = {"success": "Done", "error": "Failed", "stopped": "Stopped", "waiting": "Waiting"}
    head = heads.get(result.status, "Stopped at the budget")
    console.note(f"{head} in {result.seconds:.1f}s: {', '.join(words)}.")
    if asked:
        costs = [n.calls.usage.cost for n in result.nodes if n.calls and n.calls.asked]
        unknown = "cost unknown" if None in taken else "price unknown"
        money = unknown if None in costs else f"${sum(c or 0 for c in costs):.4f}"
        tokens = prices.tokens(whole(*taken))
        requests = sum(node.calls.usage.requests for node in result.nodes if node.calls)
        # Several rows may share one, and it is requests that a plan counts.
        shared = f"{requests:,} LLM calls for {asked:,} rows"
        calls = shared if 0 < requests < asked else f"{asked:,} LLM calls"
        console.note(f"{calls}, {tokens}, {money}{_estimated(result)}.")
    if embedded := [node.embedded for node in result.nodes if node.embedded]:
        everything = r.Embedded()
        for one in embedded:
            everything.add(one.texts, one.usage)
        console.note(f"{everything.said()}.")
    if result.status == "error":
        for node in result.nodes:
            if node.status in (r.ERROR, r.FAIL):
                console.say(f"  {node.node}: {node.message.splitlines()[0]}")
        console.note("Fix it and run again: what was built and answered is kept.")
    if result.status == "stopped":
        console.note("Run again to go on: what was answered is kept.")
    if result.status == "waiting":
        for node in result.nodes:
            if node.status == r.STOPPED:
                console.say(f"  {node.node}: {node.message}")
        console.note("Run again later: it collects what has come back and goes on.")
    if result.status == "budget":
        console.note(f"{result.message[:1].upper()}{result.message[1:]}.")
        for node in result.nodes:
            if node.status == r.STOPPED:
                console.say(f"  {node.node}: {node.message}")
        other = "another --budget"
        if result.message.startswith("the project's"):
            other = "a higher budget.project in lupom_project.yml"
        console.note(f"Run again to go on, with {other}: what was answered is kept.")


def test_words(result: RunResult) -> list[str]:
    """Say how many data tests ended how: '12 tests passed', '1 failed'."""
    from lupom.engine.run import results as r

    statuses = [node.status for node in result.nodes if node.kind == "test"]
    counts = [
        (r.PASS, "passed"),
        (r.WARN, "warned"),
        (r.FAIL, "failed"),
        (r.ERROR, "could not be run"),
        (r.SKIPPED, "skipped"),
        (r.STOPPED, "not reached"),
    ]
    return [
        f"{statuses.count(status)} test{'s' if statuses.count(status) > 1 else ''} {word}"
        for status, word in counts
        if status in statuses
    ]


def _estimated(result: RunResult) -> str:
    """Say what the calls of a whole run were estimated at, to be held against what they took."""
    calls = [n.calls for n in result.nodes if n.calls and n.calls.tokens_high is not None]
    if not calls or result.status != "success":
        return ""
    from lupom.engine.llm.forecast import Range
    from lupom.engine.run.spending import said

    tokens = Range(sum(c.tokens_low or 0 for c in calls), sum(c.tokens_high or 0 for c in calls))
    cost = None
    if all(c.cost_high is not None for c in calls):
        cost = Range(sum(c.cost_low or 0 for c in calls), sum(c.cost_high or 0 for c in calls))
    return f" (estimated {said(tokens, cost).removesuffix(', price unknown')})"


def _show_at_end(project: Project, selected: tuple[str, ...]) -> None:
    """Print the tables the project wants to see at the end of a run, and what to type next.

    A table outside the selection is not this run's, and may not stand at all.
    """
    from lupom.engine.errors import LupomError

    rows: dict[str, int | None] = {}
    with project.store.kept_open():
        shown = _shown(project, selected)
        try:
            if "leaderboard" in shown and (found := _found(project)):
                click.echo(f"\n{found}")
            rows = {name: one.row_count for name, one in project.records().items()}
        except LupomError as error:
            # Whoever has taken the store since has not made the run fail.
            click.echo(f"show_at_end: {error}", err=True)
    models = [n for n in selected if project.nodes[n].materialization.needs_llm and rows.get(n)]
    click.echo("\nNext:", err=True)
    if shown:
        click.echo(f'  lupom query "select * from {shown[0]}" --format csv', err=True)
    if models:
        click.echo(f"  lupom show {models[-1]}", err=True)
    if "leaderboard" in shown:
        click.echo("  lupom report", err=True)
    click.echo("  lupom docs generate", err=True)


def _shown(project: Project, selected: tuple[str, ...]) -> list[str]:
    """Print the tables of show_at_end that this run may have built; returns their names."""
    from lupom.cli.formats import render
    from lupom.engine.errors import LupomError

    shown = []
    for name in project.files.settings.show_at_end:
        if name in project.nodes and name not in selected:
            continue
        try:
            table = project.table(name)
        except LupomError as error:
            click.echo(f"show_at_end: {error}", err=True)
            continue
        click.echo(f"\n{name}\n")
        click.echo(render(table.columns, table.rows(), "table"))
        shown.append(name)
    return shown


def _found(project: Project) -> str:
    """Say what was found, how sure, and what to do next, in lines that a terminal shows whole."""
    import textwrap

    from lupom.site.finding import line
    from lupom.site.findings import Findings

    paragraphs = line(Findings(project)).splitlines()
    return "\n".join(textwrap.fill(one, 100, break_long_words=False) for one in paragraphs)
