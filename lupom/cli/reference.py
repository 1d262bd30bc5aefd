"""The reference of commands as Markdown: python -m lupom.cli.reference > docs/commands.md"""

from __future__ import annotations

import click

from lupom.cli.group import COMMANDS, lupom

_HEAD = """# Commands

Made from the commands' own help by `python -m lupom.cli.reference`; a test compares.

Exit codes: 0 done, 1 something failed, 2 misused (a typing error in a command, file or selector),
3 the budget is reached, 4 calls are out in a batch, 130 stopped by Ctrl-C.
"""


def reference() -> str:
    """Return the help of every command."""
    parts = [_HEAD]
    # As the child of the group, since options of help are inherited from it.
    with lupom.make_context("lupom", ["help"], resilient_parsing=True) as group:
        for name in COMMANDS:
            command = lupom.get_command(group, name)
            assert command is not None
            with click.Context(command, parent=group, info_name=name, terminal_width=80) as context:
                parts.append(f"## lupom {name}\n\n```\n{command.get_help(context)}\n```\n")
                inner = getattr(command, "commands", {})
                for word, sub in inner.items():
                    with click.Context(sub, parent=context, info_name=word) as below:
                        below.terminal_width = 80
                        parts.append(f"## lupom {name} {word}\n\n```\n{sub.get_help(below)}\n```\n")
    return "\n".join(parts)


if __name__ == "__main__":
    click.echo(reference(), nl=False)
