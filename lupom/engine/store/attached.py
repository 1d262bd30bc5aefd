"""Other DuckDB files, attached to a connection for reading."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from lupom.engine.errors import SourceError
from lupom.engine.store.names import literal

if TYPE_CHECKING:
    import duckdb


def attach(connection: duckdb.DuckDBPyConnection, alias: str, path: Path) -> None:
    """Attach a DuckDB file read-only under a name.

    Raises SourceError when it is not there or no database, or when another process writes it.
    """
    import duckdb

    try:
        if not path.is_file():
            raise SourceError(f"there is no database at {path}")
        connection.execute(f"attach if not exists {literal(path)} as {alias} (read_only)")
    except duckdb.Error as error:
        message = str(error).splitlines()[0]
        held = re.search(r"held in (.+?) \(PID (\d+)\)", message)
        if held:
            message = f"{held[1]} (PID {held[2]}) has it open for writing"
        raise SourceError(f"cannot read {path}: {message}") from error
