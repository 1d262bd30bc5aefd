"""lupom ledger."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from lupom.cli.options import open_project, project_options

if TYPE_CHECKING:
    from lupom.engine.state.transfer import Transfer


@click.group()
def ledger() -> None:
    """Take answers from one ledger to another.

    A call's key is the hash of what decides its answer, so two ledgers are united without a doubt:
    an answer wins over none, what is known stays, and doing it again changes nothing. Embeddings
    go with the calls; runs stay where they were made.

    \b
    Example:
      lupom ledger merge dev --target team
    """


@ledger.command()
@click.argument("other")
@project_options
def merge(other: str, project_dir: Path | None, target: str | None, vars_: str | None) -> int:
    """Take in what another ledger has; the other stays as it is.

    OTHER is a target of this project, another project's folder, a state.db, or the URL of a
    database (its password by PGPASSWORD or ~/.pgpass).

    \b
    Example:
      lupom ledger merge ../colleague
      lupom ledger merge dev --target team
    """
    with open_project(project_dir, target, vars_) as project:
        done = project.merge_ledger(other)
    _told(done)
    return 0


@ledger.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@project_options
def export(file: Path, project_dir: Path | None, target: str | None, vars_: str | None) -> int:
    """Write the ledger to FILE: .parquet (small, typed, for archives and other tools) or .jsonl.

    It holds what LLMs answered, and texts of respondents where answers quote them.

    \b
    Example:
      lupom ledger export answers.parquet
    """
    with open_project(project_dir, target, vars_) as project:
        done = project.export_ledger(file)
    click.echo(f"{file}: {done.total:,} calls and embeddings.", err=True)
    return 0


@ledger.command("import")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@project_options
def import_(file: Path, project_dir: Path | None, target: str | None, vars_: str | None) -> int:
    """Take in what FILE has, as `lupom ledger export` wrote it.

    Each row is checked, and one that is not right is left out and told; exit code 1 then. What a
    row says an LLM answered is believed: take files from people you trust.

    \b
    Example:
      lupom ledger import answers.parquet
    """
    with open_project(project_dir, target, vars_) as project:
        done = project.import_ledger(file)
    _told(done)
    if not done.total:
        click.echo(f"{file} has no rows.", err=True)
    for reason in done.reasons:
        click.echo(f"  {reason}", err=True)
    if done.refused > len(done.reasons):
        click.echo(f"  and {done.refused - len(done.reasons):,} more", err=True)
    return 1 if done.refused else 0


def _told(done: Transfer) -> None:
    words = [
        f"{done.new:,} new",
        f"{done.replaced:,} in the place of what had no answer",
        f"{done.known:,} known",
    ]
    words += [f"{done.refused:,} refused"] if done.refused else []
    click.echo(f"{done.total:,} calls and embeddings: {', '.join(words)}.", err=True)
