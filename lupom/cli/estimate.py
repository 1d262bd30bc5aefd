"""lupom estimate."""

from __future__ import annotations

from pathlib import Path

import click

from lupom.cli.formats import format_options
from lupom.cli.options import open_project, project_options, say_note


@click.command()
@click.argument("question", required=False)
@click.option("--by", metavar="ATTRIBUTE", help="For each group of an attribute.")
@click.option("--survey", metavar="NAME", help="Of one survey alone.")
@click.option("--differences", is_flag=True, help="How groups differ from the largest one.")
@click.option("--all", "every", is_flag=True, help="Every method, beside the recommended one.")
@format_options
@project_options
def estimate(
    question: str | None,
    by: str | None,
    survey: str | None,
    differences: bool,
    every: bool,
    form: str,
    spreadsheet_safe: bool,
    project_dir: Path | None,
    target: str | None,
    vars_: str | None,
) -> None:
    """Show estimated shares and means of the population, with their intervals.

    From the people who answered and predictions for those who were not asked. --all shows the
    classical estimate, from answers alone, and the naive one, from predictions alone, whose
    interval does not hold.

    \b
    Example:
      lupom estimate natspac
      lupom estimate natspac --by SEX --differences
      lupom estimate --all --format csv > estimates.csv
    """
    from lupom.cli.formats import echo

    with open_project(project_dir, target, vars_, compiled=False) as project:
        table = project.estimate(
            question,
            by=by,
            survey=survey,
            differences=differences,
            every=every,
            note=say_note,
        )
    echo(table, form, spreadsheet_safe=spreadsheet_safe)
