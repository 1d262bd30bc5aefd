"""lupom import predictions."""

from __future__ import annotations

from pathlib import Path

import click

from lupom.cli.options import pairs

PATH = click.Path(path_type=Path)


@click.command("predictions")
@click.argument("file", type=PATH)
@click.option("--survey", metavar="NAME", help="Whose answers are predicted; one of the project's.")
@click.option("--name", metavar="NAME", help="The seed's name; by default the file's.")
@click.option("--llm", metavar="NAME", help="Who predicted, where rows do not say it.")
@click.option("--setting", metavar="NAME", help="What they were told, where rows do not say it.")
@click.option(
    "--column",
    "columns",
    metavar="ROLE=NAME",
    multiple=True,
    help="The file's column for a role, such as respondent_id=person; may be repeated.",
)
@click.option("--encoding", help="Of a CSV file that is not UTF-8, for instance cp1252.")
@click.option(
    "--project-dir",
    type=click.Path(path_type=Path, file_okay=False),
    help="The project's folder; by default this one or the next above it.",
)
def predictions(
    file: Path,
    survey: str | None,
    name: str | None,
    llm: str | None,
    setting: str | None,
    columns: tuple[str, ...],
    encoding: str | None,
    project_dir: Path | None,
) -> None:
    """Read predictions that were made elsewhere, to be scored and combined like any other.

    FILE is CSV, Excel or Parquet: a row a prediction (respondent_id, question_id, and answer,
    probabilities or number), or a row a respondent and a column a question. What does not fit the
    survey goes to stderr, the files written to stdout. Nothing is asked of any LLM.

    \b
    Example:
      lupom import predictions twins.csv --llm gpt-4.1
      lupom import predictions out.parquet --survey w34 --column respondent_id=QKEY
    """
    from lupom import elsewhere

    imported = elsewhere.import_predictions(
        file,
        project_dir,
        survey=survey,
        name=name,
        llm=llm,
        setting=setting,
        columns=pairs(columns, "--column", "respondent_id=person"),
        encoding=encoding,
    )
    for line in imported.summary():
        click.echo(line, err=True)
    for path in imported.written:
        click.echo(path.relative_to(imported.root).as_posix())
    if imported.named:
        click.echo(f"lupom_project.yml names it under '{elsewhere.VAR}'.", err=True)
    else:
        said = f"'{elsewhere.VAR}: [{imported.name}]'"
        click.echo(f"Put it into lupom_project.yml, under 'vars:': {said}.", err=True)
    click.echo("Next: lupom run --no-llm, or lupom run with the LLMs of the project.", err=True)
