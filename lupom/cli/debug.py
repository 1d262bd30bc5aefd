"""lupom debug."""

from __future__ import annotations

from pathlib import Path

import click

from lupom.cli.options import open_project, project_options


@click.command()
@project_options
def debug(project_dir: Path | None, target: str | None, vars_: str | None) -> int:
    """Check versions, project, store and LLMs; exit code 1 when something is amiss.

    \b
    Example:
      lupom debug
    """
    bad = 0
    with open_project(project_dir, target, vars_) as project:
        for check in project.diagnose():
            bad += not check.ok
            mark = click.style("ok ", fg="green") if check.ok else click.style("BAD", fg="red")
            click.echo(f"{mark}  {check.what:<24} {check.found}")
    return 1 if bad else 0
