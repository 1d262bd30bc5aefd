"""The `lupom` group: finds commands, imports the one that is asked for, prints errors."""

from __future__ import annotations

import importlib
import sys
from typing import Any

import click

from lupom.engine.errors import LupomError, did_you_mean
from lupom.engine.logs import CLIENTS, quieten
from lupom.version import __version__

# Command -> (module, one line). The lines stand here so that `lupom --help` imports no command.
COMMANDS: dict[str, tuple[str, str]] = {
    "init": ("init", "Make a project, with your survey or one to try."),
    "import": ("import_", "Read a survey's file into seeds, or predictions of it made elsewhere."),
    "run": ("run", "Build what is stale: seeds, SQL, Python and LLM models."),
    "build": ("build", "Run models and their data tests, in the order of the graph."),
    "test": ("test", "Run data tests on what is built."),
    "plan": ("plan", "Say what a run would do, why, and at what cost; no call is made."),
    "diff": ("diff", "Compare a model as it would be now with what stands."),
    "retry": ("retry", "Do again what failed in the last run or has no valid answer."),
    "seed": ("run", "Load CSV seeds."),
    "ls": ("ls", "List the project's nodes."),
    "compile": ("compile", "Show the SQL and the rendered prompts of models."),
    "show": ("show", "Show the first rows of a model."),
    "explain": ("explain", "Say where one answer of an LLM comes from."),
    "estimate": ("estimate", "Show estimated shares and means of the population."),
    "ask": ("ask", "Say which questions tell most of the others, or which to ask next."),
    "predict": ("predict", "Predict people who were not there, by what is fitted."),
    "network": ("network", "Say how likely the values of a persona are, given some of them."),
    "report": ("report", "Write one page on how good the predictions are."),
    "export": ("export", "Write models to Parquet, CSV, JSON lines or SPSS files."),
    "query": ("query", "Run SQL on the store, read-only."),
    "store": ("store", "List and expire snapshots of a lake, copy between targets."),
    "docs": ("docs", "Make pages of the project, to show and to explore, and serve them."),
    "worker": ("worker", "Ask the LLM calls of runs that leave them to workers."),
    "ledger": ("ledger", "Take answers from one ledger to another: merge, export, import."),
    "source": ("source", "Check how fresh the sources are."),
    "setup": ("setup", "Fetch and prepare the weights of the embedded LLM."),
    "debug": ("debug", "Check versions, project, store and LLMs."),
    "completion": ("completion", "Print the shell's completion script."),
    "clean": ("clean", "Delete target/ (artifacts and caches)."),
}


class LazyGroup(click.Group):
    """A group whose commands are imported when they are called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"lupom.cli.{COMMANDS[cmd_name][0]}")
        command = getattr(module, "import_" if cmd_name == "import" else cmd_name)
        assert isinstance(command, click.Command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0] if args else ""
        if name and not name.startswith("-") and name not in COMMANDS:
            hint = did_you_mean(name, COMMANDS)
            raise click.UsageError(
                f"No such command '{name}'." + (f" {_cap(hint)}" if hint else "")
            )
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in COMMANDS.items()])


def _cap(text: str) -> str:
    return text[:1].upper() + text[1:]


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, message="lupom %(version)s")
def lupom() -> None:
    """LUPoM: predict how a person will answer a survey question.

    A project is a folder with lupom_project.yml; its models become tables of a DuckDB file.

    \b
    Example:
      lupom plan                        what would run, and what it would cost
      lupom run                         build it
      lupom run --select persona_values+
      lupom query "select * from leaderboard"
    """


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit with its code.

    0 (done), 1 (failed), 2 (misused), 3 (the budget is reached), 4 (calls are out in a batch), 130
    (stopped).
    """
    quieten(*CLIENTS)
    try:
        code: Any = lupom.main(args=arguments, prog_name="lupom", standalone_mode=False)
    except click.exceptions.Abort:
        click.echo("Stopped.", err=True)
        sys.exit(130)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except click.exceptions.Exit as error:
        sys.exit(error.exit_code)
    except LupomError as error:
        click.echo(click.style("Error: ", fg="red", bold=True) + str(error), err=True)
        sys.exit(error.exit_code)
    except BrokenPipeError:
        # The reader of our output has gone (`lupom query ... | head`): that is not an error.
        sys.stderr.close()
        sys.exit(0)
    except OSError as error:
        # A folder that may not be written, a full disk: the machine's affair, and no traceback.
        if error.strerror is None or error.filename is None:
            raise
        text = f"{error.filename}: {error.strerror}"
        click.echo(click.style("Error: ", fg="red", bold=True) + text, err=True)
        sys.exit(1)
    sys.exit(code if isinstance(code, int) else 0)
