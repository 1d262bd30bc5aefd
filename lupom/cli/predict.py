"""lupom predict."""

from __future__ import annotations

from pathlib import Path

import click

from lupom.cli.formats import format_options
from lupom.cli.options import open_project, project_options


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--survey", metavar="NAME", help="Where the project has several.")
@click.option(
    "--question",
    "questions",
    multiple=True,
    metavar="QUESTION",
    help="Only this question; may be repeated.",
)
@click.option("--all", "every", is_flag=True, help="Each predictor's own, not the combination's.")
@format_options
@project_options
def predict(
    file: Path,
    survey: str | None,
    questions: tuple[str, ...],
    every: bool,
    form: str,
    spreadsheet_safe: bool,
    project_dir: Path | None,
    target: str | None,
    vars_: str | None,
) -> None:
    """Predict people who were not there, by what is fitted; nothing is built.

    FILE is CSV or Parquet, a row a person: respondent_id, and columns named as questions and
    attributes (in any case), blank where nothing is known; other columns are named on stderr. What
    a person answered is not predicted. `options` are those among which the answer is nine times in
    ten.

    \b
    Example:
      lupom predict people.csv
      lupom predict people.csv --question natheal --format csv > predicted.csv
    """
    from lupom.cli.formats import render

    with open_project(project_dir, target, vars_) as project:
        table = project.predict(
            file,
            survey=survey,
            questions=questions,
            every=every,
            note=lambda text: click.echo(f"note: {text}", err=True),
        )
    click.echo(render(table.columns, table.rows(), form, spreadsheet_safe=spreadsheet_safe))
