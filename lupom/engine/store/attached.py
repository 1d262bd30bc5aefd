"""Other DuckDB files, attached to a connection for reading."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from lupom.engine.errors import SourceError, StoreError
from lupom.engine.store import messages
from lupom.engine.store.names import literal

if TYPE_CHECKING:
    import duckdb


# What DuckDB reads in a path as something else: it looks for the log of 'quest?ion/x.duckdb' at
# 'quest.wal?ion/x.duckdb', and takes a backslash for a slash.
_MISREAD = "?\\"


def check_path(path: Path) -> None:
    """Raise StoreError for a path at which DuckDB cannot keep a database."""
    wrong = next((c for c in _MISREAD if c in str(path)), None)
    if wrong is not None:
        raise StoreError(
            f"DuckDB cannot keep a database at {path}: a '{wrong}' in a path is not a part of a"
            " name to it",
            hint="rename it, or put the store elsewhere: targets: {dev: {path: /data/x.duckdb}}",
        )


def attach(connection: duckdb.DuckDBPyConnection, alias: str, path: Path) -> None:
    """Attach a DuckDB file read-only under a name.

    Raises SourceError when it is not there or no database, or when another process writes it.
    """
    import duckdb

    try:
        if not path.is_file():
            raise SourceError(f"there is no database at {path}")
        check_path(path)
        connection.execute(f"attach if not exists {literal(path)} as {alias} (read_only)")
    except duckdb.Error as error:
        message = messages.first_line(error)
        held = messages.holder(error)
        if held:
            message = f"{held} has it open for writing"
        raise SourceError(f"cannot read {path}: {message}") from error
