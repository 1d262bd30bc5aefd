"""lupom predict."""

from __future__ import annotations

from pathlib import Path

import click

from lupom.cli.formats import format_options
from lupom.cli.options import open_project, project_options, say_note, uncollected


@click.command()
@click.argument("file", type=click.Path(path_type=Path, allow_dash=True))
@click.option("--survey", metavar="NAME", help="Where the project has several.")
@click.option(
    "--question",
    "questions",
    multiple=True,
    metavar="QUESTION",
    help="Only this question; may be repeated.",
)
@click.option("--all", "every", is_flag=True, help="Each predictor's own, not the combination's.")
@click.option("--encoding", help="Of a file that is not UTF-8, for instance cp1252.")
@click.option(
    "--input-format", metavar="NAME", help="FILE's format, where its name does not say it."
)
@format_options
@project_options
def predict(
    file: Path,
    survey: str | None,
    questions: tuple[str, ...],
    every: bool,
    encoding: str | None,
    input_format: str | None,
    form: str,
    spreadsheet_safe: bool,
    project_dir: Path | None,
    target: str | None,
    vars_: str | None,
) -> None:
    """Predict people who were not there, by what is fitted; nothing is built.

    FILE has a row a person, and is what `lupom import` reads: CSV, Excel, Parquet, SPSS, Stata; '-'
    is a CSV from stdin. Columns are named as questions and attributes, or as in the file that was
    imported; cells are texts or codes, blank where nothing is known. respondent_id, or the column
    that had the ids, names people. What the import takes for no answer is blank. Columns of which
    nothing is known are named on stderr. What a person answered is not predicted. `options` are
    those among which the answer is nine times in ten. A question that the person's answers rule out
    has no answer, and `ruled_out_by` says why; `asked` is the probability that one is asked at all.

    \b
    Example:
      lupom predict people.csv
      lupom predict wave2.sav --format csv > predicted.csv
      lupom predict people.csv --question natheal
    """
    import sys

    from lupom.cli.formats import echo

    with uncollected():
        with open_project(project_dir, target, vars_, compiled=False) as project:
            table = project.predict(
                sys.stdin.buffer if str(file) == "-" else file,
                survey=survey,
                questions=questions,
                every=every,
                encoding=encoding,
                format=input_format,
                note=say_note,
            )
        echo(table, form, spreadsheet_safe=spreadsheet_safe)
