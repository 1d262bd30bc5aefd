"""lupom test."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from lupom.cli.options import (
    SelectingCommand,
    log_options,
    open_project,
    project_options,
    selection_options,
)

if TYPE_CHECKING:
    from lupom.engine.workspace import Project


@click.command(cls=SelectingCommand)
@selection_options
@click.option("--store-failures", is_flag=True, help="Keep failing rows in lupom_failures.NAME.")
@click.option("--fail-fast", is_flag=True, help="Stop at the first test that fails.")
@log_options
@project_options
def test(
    select: tuple[str, ...],
    exclude: tuple[str, ...],
    store_failures: bool,
    fail_fast: bool,
    project_dir: Path | None,
    target: str | None,
    vars_: str | None,
) -> int:
    """Run the data tests of the selected models, seeds and sources on what is built.

    A selector may also name a test. Exit code 1 when a test of severity 'error' fails.

    \b
    Example:
      lupom test --select persona_values --store-failures
    """
    with open_project(project_dir, target, vars_) as project:
        return check(project, select, exclude, store_failures=store_failures, fail_fast=fail_fast)


def check(
    project: Project,
    select: Sequence[str],
    exclude: Sequence[str] = (),
    *,
    store_failures: bool = False,
    fail_fast: bool = False,
) -> int:
    """Run data tests, print how they go and end; returns the exit code."""
    from lupom.cli.run import test_words, with_console
    from lupom.engine.run import results as r

    result, console, code = with_console(
        lambda **hears: project.test(
            list(select),
            list(exclude),
            store_failures=store_failures,
            fail_fast=fail_fast,
            **hears,
        )
    )
    console.finished(result)
    if not result.nodes:
        console.note("Nothing to test: no data test is selected.")
        return 0
    heads = {"success": "Done", "stopped": "Stopped"}
    head = heads.get(result.status, "Failed")
    console.note(f"{head} in {result.seconds:.1f}s: {', '.join(test_words(result))}.")
    for node in result.nodes:
        if node.status in (r.ERROR, r.FAIL):
            console.say(f"  {node.node}: {node.message.splitlines()[0]}")
    return code
