"""lupom completion."""

from __future__ import annotations

import click


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the script that makes a shell complete commands, options, models and selectors.

    \b
    Example:
      lupom completion bash > ~/.local/share/bash-completion/completions/lupom
    """
    from click.shell_completion import get_completion_class

    from lupom.cli.group import lupom

    kind = get_completion_class(shell)
    assert kind is not None  # the choice above has no others
    made = kind(lupom, {}, "lupom", "_LUPOM_COMPLETE")
    click.echo(made.source_template % made.source_vars())
