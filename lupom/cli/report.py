"""lupom report."""

from __future__ import annotations

from pathlib import Path

import click

from lupom.cli.options import open_project, project_options


@click.command()
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The file to write; by default target/report.html.",
)
@click.option("--card", is_flag=True, help="The validity card instead: one page to print.")
@project_options
def report(
    output: Path | None, card: bool, project_dir: Path | None, target: str | None, vars_: str | None
) -> None:
    """Write one page on how good the predictions are, and print where it is.

    How good, compared with what, for whom, at what cost, and whether to use the LLM here. The file
    needs no network; open it in a browser, send it to somebody, print it.

    \b
    Example:
      lupom report --output report.html
      lupom report --card
    """
    with open_project(project_dir, target, vars_) as project:
        click.echo(project.validity_card(output) if card else project.report(output))
