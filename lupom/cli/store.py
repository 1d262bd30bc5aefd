"""lupom store."""

from __future__ import annotations

from pathlib import Path

import click

from lupom.cli.formats import format_options
from lupom.cli.options import open_project, project_options


@click.group()
def store() -> None:
    """Look after a store: the snapshots of a lake, and copies between targets.

    \b
    Example:
      lupom store snapshots --target team
    """


@store.command()
@format_options
@project_options
def snapshots(
    form: str,
    spreadsheet_safe: bool,
    project_dir: Path | None,
    target: str | None,
    vars_: str | None,
) -> None:
    """List the snapshots of a lake, one for each commit: what `lupom query --at` takes.

    \b
    Example:
      lupom store snapshots --format json
    """
    from lupom.cli.formats import render

    with open_project(project_dir, target, vars_) as project:
        found = project.snapshots()
    columns = ["snapshot", "at", "run", "what", "author"]
    rows = [
        [s.id, s.at.astimezone().isoformat(timespec="seconds"), s.run, s.what, s.author]
        for s in found
    ]
    click.echo(render(columns, rows, form, spreadsheet_safe=spreadsheet_safe))


@store.command()
@click.option(
    "--older-than",
    metavar="AGE",
    required=True,
    help="Give up snapshots older than this: 30d, 12h, 90m.",
)
@click.option("--dry-run", is_flag=True, help="Say what would go, and leave it.")
@project_options
def expire(
    older_than: str,
    dry_run: bool,
    project_dir: Path | None,
    target: str | None,
    vars_: str | None,
) -> None:
    """Give up old snapshots of a lake, and delete the files that only they need.

    The newest snapshot always stays. Who reads an expired one at that moment gets an error.

    \b
    Example:
      lupom store expire --older-than 30d --dry-run
    """
    with open_project(project_dir, target, vars_) as project:
        gone = project.expire_snapshots(older_than, dry_run=dry_run)
    many = len(gone.snapshots)
    snapshots_ = "1 snapshot" if many == 1 else f"{many:,} snapshots"
    if dry_run:
        click.echo(f"Would give up {snapshots_}.", err=True)
        return
    files = "1 file" if gone.files == 1 else f"{gone.files:,} files"
    click.echo(f"Gave up {snapshots_} and deleted {files}.", err=True)


@store.command()
@click.argument("to")
@click.option("--replace", is_flag=True, help="Drop what stands in the other target's store first.")
@project_options
def copy(
    to: str,
    replace: bool,
    project_dir: Path | None,
    target: str | None,
    vars_: str | None,
) -> None:
    """Copy this target's store to that of another: from a file to a lake, and back.

    All tables, views and notes, or nothing; a run of the other target then finds everything up to
    date.

    \b
    Example:
      lupom store copy team
      lupom store copy dev --target team --replace
    """
    with open_project(project_dir, target, vars_) as project:
        many = project.copy_store(to, replace=replace)
    click.echo(f"Copied {many} tables and views.", err=True)
