"""lupom ask."""

from __future__ import annotations

from pathlib import Path

import click

from lupom.cli.formats import format_options
from lupom.cli.options import open_project, pairs, project_options, say_note


@click.command()
@click.option("--by", metavar="ATTRIBUTE", help="For each group of an attribute.")
@click.option("--survey", metavar="NAME", help="Of one survey alone.")
@click.option("--all", "every", is_flag=True, help="Other ways to choose, beside the chosen form.")
@click.option(
    "--answer",
    "answers",
    multiple=True,
    metavar="QUESTION=ANSWER",
    help="What a person said: shows what to ask next; may be repeated.",
)
@click.option(
    "--known",
    multiple=True,
    metavar="ATTRIBUTE=VALUE",
    help="What is known of the person besides; may be repeated.",
)
@format_options
@project_options
def ask(
    by: str | None,
    survey: str | None,
    every: bool,
    answers: tuple[str, ...],
    known: tuple[str, ...],
    form: str,
    spreadsheet_safe: bool,
    project_dir: Path | None,
    target: str | None,
    vars_: str | None,
) -> None:
    """Say which questions tell most of the others, or which to ask a person next.

    Questions in the order in which they are best asked, and the log loss of all answers not asked
    for (nll) after each, on people who had no part in the choice. What is asked need not be
    predicted, so a question that nothing tells may come early; where nll is not below nll_before,
    it tells nothing of the others either. --all compares with questions drawn by lot, with the
    least certain ones, and with each person's own.

    \b
    Example:
      lupom ask
      lupom ask --by EDUCATION --format csv
      lupom ask --answer 'absingle=Yes' --known SEX=Female
    """
    from lupom.cli.formats import echo
    from lupom.engine.errors import UsageError

    if (answers or known) and (by or every):
        raise UsageError("--by and --all are of the plan, --answer and --known of one person")
    said, attributes = pairs(answers, "--answer"), pairs(known, "--known")
    with open_project(project_dir, target, vars_, compiled=False) as project:
        if answers or known:
            table = project.next_questions(said, survey=survey, attributes=attributes)
        else:
            table = project.ask(
                survey=survey,
                by=by,
                every=every,
                note=say_note,
            )
    echo(table, form, spreadsheet_safe=spreadsheet_safe)
