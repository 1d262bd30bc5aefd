"""lupom show."""

from __future__ import annotations

from pathlib import Path

import click

from lupom.cli.formats import format_options
from lupom.cli.options import open_project, project_options


@click.command()
@click.argument("model")
@click.option(
    "--limit", type=click.IntRange(0), default=10, show_default=True, help="Rows at most."
)
@click.option("--failed", is_flag=True, help="The rows of an LLM model without a valid answer.")
@format_options
@project_options
def show(
    model: str,
    limit: int,
    failed: bool,
    form: str,
    spreadsheet_safe: bool,
    project_dir: Path | None,
    target: str | None,
    vars_: str | None,
) -> None:
    """Show the first rows of a model's table, or what an LLM could not answer.

    \b
    Example:
      lupom show persona_dimensions --limit 5
      lupom show persona_values --failed
    """
    from lupom.cli.formats import echo

    with open_project(project_dir, target, vars_) as project:
        table = project.quarantine(model) if failed else project.table(model, limit)
    echo(table, form, spreadsheet_safe=spreadsheet_safe)
