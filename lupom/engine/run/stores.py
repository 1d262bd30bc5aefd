"""The store of a target, by its type."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from lupom.engine.errors import StateError, StoreError, did_you_mean
from lupom.engine.project.discovery import ProjectFiles
from lupom.engine.project.settings import Target
from lupom.engine.store.base import Store
from lupom.engine.store.duck import DuckFile

if TYPE_CHECKING:
    from lupom.engine.store.catalog import Catalog

# Seconds that a commit waits for whoever else has the store: a plain one is held for moments, and
# to a lake somebody else may be committing a large table.
WAIT, WAIT_FOR_LAKE = 60.0, 600.0


def store_of(files: ProjectFiles, name: str) -> Store:
    """Return the store of one of a project's targets; nothing is opened.

    Raises ProjectError, with file and line, for settings of a lake that make no sense.
    """
    target = files.settings.targets[name]
    wait = target.store_wait
    store: Store
    if target.type == "duckdb":
        store = DuckFile((files.root / target.path).resolve(), WAIT if wait is None else wait)
    else:
        store = _lake(files, name, target, WAIT_FOR_LAKE if wait is None else wait)
    store.memory = target.memory
    return store


def _lake(files: ProjectFiles, name: str, target: Target, wait: float) -> Store:
    from lupom.engine.store.lake import DuckLake

    catalog, data = _catalog(files, name, target), str(target.data)
    if "://" not in data:
        folder = (files.root / Path(data).expanduser()).resolve()
        return DuckLake(catalog, str(folder), wait=wait)
    if not data.startswith("s3://"):
        raise files.document.error(
            f"data: a folder or s3://bucket/prefix, not '{data}'",
            ("targets", name, "data"),
            did_you_mean(data.partition("://")[0], ["s3"]),
        )
    from lupom.engine.sources.s3 import S3

    s3 = S3(target.s3)
    return DuckLake(catalog, data, access=s3.access, explain=partial(_refused, s3, data), wait=wait)


def _refused(s3: object, data: str) -> StoreError | None:
    """Return what S3 has against an address; None where it has nothing."""
    from lupom.engine.errors import SourceError
    from lupom.engine.sources.s3 import S3

    assert isinstance(s3, S3)
    try:
        s3.look(data)
    except SourceError as error:
        return StoreError(f"data: {error.message}", hint=error.hint)
    return None


def _catalog(files: ProjectFiles, name: str, target: Target) -> Catalog:
    from lupom.engine.state.location import has_password, location_of
    from lupom.engine.store.catalog import ENDINGS, POSTGRESQL, Catalog

    where = ("targets", name, "catalog")
    text = str(target.catalog)
    raw = files.document.data["targets"][name]["catalog"]
    if has_password(str(raw)):
        raise files.document.error(
            "a password is spelled out in 'catalog'",
            where,
            "take it from the environment: postgresql://ann:{{ env_var('LUPOM_PASSWORD') }}"
            "@host/database; without one PGPASSWORD and ~/.pgpass count",
        )
    if "://" not in text and Path(text).suffix in ENDINGS:
        if target.catalog_schema is not None:
            raise files.document.error(
                "'catalog_schema' is for a catalog in PostgreSQL",
                ("targets", name, "catalog_schema"),
            )
        path = (files.root / Path(text).expanduser()).resolve()
        return Catalog(ENDINGS[path.suffix], path)
    try:
        place = location_of(text, files.root, "catalog")
    except StateError as error:
        raise files.document.error(error.message, where, error.hint) from None
    if place.kind != POSTGRESQL:
        endings = ", ".join(ENDINGS)
        raise files.document.error(
            f"catalog: '{text}' is neither a file that ends in one of {endings}, nor a URL of"
            " PostgreSQL",
            where,
            did_you_mean(Path(text).suffix, ENDINGS)
            or "postgresql://USER@HOST/DATABASE, or lake.sqlite",
        )
    return Catalog(
        POSTGRESQL,
        user=place.user,
        password=place.password,
        host=place.host,
        port=place.port,
        database=place.database,
        options=place.options,
        schema=target.catalog_schema or "public",
    )
