"""lupom worker."""

from __future__ import annotations

import signal
import threading
from contextlib import suppress
from pathlib import Path
from types import FrameType

import click

from lupom.cli.options import open_project, project_options


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
    finishes the calls in flight and gives the others back; twice stops at once.

    \b
    Example:
      lupom worker --target team --concurrency 50
    """
    stop = threading.Event()
    previous = signal.getsignal(signal.SIGINT)

    def interrupt(number: int, frame: FrameType | None) -> None:
        if stop.is_set():
            signal.signal(signal.SIGINT, previous)
            raise KeyboardInterrupt
        stop.set()
        click.echo("Stopping: calls in flight are finished. Ctrl-C again stops at once.", err=True)

    with suppress(ValueError):  # not in the main thread: somebody else's signals
        signal.signal(signal.SIGINT, interrupt)
    try:
        with open_project(project_dir, target, vars_) as project:
            served = project.work(
                concurrency=concurrency,
                llms=llms,
                idle_exit=0.0 if once else idle_exit,
                stop=stop,
                note=lambda text: click.echo(text, err=True),
            )
    finally:
        with suppress(ValueError):
            signal.signal(signal.SIGINT, previous)
    invalid = f", {served.invalid:,} of them without a valid answer" if served.invalid else ""
    click.echo(f"{served.asked:,} calls asked{invalid}.", err=True)
    return 130 if stop.is_set() else 1 if served.failed else 0
