"""lupom source freshness."""

from __future__ import annotations

from pathlib import Path

import click

from lupom.cli.options import (
    SelectingCommand,
    open_project,
    project_options,
    selection_options,
)


@click.group()
def source() -> None:
    """Work with sources: tables that LUPoM reads and never writes.

    \b
    Example:
      lupom source freshness
    """


@source.command(cls=SelectingCommand)
@selection_options
@click.option("--format", "form", type=click.Choice(["table", "csv", "json"]), default="table")
@project_options
def freshness(
    select: tuple[str, ...],
    exclude: tuple[str, ...],
    form: str,
    project_dir: Path | None,
    target: str | None,
    vars_: str | None,
) -> int:
    """Say how old the sources are that have a `freshness` in YAML.

    Their age is that of the newest `loaded_at_field`, or else of the file or object. Exit code 1:
    one is older than its `error_after`, or cannot be read.

    \b
    Example:
      lupom source freshness --select source:panel --format json
    """
    from lupom.cli.formats import render
    from lupom.engine.run.freshness import ERROR, PASS

    with open_project(project_dir, target, vars_) as project:
        measured = project.freshness(select, exclude)
    if not measured and form == "table":
        click.echo("Nothing to do: no selected source has a 'freshness'.", err=True)
        return 0
    columns = ["source", "status", "age_hours", "max_loaded_at", "checked_at", "warn_after"]
    columns += ["error_after", "message"]
    rows = [
        [
            m.source,
            m.status,
            None if m.age is None else round(m.age / 3600, 3),
            None if m.loaded_at is None else m.loaded_at.isoformat(timespec="seconds"),
            m.checked_at.isoformat(timespec="seconds"),
            str(m.rule.warn_after or ""),
            str(m.rule.error_after or ""),
            m.message,
        ]
        for m in measured
    ]
    if form == "table" and not any(m.message for m in measured):
        columns, rows = columns[:-1], [row[:-1] for row in rows]
    click.echo(render(columns, rows, form))
    late = [m for m in measured if m.status != PASS]
    for m in late:
        click.echo(f"{m.status}: {m.source}: {m.said()}", err=True)
    return 1 if any(m.status == ERROR for m in late) else 0
