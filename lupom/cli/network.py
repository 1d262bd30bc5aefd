"""lupom network."""

from __future__ import annotations

from pathlib import Path

import click

from lupom.cli.formats import FORMATS
from lupom.cli.options import open_project, project_options


@click.command()
@click.option(
    "--given",
    multiple=True,
    metavar="DIMENSION=VALUE",
    help="What is known of a person; may be repeated.",
)
@click.option(
    "--show", multiple=True, metavar="DIMENSION", help="Only this dimension; may be repeated."
)
@click.option("--survey", metavar="NAME", help="Where the project has several.")
@click.option("--network", metavar="NAME", help="A row of persona_networks; else the one in use.")
@click.option(
    "--format",
    "form",
    type=click.Choice([*FORMATS, "bif", "xmlbif"]),
    default="table",
    show_default=True,
    help="bif and xmlbif are the whole network, for other programs.",
)
@project_options
def network(
    given: tuple[str, ...],
    show: tuple[str, ...],
    survey: str | None,
    network: str | None,
    form: str,
    project_dir: Path | None,
    target: str | None,
    vars_: str | None,
) -> None:
    """Say how likely the values of a persona are, given some of them.

    By exact inference in the fitted persona network. `prior` is the probability without what is
    given. A dimension goes by its name or its id.

    \b
    Example:
      lupom network --given 'Trust in institutions=high' --show 'Political leaning'
      lupom network --survey w34 --network bic --format csv
      lupom network --format bif > personas.bif
    """
    from lupom.cli.formats import echo
    from lupom.engine.errors import UsageError
    from lupom.networks import FORMS, ask_network, write_network

    pairs = []
    for pair in given:
        dimension, equals, value = pair.partition("=")
        if not equals:
            raise UsageError(f"--given {pair}: no '='", hint="--given 'Trust in science=high'")
        pairs.append((dimension.strip(), value.strip()))
    if form in FORMS and (given or show):
        raise UsageError(f"--format {form} is the whole network; leave out --given and --show")
    with open_project(project_dir, target, vars_, compiled=False) as project:
        if form in FORMS:
            click.echo(
                write_network(project.context, form, survey=survey, network=network), nl=False
            )
            return
        table = ask_network(project.context, pairs, show, survey=survey, network=network)
    echo(table, form)
