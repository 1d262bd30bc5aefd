"""lupom init."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click

PATH = click.Path(path_type=Path)

_README = """# {name}

A LUPoM project on {what}. Tables are models: `models/` has them, `prompts/` what an LLM is
asked, `seeds/` the survey, `lupom_project.yml` the settings.

```sh
lupom setup                             # once: the weights of the embedded LLM
lupom plan                              # what would run, and at what cost
lupom run                               # build it; --no-llm: baselines only
lupom query "select * from metrics"
```
{codebook}"""
_CODEBOOK = """
`{path}` says what each column of {source} is. Edit it, then
`lupom import {again} --survey {survey}`.
"""


@click.command()
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
@click.option("--encoding", help="Of a file that is not UTF-8, for instance cp1252.")
@click.option("--format", metavar="NAME", help="The file's format, where its name does not say it.")
@click.option("--force", is_flag=True, help="Write into a folder that is not empty.")
def init(
    name: Path,
    source: Path | None,
    survey: str | None,
    qsf: Path | None,
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
    from lupom import surveys
    from lupom.engine.project import shipped

    shipped.check_free(name, force=force)
    if source is None:
        headline = "A LUPoM project: the General Social Survey 2018, to try things on."
        readme = _README.format(name=name.name, what="the General Social Survey 2018", codebook="")
        shipped.create(name, headline=headline, readme=readme, force=force)
    else:
        chosen = surveys.survey_name(survey, source)
        try:
            read = surveys.read(source, chosen, qsf=qsf, encoding=encoding, format=format)
        except surveys.Unfit as error:
            # The project is made without the survey's tables, so that there is a codebook to edit.
            _create(name, source, chosen, {"surveys": [chosen]}, book=True, force=force)
            surveys.keep(error, name, chosen)
            error.hint = (
                f"the project {name} is made, but for the survey's tables: in it, edit "
                f"{surveys.codebook_path(Path(), chosen).as_posix()}, then `lupom import "
                f"{os.path.relpath(source, name)} --survey {chosen}`"
            )
            raise
        for line in read.summary():
            click.echo(line, err=True)
        guessed = read.codebook_text is not None
        _create(name, source, chosen, surveys.project_vars(read), book=guessed, force=force)
        surveys.write(read, name)
    click.echo(str(name))
    click.echo("Next:", err=True)
    click.echo(f"  cd {name}", err=True)
    if source is not None and surveys.codebook_path(name, chosen).exists():
        click.echo(f"  review codebooks/{chosen}.codebook.yml: what was guessed", err=True)
    click.echo("  lupom setup       once: the weights of the embedded LLM", err=True)
    click.echo("  lupom run", err=True)


def _create(
    name: Path, source: Path, survey: str, variables: dict[str, Any], *, book: bool, force: bool
) -> None:
    """Make the project of a survey, without its tables."""
    from lupom import surveys
    from lupom.engine.project import shipped

    said = ""
    if book:
        again = os.path.relpath(source, name)
        path = surveys.codebook_path(Path(), survey).as_posix()
        said = _CODEBOOK.format(path=path, source=source.name, again=again, survey=survey)
    shipped.create(
        name,
        leave_out=["seeds/gss_2018"],
        headline=f"A LUPoM project on the survey {survey}.",
        vars={"neighbour_demographics": "all", **variables},
        readme=_README.format(name=name.name, what=f"the survey {survey}", codebook=said),
        force=force,
    )
