"""Options that several commands share."""

from __future__ import annotations

import gc
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from lupom.engine.errors import UsageError

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from lupom.project import Project

F = TypeVar("F", bound=Callable[..., Any])


def project_options(command: F) -> F:
    """Add --project-dir, --target and --vars."""
    for option in (
        click.option(
            "--vars",
            "vars_",
            multiple=True,
            callback=_together,
            metavar="YAML",
            help="Vars over the project's: 'seed: 7'; may be repeated.",
        ),
        click.option("-t", "--target", help="Target (store) of lupom_project.yml."),
        click.option(
            "--project-dir",
            type=click.Path(path_type=Path, file_okay=False),
            help="The project's folder; by default this one or the next above it.",
        ),
    ):
        command = option(command)
    return command


def offline_option(command: F) -> F:
    """Add --offline."""
    return click.option(
        "--offline",
        is_flag=True,
        help="Take the copies of S3 sources that are here; ask nobody whether they changed.",
    )(command)


_STATE, _DEFER, _FORMAT = "lupom.state", "lupom.defer", "lupom.log_format"
_SELECTORS = ("-s", "--select", "-m", "--models", "-x", "--exclude")


class SelectingCommand(click.Command):
    """A command whose --select and --exclude take several words, as in dbt: --select a b+ c."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        spread: list[str] = []
        option: str | None = None
        words = 0
        for word in _named_selectors(args):
            if word.startswith("-"):
                option, words = (word, 0) if word in _SELECTORS else (None, 0)
            elif option is not None:
                words += 1
                if words > 1:
                    spread.append(option)
            spread.append(word)
        return super().parse_args(ctx, spread)


def complete_names(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Return names of nodes and folders that complete what is typed.

    Names come from the files as they are named: a project that does not compile completes too.
    """
    from click.shell_completion import CompletionItem

    from lupom.engine.project.discovery import read_project

    try:
        files = read_project(ctx.params.get("project_dir"))
    except Exception:  # a shell waits for words, and an error has no place there
        return []
    head = incomplete[: len(incomplete) - len(incomplete.lstrip("+@"))]
    stems = {path.rsplit("/", 1)[-1].rsplit(".", 1)[0] for path in [*files.models, *files.seeds]}
    words = [*sorted(stems), *(f"path:{folder}" for folder in _folders(files.models))]
    return [
        CompletionItem(head + word) for word in words if word.startswith(incomplete[len(head) :])
    ]


def _folders(paths: list[str]) -> list[str]:
    return sorted({path.rsplit("/", 1)[0] for path in paths if "/" in path})


def _named_selectors(args: list[str]) -> list[str]:
    """Write `--selector x` as what it stands for: `--select selector:x`."""
    out: list[str] = []
    taken = False
    for word in args:
        if taken:
            out[-1:] = ["--select", f"selector:{word}"]
        elif word.startswith("--selector="):
            out += ["--select", "selector:" + word.removeprefix("--selector=")]
        else:
            out.append(word)
        taken = not taken and word == "--selector"
    return out


def _remember_state(ctx: click.Context, _: click.Parameter, value: Path | None) -> None:
    ctx.meta[_STATE] = value


def _remember_defer(ctx: click.Context, _: click.Parameter, value: str | None) -> None:
    ctx.meta[_DEFER] = value


def selection_options(command: F) -> F:
    """Add --select, --exclude, --selector, --state and --defer."""
    for option in (
        click.option(
            "--defer",
            metavar="TARGET",
            expose_value=False,
            callback=_remember_defer,
            help="Read what is neither selected nor built from the store of another target.",
        ),
        click.option(
            "--state",
            type=click.Path(path_type=Path, file_okay=False),
            expose_value=False,
            callback=_remember_state,
            help="Earlier artifacts that state: and result: compare with, instead of the store.",
        ),
        click.option(
            "--selector",
            expose_value=False,
            metavar="NAME",
            help="A selection of selectors.yml; the same as --select selector:NAME.",
        ),
        click.option(
            "-x",
            "--exclude",
            multiple=True,
            metavar="SELECTOR",
            shell_complete=complete_names,
            help="Leave out nodes.",
        ),
        click.option(
            "-s",
            "--select",
            "-m",
            "--models",
            multiple=True,
            metavar="SELECTOR",
            shell_complete=complete_names,
            help="Nodes: names, +parents, children+, tag:x, path:models/staging, a,b for both.",
        ),
    ):
        command = option(command)
    return command


def log_options(command: F) -> F:
    """Add --log-format, of commands that report as they go."""
    return click.option(
        "--log-format",
        type=click.Choice(["text", "json"]),
        default="text",
        envvar="LUPOM_LOG_FORMAT",
        expose_value=False,
        callback=_remember_format,
        help="json: one object a line, for programs. Also LUPOM_LOG_FORMAT.",
    )(command)


def log_format() -> str:
    """Return what --log-format says in the command that runs."""
    context = click.get_current_context(silent=True)
    return "text" if context is None else str(context.meta.get(_FORMAT, "text"))


def _remember_format(ctx: click.Context, _: click.Parameter, value: str) -> None:
    ctx.meta[_FORMAT] = value


def run_options(command: F) -> F:
    """Add the options of how a run goes about it: threads, --no-llm, --budget and the like."""
    for option in (
        click.option(
            "--budget",
            metavar="AMOUNT",
            help="What the run may spend: '$2.50', '500k tokens', or both with a comma.",
        ),
        click.option("--retry-invalid", is_flag=True, help="Ask again what had no valid answer."),
        click.option(
            "--no-llm", is_flag=True, help="Make LLM models empty tables, or leave what stands."
        ),
        click.option("--fail-fast", is_flag=True, help="Stop at the first node that fails."),
        click.option(
            "-f",
            "--full-refresh",
            is_flag=True,
            help="Build everything selected anew; LLM answers still come from the ledger.",
        ),
        click.option(
            "--threads",
            type=click.IntRange(1),
            help="Nodes at a time; 4 by default, of which one computes, long ones one a core.",
        ),
    ):
        command = option(command)
    return command


@contextmanager
def uncollected() -> Iterator[None]:
    """Look for no circles of objects that nothing uses: a tenth of the CPU of a short command."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


def open_project(
    project_dir: Path | None, target: str | None, vars_: str | None, *, compiled: bool = True
) -> Project:
    """Open the project that the options name; its warnings go to stderr.

    A command that only reads tables that stand needs no models `compiled`, nor what warnings say.
    """
    from lupom.project import Project

    context = click.get_current_context(silent=True)
    meta = {} if context is None else context.meta
    project = Project(
        project_dir,
        target=target,
        vars=parse_vars(vars_),
        state=meta.get(_STATE),
        defer=meta.get(_DEFER),
        compiled=compiled,
    )
    if not compiled:
        return project
    for warning in project.warnings:
        click.echo(click.style("Warning: ", fg="yellow") + warning, err=True)
    return project


def _together(ctx: click.Context, _: click.Parameter, given: tuple[str, ...]) -> str | None:
    """Return --vars of several places as one; raises UsageError for a var that is in two."""
    if len(given) < 2:
        return given[0] if given else None
    out: dict[str, Any] = {}
    for text in given:
        for name, value in parse_vars(text).items():
            if name in out:
                raise UsageError(f"--vars gives '{name}' twice: {out[name]} and {value}")
            out[name] = value
    return json.dumps(out, default=str)


def say_note(text: str) -> None:
    """Say beside the data, on stderr, what is to be known of it."""
    click.echo(f"note: {text}", err=True)


def pairs(words: Sequence[str], option: str, example: str = "NAME=VALUE") -> dict[str, str]:
    """Return words such as 'NAME=VALUE' by name.

    Raises UsageError, naming the option, for one without '=' and for a name that is there twice.
    """
    out: dict[str, str] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals:
            raise UsageError(f"{option} {word}: no '='", hint=f"{option} '{example}'")
        name, value = name.strip(), value.strip()
        if name in out:
            raise UsageError(f"{option} {name} is given twice: {out[name]} and {value}")
        out[name] = value
    return out


def parse_vars(text: str | None) -> dict[str, Any]:
    """Read --vars, a YAML mapping; raises UsageError for anything else."""
    if not text:
        return {}
    import yaml

    class Loader(yaml.SafeLoader):
        """YAML itself takes the last of two values of a key."""

        def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
            found = [self.construct_object(key, deep=True) for key, _ in node.value]
            twice = next((key for key in found if found.count(key) > 1), None)
            if twice is not None:
                raise UsageError(f"--vars gives '{twice}' twice: {text}")
            return super().construct_mapping(node, deep)

    try:
        values = yaml.load(text, Loader=Loader)
    except yaml.YAMLError as error:
        raise UsageError(f"--vars is not valid YAML: {text}", hint="--vars 'seed: 7'") from error
    if isinstance(values, str) and ":" in values:
        raise UsageError(
            f"--vars is not a mapping: {text}", hint="a space after the colon: 'seed: 7'"
        )
    if not isinstance(values, dict):
        raise UsageError(f"--vars is not a mapping: {text}", hint="--vars 'seed: 7'")
    return {str(name): value for name, value in values.items()}
