"""lupom import."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import click

from lupom.cli.import_predictions import predictions

PATH = click.Path(path_type=Path)


class Import(click.Command):
    """The command for surveys, which hands `import predictions FILE` on to the one for those."""

    commands: ClassVar[dict[str, click.Command]] = {"predictions": predictions}

    def make_context(
        self,
        info_name: str | None,
        args: list[str],
        parent: click.Context | None = None,
        **extra: Any,
    ) -> click.Context:
        # Alone, `import predictions` is a file of that name.
        command = self.commands.get(args[0]) if len(args) > 1 else None
        if command is None:
            return super().make_context(info_name, args, parent, **extra)
        return command.make_context(f"{info_name} {args[0]}", args[1:], parent, **extra)


@click.command("import", cls=Import)
@click.argument("file", type=PATH)
@click.option("--survey", metavar="NAME", help="The survey's name; by default the file's.")
@click.option("--qsf", type=PATH, help="The definition of a Qualtrics survey, for its CSV export.")
@click.option(
    "--codebook",
    type=PATH,
    help="What the columns and codes mean: SPSS or Stata syntax, a REDCap data dictionary, a table "
    "of variables, a text, an XLSForm, DDI. By default one that plainly stands beside the file.",
)
@click.option("--no-codebook", is_flag=True, help="Read no codebook that stands beside the file.")
@click.option("--encoding", help="Of a file that is not UTF-8, for instance cp1252.")
@click.option("--format", metavar="NAME", help="The file's format, where its name does not say it.")
@click.option(
    "--numbers", is_flag=True, help="Guess that numbers are predicted as numbers, not as ranges."
)
@click.option("--guess", is_flag=True, help="Guess anew, over the codebook that is there.")
@click.option(
    "--project-dir",
    type=click.Path(path_type=Path, file_okay=False),
    help="The project's folder; by default this one or the next above it.",
)
def import_(
    file: Path,
    survey: str | None,
    qsf: Path | None,
    codebook: Path | None,
    no_codebook: bool,
    encoding: str | None,
    format: str | None,
    numbers: bool,
    guess: bool,
    project_dir: Path | None,
) -> None:
    """Read a survey's file into seeds, by a codebook that is guessed first and yours to edit.

    FILE is SPSS (.sav, .zsav), Stata (.dta), CSV, Excel (.xlsx), Parquet, a Qualtrics export, a
    folder of info.csv, responses.csv and metadata.csv, or in a format that an installed package
    adds. What was guessed goes to stderr, the files written to stdout. Edit
    codebooks/NAME.codebook.yml and import again: what stands there is done.

    Predictions that were made elsewhere are read by `lupom import predictions FILE`.

    \b
    Example:
      lupom import W34.sav --survey w34
      lupom import answers.csv --qsf survey.qsf
      lupom import data.csv --codebook codebook.txt
      lupom import staff.xlsx --survey staff --guess
    """
    from lupom import surveys
    from lupom.engine.errors import UsageError
    from lupom.engine.project.discovery import read_project

    if codebook is not None and no_codebook:
        raise UsageError("--codebook and --no-codebook exclude each other")
    imported = surveys.import_survey(
        file,
        project_dir,
        survey=survey,
        qsf=qsf,
        encoding=encoding,
        guess=guess,
        format=format,
        numbers=numbers,
        codebook=codebook,
        beside=not no_codebook,
    )
    root, read, name = imported.root, imported.survey, imported.survey.name
    for line in read.summary():
        click.echo(line, err=True)
    for path in imported.written:
        click.echo(path.relative_to(root).as_posix())
    if read.codebook_text is not None:
        click.echo("Next: review the codebook, and import again if you edit it.", err=True)
    variables = read_project(root).vars
    known = variables.get("surveys")
    if isinstance(known, list) and name not in known:
        listed = ", ".join(map(str, [*known, name]))
        click.echo(f"Then put it into lupom_project.yml, 'surveys: [{listed}]'.", err=True)
    compared = variables.get("neighbour_demographics")
    if isinstance(compared, list) and not set(compared) <= read.layout.attributes.keys():
        click.echo("It lacks some of 'neighbour_demographics': set that to 'all' there.", err=True)
