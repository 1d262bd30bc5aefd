"""lupom query."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from lupom.cli.formats import format_options
from lupom.cli.options import open_project, project_options


@click.command()
@click.argument("sql")
@click.option(
    "--at",
    metavar="WHEN",
    help="As of a run's id, a snapshot's number or a time; of a lake only.",
)
@format_options
@project_options
def query(
    sql: str,
    at: str | None,
    form: str,
    spreadsheet_safe: bool,
    project_dir: Path | None,
    target: str | None,
    vars_: str | None,
) -> None:
    """Run SQL on the store, read-only, and print the rows. '-' reads the SQL from stdin.

    \b
    Example:
      lupom query "select value, count(*) from persona_values group by 1" --format csv
      lupom query --at 20260301T120000-3fa2b1 "select * from metrics"
    """
    from lupom.cli.formats import echo

    if sql == "-":
        sql = sys.stdin.read()
    with open_project(project_dir, target, vars_, compiled=False) as project:
        table = project.query(sql, at=at)
    echo(table, form, spreadsheet_safe=spreadsheet_safe)
