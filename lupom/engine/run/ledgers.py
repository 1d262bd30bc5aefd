"""Ledgers of a project taken from one place to another: `lupom ledger`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from lupom.engine.errors import UsageError, did_you_mean

if TYPE_CHECKING:
    from lupom.engine.run.context import Context
    from lupom.engine.state import Location
    from lupom.engine.state.transfer import Transfer


def merge(context: Context, other: str | Path) -> Transfer:
    """Take in what another ledger has, which stays as it is.

    `other` is a target of this project, another project's folder, a state database's file, or the
    URL of one. Raises UsageError where there is none, StateError where it cannot be opened.
    """
    from lupom.engine.state.transfer import merge_from

    return merge_from(context.state, _place(context, str(other)))


def export(context: Context, path: Path) -> Transfer:
    """Write the ledger to a file, Parquet or JSON lines by its ending."""
    from lupom.engine.state.transfer import export

    return export(context.state, path)


def import_(context: Context, path: Path) -> Transfer:
    """Take in what a file has that `export` wrote; each row is checked."""
    from lupom.engine.state.transfer import import_file

    return import_file(context.state, path)


def _place(context: Context, other: str) -> Location:
    from dataclasses import replace

    from lupom.engine.run.opening import state_of
    from lupom.engine.state.location import file_of, location_of

    files = context.files
    own = file_of(files.state_folder / "state.db")
    if "://" in other:
        return location_of(other, Path.cwd())
    if other in files.settings.targets:
        target = files.settings.targets[other]
        return state_of(replace(files, target_name=other, target=target)) or own
    path = Path(other).expanduser().resolve()
    for file in (path / ".lupom" / "state.db", path / "state.db", path):
        if file.is_file():
            return file_of(file)
    raise UsageError(
        f"there is no ledger at {other}",
        hint=did_you_mean(other, files.settings.targets)
        or "a target, a project's folder, a state.db, or a URL: postgresql://USER@HOST/DATABASE",
    )
