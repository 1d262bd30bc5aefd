"""lupom diff."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lupom.cli.options import open_project, project_options

if TYPE_CHECKING:
    from lupom.engine.run.diff import Difference
    from lupom.engine.run.trial import Trial


@click.command()
@click.argument("model")
@click.option(
    "--key", metavar="COLUMNS", help="What makes a row the same row: 'survey,question_id'."
)
@click.option(
    "--prompt",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Ask a sample of an LLM model's rows with this prompt, and show both answers.",
)
@click.option(
    "--sample",
    type=click.IntRange(1),
    default=20,
    show_default=True,
    help="How many rows --prompt asks.",
)
@click.option("--budget", metavar="AMOUNT", help="What --prompt may spend: '$0.50', '20k tokens'.")
@click.option("--limit", type=click.IntRange(0), default=20, help="Rows to print; 0 for all.")
@click.option("--format", "form", type=click.Choice(["table", "csv", "json"]), default="table")
@project_options
def diff(
    model: str,
    key: str | None,
    prompt: Path | None,
    sample: int,
    budget: str | None,
    limit: int,
    form: str,
    project_dir: Path | None,
    target: str | None,
    vars_: str | None,
) -> None:
    """Show the rows of MODEL that would be added, gone or changed if it were built now.

    Nothing is built, and no call is made but with --prompt, which asks a sample of an LLM model's
    rows with another prompt, shows both answers side by side, and says what the other rows would
    cost. Answers are in the ledger afterwards: adopt the prompt, and they are not asked again.

    \b
    Example:
      lupom diff known_responses
      lupom diff persona_values --prompt shorter.jinja --sample 20 --budget '$0.50'
    """
    with open_project(project_dir, target, vars_) as project:
        if prompt is not None:
            _print_trial(
                project.try_prompt(model, prompt, sample=sample, budget=budget),
                limit,
                form,
            )
            return
        columns = [word.strip() for word in key.split(",")] if key else None
        _print_difference(project.diff(model, columns), limit, form)


def _print_difference(found: Difference, limit: int, form: str) -> None:
    from lupom.cli.formats import render
    from lupom.engine.run.spending import said

    rows = [
        [change.kind, *change.key, change.column, _short(change.before), _short(change.after)]
        for change in found.changes
    ]
    shown = rows if form != "table" or not limit else rows[:limit]
    if rows or form != "table":
        click.echo(render(["change", *found.keys, "column", "before", "after"], shown, form))
    if len(shown) < len(rows):
        click.echo(f"... and {len(rows) - len(shown):,} more (--limit 0 shows all)", err=True)
    words = f"{found.added:,} added, {found.gone:,} gone, {found.changed:,} changed"
    click.echo(f"{found.model}: {words}, {found.same:,} the same", err=True)
    if found.columns:
        click.echo(f"Columns: {', '.join(found.columns)}", err=True)
    if found.to_ask:
        assert found.tokens is not None
        money = said(found.tokens, found.cost)
        click.echo(f"{found.to_ask:,} rows are not asked yet: {money}", err=True)


def _print_trial(trial: Trial, limit: int, form: str) -> None:
    from lupom.cli.formats import render
    from lupom.engine.llm import prices
    from lupom.engine.run.spending import said

    rows = [
        [*pair.key, "" if pair.same else "*", _short(pair.before), _short(pair.after)]
        for pair in trial.pairs
    ]
    shown = rows if form != "table" or not limit else rows[:limit]
    click.echo(render([*trial.keys, "differs", "now", "with the prompt"], shown, form))
    same = sum(pair.same for pair in trial.pairs)
    invalid = sum(pair.after is None for pair in trial.pairs)
    tail = f", {invalid} invalid" if invalid else ""
    click.echo(f"{trial.model}: {same} of {len(trial.pairs)} the same{tail}", err=True)
    money = "price unknown" if trial.cost is None else f"${trial.cost:.4f}"
    click.echo(
        f"The sample took {trial.asked} calls, {prices.tokens(trial.tokens)}, {money}.", err=True
    )
    rest = said(trial.rest_tokens, trial.rest_cost)
    click.echo(f"The other {trial.rest:,} rows would take {rest}.", err=True)


def _short(value: Any) -> Any:
    return (
        value
        if value is None or isinstance(value, str | int | float)
        else json.dumps(value, ensure_ascii=False, default=str)
    )
