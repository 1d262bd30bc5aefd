"""lupom retry."""

from __future__ import annotations

import json
from pathlib import Path

import click

from lupom.cli.options import log_options, open_project, parse_vars, project_options


@click.command()
@click.option(
    "--budget",
    metavar="AMOUNT",
    help="What it may spend, instead of the last run's: '$2.50', '500k tokens'.",
)
@log_options
@project_options
def retry(
    budget: str | None, project_dir: Path | None, target: str | None, vars_: str | None
) -> int:
    """Do again what did not succeed in the last run, with its flags, and ask quarantined rows anew.

    That is: models that failed, were skipped or not reached, data tests that failed, and LLM models
    with rows that have no valid answer. Whatever succeeded is left alone and no answer is paid for
    twice.

    \b
    Example:
      lupom retry --budget '$2'
    """
    from lupom.cli.run import execute
    from lupom.cli.test import check
    from lupom.engine.run.retry import flags_of, last_run, to_retry

    last = last_run(project_dir, target, parse_vars(vars_))
    given = vars_ or json.dumps(dict(last.vars))
    with open_project(project_dir, target or last.target, given) as project:
        names = to_retry(project.context, last)
        if not names:
            click.echo(
                f"Nothing to retry: run {last.run_id} ended well and no answer is quarantined.",
                err=True,
            )
            return 0
        if last.command == "test":
            return check(project, names, store_failures=last.arguments.get("store_failures", False))
        return execute(project, select=names, **flags_of(last, budget))
