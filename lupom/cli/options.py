"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from lupom.engine.errors import UsageError

if TYPE_CHECKING:
    from lupom.engine.workspace import Project

F = TypeVar("F", bound=Callable[..., Any])


def project_options(command: F) -> F:
    """Add --project-dir, --target and --vars."""
    for option in (
        click.option("--vars", "vars_", metavar="YAML", help="Vars over the project's: 'seed: 7'."),
        click.option("-t", "--target", help="Target (store) of lupom_project.yml."),
        click.option(
            "--project-dir",
            type=click.Path(path_type=Path, file_okay=False),
            help="The project's folder; by default this one or the next above it.",
        ),
    ):
        command = option(command)
    return command


_SELECTORS = ("-s", "--select", "-m", "--models", "-x", "--exclude")


class SelectingCommand(click.Command):
    """A command whose --select and --exclude take several words, as in dbt: --select a b+ c."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        spread: list[str] = []
        option: str | None = None
        words = 0
        for word in args:
            if word.startswith("-"):
                option, words = (word, 0) if word in _SELECTORS else (None, 0)
            elif option is not None:
                words += 1
                if words > 1:
                    spread.append(option)
            spread.append(word)
        return super().parse_args(ctx, spread)


def selection_options(command: F) -> F:
    """Add --select and --exclude."""
    for option in (
        click.option("-x", "--exclude", multiple=True, metavar="SELECTOR", help="Leave out nodes."),
        click.option(
            "-s",
            "--select",
            "-m",
            "--models",
            multiple=True,
            metavar="SELECTOR",
            help="Nodes: names, +parents, children+, tag:x, path:models/staging, a,b for both.",
        ),
    ):
        command = option(command)
    return command


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
        click.option("--threads", type=click.IntRange(1), help="Nodes at a time."),
    ):
        command = option(command)
    return command


def open_project(project_dir: Path | None, target: str | None, vars_: str | None) -> Project:
    """Open the project that the options name; its warnings go to stderr."""
    from lupom.engine.workspace import Project

    project = Project(project_dir, target=target, vars=parse_vars(vars_))
    for warning in project.warnings:
        click.echo(click.style("Warning: ", fg="yellow") + warning, err=True)
    return project


def parse_vars(text: str | None) -> dict[str, Any]:
    """Read --vars, a YAML mapping; raises UsageError for anything else."""
    if not text:
        return {}
    import yaml

    try:
        values = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise UsageError(f"--vars is not valid YAML: {text}", hint="--vars 'seed: 7'") from error
    if isinstance(values, str) and ":" in values:
        raise UsageError(
            f"--vars is not a mapping: {text}", hint="a space after the colon: 'seed: 7'"
        )
    if not isinstance(values, dict):
        raise UsageError(f"--vars is not a mapping: {text}", hint="--vars 'seed: 7'")
    return {str(name): value for name, value in values.items()}
