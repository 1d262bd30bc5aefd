"""lupom worker."""

from __future__ import annotations

from pathlib import Path

import click

from lupom.cli.options import open_project, project_options
from lupom.cli.stopping import stopping


@click.command()
@click.option(
    "--concurrency",
    type=click.IntRange(1),
    help="Calls in flight at once; by default what the aliases allow.",
)
@click.option(
    "--llm",
    "llms",
    multiple=True,
    metavar="ALIAS",
    help="Ask calls of this alias only; may be given several times.",
)
@click.option(
    "--idle-exit",
    type=click.FloatRange(0),
    metavar="SECONDS",
    help="End when there was nothing to ask for so long; by default never.",
)
@click.option("--once", is_flag=True, help="Ask what is queued now, and end.")
@project_options
def worker(
    concurrency: int | None,
    llms: tuple[str, ...],
    idle_exit: float | None,
    once: bool,
    project_dir: Path | None,
    target: str | None,
    vars_: str | None,
) -> int:
    """Ask the LLM calls of runs whose target says `executor: workers`.

    It runs in a checkout of the project, on any machine that reaches the target's ledger, with keys
    of its own, until it is stopped. Killed at any moment it costs what was in flight. Ctrl-C once
    (or SIGTERM) finishes the calls in flight and gives the others back; twice stops at once.

    \b
    Example:
      lupom worker --target team --concurrency 50
    """

    def say(text: str) -> None:
        click.echo(text, err=True)

    with (
        stopping(say, "calls in flight are finished") as stop,
        open_project(project_dir, target, vars_) as project,
    ):
        served = project.work(
            concurrency=concurrency,
            llms=llms,
            idle_exit=0.0 if once else idle_exit,
            stop=stop.event,
            note=say,
        )
    invalid = f", {served.invalid:,} of them without a valid answer" if served.invalid else ""
    click.echo(f"{served.asked:,} calls asked{invalid}.", err=True)
    return stop.exit_code if stop.event.is_set() else 1 if served.failed else 0
