"""lupom init."""

from __future__ import annotations

from pathlib import Path

import click

PATH = click.Path(path_type=Path)


class _Init(click.Command):
    """A command whose second argument is most likely the survey."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        given = list(args)
        try:
            return super().parse_args(ctx, args)
        except click.UsageError as error:
            said = error.format_message()
            second = next((one for one in given if said.endswith(f"argument ({one})")), None)
            first = next((one for one in given if one in said and Path(one).is_file()), None)
            if second is not None:
                meant = f"--from {second}"
            elif first is not None:
                meant = f"{Path(first).stem} --from {first}"
            else:
                raise
            raise click.UsageError(f"{said.rstrip('.')}. Did you mean '{meant}'?", ctx) from error


@click.command(cls=_Init)
@click.argument("name", type=click.Path(path_type=Path, file_okay=False))
@click.option(
    "--from",
    "source",
    type=PATH,
    help="Your survey: a file `lupom import` reads, or a folder of info.csv, responses.csv and "
    "metadata.csv. Without it the project has a survey to try, GSS 2018.",
)
@click.option("--survey", metavar="NAME", help="The survey's name; by default the file's.")
@click.option("--qsf", type=PATH, help="The definition of a Qualtrics survey, for its CSV export.")
@click.option(
    "--codebook", type=PATH, help="What its columns and codes mean, as `lupom import` takes it."
)
@click.option("--no-codebook", is_flag=True, help="Read no codebook that stands beside the file.")
@click.option("--encoding", help="Of a file that is not UTF-8, for instance cp1252.")
@click.option("--format", metavar="NAME", help="The file's format, where its name does not say it.")
@click.option("--force", is_flag=True, help="Write into a folder that is not empty.")
def init(
    name: Path,
    source: Path | None,
    survey: str | None,
    qsf: Path | None,
    codebook: Path | None,
    no_codebook: bool,
    encoding: str | None,
    format: str | None,
    force: bool,
) -> None:
    """Make a project in the folder NAME: the models and prompts of LUPoM's own, and a survey.

    It runs at once, on the embedded LLM. A folder that is not empty is left as it is, unless
    --force says otherwise; then files of the same names are written over, and no others.

    \b
    Example:
      lupom init demo
      lupom init staff --from staff-survey.xlsx
      lupom init w34 --from W34.sav --survey w34
    """
    import lupom

    made = lupom.init(
        name,
        source,
        survey=survey,
        qsf=qsf,
        encoding=encoding,
        force=force,
        format=format,
        codebook=codebook,
        beside=not no_codebook,
    )
    if made.survey is not None:
        for line in made.survey.summary():
            click.echo(line, err=True)
    click.echo(str(name))
    click.echo("Next:", err=True)
    click.echo(f"  cd {name}", err=True)
    if made.codebook is not None:
        click.echo(f"  review {made.codebook.as_posix()}: what was guessed", err=True)
    click.echo("  lupom setup       once: the weights of the embedded LLM", err=True)
    click.echo("  lupom run", err=True)
