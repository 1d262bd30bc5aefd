"""lupom build."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from lupom.cli.options import (
    SelectingCommand,
    log_options,
    offline_option,
    open_project,
    project_options,
    run_options,
    selection_options,
)


@click.command(cls=SelectingCommand)
@selection_options
@run_options
@offline_option
@log_options
@click.option("--store-failures", is_flag=True, help="Keep failing rows in lupom_failures.NAME.")
@project_options
def build(project_dir: Path | None, target: str | None, vars_: str | None, **options: Any) -> int:
    """Build what is stale among the selected models, and run the data tests of all of them.

    Each test runs right after the last model it reads. What follows from a model whose test fails
    is skipped. Exit codes as of `lupom run`; 1 also when a test fails.

    \b
    Example:
      lupom build --select persona_values+
    """
    from lupom.cli.run import execute

    with open_project(project_dir, target, vars_) as project:
        return execute(project, tests=True, **options)
