"""lupom setup."""

from __future__ import annotations

import click


@click.command()
def setup() -> None:
    """Fetch and prepare the weights of the embedded LLM (98 MB, once per user).

    \b
    Example:
      lupom setup
    """
    from lupom.engine.llm.weights import setup as prepare

    click.echo(str(prepare(lambda message: click.echo(message, err=True))))
