"""lupom clean."""

from __future__ import annotations

from pathlib import Path

import click

from lupom.cli.options import open_project, project_options


@click.command()
@project_options
def clean(project_dir: Path | None, target: str | None, vars_: str | None) -> None:
    """Delete target/: artifacts and caches. The store and the ledger of LLM calls stay.

    \b
    Example:
      lupom clean
    """
    with open_project(project_dir, target, vars_) as project:
        gone = project.clean()
    for folder in gone:
        click.echo(f"Deleted {folder}", err=True)
    if not gone:
        click.echo("Nothing to delete.", err=True)
