"""lupom explain."""

from __future__ import annotations

from pathlib import Path

import click

from lupom.cli.options import open_project, pairs, project_options


@click.command()
@click.argument("model")
@click.argument("values", nargs=-1, metavar="KEY...")
@click.option(
    "--key", "keys", multiple=True, metavar="COLUMN=VALUE", help="A key column's value, by name."
)
@click.option("--truth", is_flag=True, help="Show held-out tables (guarded tags), too.")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text")
@project_options
def explain(
    model: str,
    values: tuple[str, ...],
    keys: tuple[str, ...],
    truth: bool,
    form: str,
    project_dir: Path | None,
    target: str | None,
    vars_: str | None,
) -> None:
    """Say where one answer of an LLM comes from: prompt, call, cost, attempts, and what went in.

    KEY are values of the model's key columns, in any order; enough of them to name one row. Where
    they fit several rows, those are listed. Nothing is asked.

    \b
    Example:
      lupom explain prediction_answers 1725 nateduc everything
      lupom explain prediction_answers --key respondent_id=1725 --key question_id=nateduc
      lupom explain persona_values 1725 --format json
    """
    import json

    named = pairs(keys, "--key", "respondent_id=1234")
    with open_project(project_dir, target, vars_) as project:
        found = project.explain(model, *values, truth=truth, **named)
    if form == "json":
        click.echo(json.dumps(found.to_dict(), indent=1, ensure_ascii=False, default=str))
    else:
        click.echo(found.as_text())
