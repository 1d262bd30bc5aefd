"""lupom export."""

from __future__ import annotations

from pathlib import Path

import click

from lupom.cli.formats import spreadsheet_option
from lupom.cli.options import open_project, project_options


@click.command()
@click.argument("models", nargs=-1, required=True, metavar="MODEL...")
@click.option(
    "--format",
    "form",
    type=click.Choice(["parquet", "csv", "sav", "dta", "jsonl"]),
    default="parquet",
    help="What to write.",
)
@click.option(
    "--to",
    metavar="FOLDER",
    default="export",
    show_default=True,
    help="A folder, or s3://bucket/prefix.",
)
@spreadsheet_option
@click.option("--endpoint-url", help="An S3 endpoint other than AWS's own.")
@project_options
def export(
    models: tuple[str, ...],
    form: str,
    to: str,
    spreadsheet_safe: bool,
    endpoint_url: str | None,
    project_dir: Path | None,
    target: str | None,
    vars_: str | None,
) -> None:
    """Write built models to files, each MODEL to MODEL.FORMAT; prints where they are.

    `personas` has a row per respondent and dimension, `personas_wide` one per respondent. Columns
    have labels in sav (SPSS) and dta (Stata). Lists and maps are JSON text there and in csv. What a
    respondent wrote may begin like a formula: with --spreadsheet-safe no spreadsheet runs it. S3's
    credentials are found by AWS's own rules.

    \b
    Example:
      lupom export personas_wide predictions --format sav --to results
    """
    with open_project(project_dir, target, vars_) as project:
        for written in project.export(
            models, form, to, endpoint_url=endpoint_url, spreadsheet_safe=spreadsheet_safe
        ):
            click.echo(f"{written.rows:,} rows of {written.model}", err=True)
            click.echo(written.address)
