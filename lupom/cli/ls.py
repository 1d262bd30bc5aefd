"""lupom ls."""

from __future__ import annotations

from pathlib import Path

import click

from lupom.cli.options import (
    SelectingCommand,
    open_project,
    project_options,
    selection_options,
)


@click.command(cls=SelectingCommand)
@selection_options
@click.option(
    "--output",
    type=click.Choice(["name", "path", "table", "json"]),
    default="name",
    help="What to print of each.",
)
@project_options
def ls(
    select: tuple[str, ...],
    exclude: tuple[str, ...],
    output: str,
    project_dir: Path | None,
    target: str | None,
    vars_: str | None,
) -> None:
    """List the selected nodes in the order they are built.

    \b
    Example:
      lupom ls --select config.materialized:llm --output table
    """
    from lupom.cli.formats import render

    with open_project(project_dir, target, vars_) as project:
        nodes = [project.nodes[name] for name in project.select(select, exclude)]
    if output == "name":
        click.echo("\n".join(node.name for node in nodes))
    elif output == "path":
        click.echo("\n".join(node.file for node in nodes))
    else:
        columns = ["name", "resource", "materialized", "file", "tags", "parents"]
        rows = [
            [n.name, n.resource, n.materialized, n.file, sorted(n.tags), list(n.parents)]
            for n in nodes
        ]
        if output == "table":
            rows = [[*row[:4], ", ".join(row[4]), ", ".join(row[5])] for row in rows]
        click.echo(render(columns, rows, output))
