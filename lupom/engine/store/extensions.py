"""DuckDB's extensions: from a package of PyPI where there is one, else from DuckDB's own server.

`duckdb-extension-NAME` on PyPI has the file for one version of DuckDB. Any other version installs
its own, once, where there is a network.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING

from lupom.engine.errors import StoreError
from lupom.engine.store import messages
from lupom.engine.store.names import literal

if TYPE_CHECKING:
    import duckdb

# DuckDB's name of an extension, and how a hint names its package.
_PACKAGES = {
    "ducklake": "duckdb-extension-ducklake",
    "postgres_scanner": "duckdb-extension-postgres-scanner",
    "sqlite_scanner": "duckdb-extension-sqlite-scanner",
    "httpfs": "duckdb-extension-httpfs",
}


def load(connection: duckdb.DuckDBPyConnection, name: str) -> None:
    """Load an extension; one that is loaded already is.

    Raises StoreError that says how to get it.
    """
    import duckdb

    packaged = _packaged(name)
    try:
        connection.execute(f"load {name if packaged is None else literal(packaged)}")
        return
    except duckdb.Error as error:
        if packaged is not None:
            raise StoreError(
                f"DuckDB cannot load its extension '{name}' from {packaged}:"
                f" {messages.first_line(error)}"
            ) from error
    try:
        connection.execute(f"install {name}")
        connection.execute(f"load {name}")
    except duckdb.Error as error:
        raise StoreError(
            f"DuckDB {duckdb.__version__} has no extension '{name}' here, and it cannot be"
            " downloaded",
            hint=f"where there is a network, DuckDB fetches it; {_hint(name)}",
        ) from error


def _hint(name: str) -> str:
    """Say which package has it, and why an installed one does not help."""
    import duckdb

    spec = _spec(name)
    versions = [] if spec is None else sorted(path.name for path in _folders(spec))
    if versions:
        return f"the installed {_PACKAGES[name]} is for DuckDB {', '.join(versions)[1:]}" + (
            f", not {duckdb.__version__}: pip install 'lupom[ducklake]' brings both"
        )
    return "else: pip install 'lupom[ducklake]'"


def _packaged(name: str) -> Path | None:
    """Return the file of an installed package, for this DuckDB."""
    import duckdb

    spec = _spec(name)
    for folder in [] if spec is None else _folders(spec):
        file = folder / f"{name}.duckdb_extension"
        if folder.name == f"v{duckdb.__version__}" and file.is_file():
            return file
    return None


def _spec(name: str) -> Path | None:
    found = importlib.util.find_spec(f"duckdb_extension_{name}")
    return None if found is None or found.origin is None else Path(found.origin).parent


def _folders(package: Path) -> list[Path]:
    return [path for path in (package / "extensions").glob("v*") if path.is_dir()]
