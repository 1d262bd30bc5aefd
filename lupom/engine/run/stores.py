"""The store of a target, by its type."""

from __future__ import annotations

import re
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from lupom.engine.errors import StateError, StoreError, UsageError, did_you_mean
from lupom.engine.project.discovery import ProjectFiles
from lupom.engine.project.settings import Target
from lupom.engine.store.base import Store
from lupom.engine.store.duck import DuckFile

if TYPE_CHECKING:
    from lupom.engine.run.context import Context
    from lupom.engine.sources.s3 import S3
    from lupom.engine.store.catalog import Catalog

# Seconds that a commit waits for whoever else has the store: a plain one is held for moments, and
# to a lake somebody else may be committing a large table.
WAIT, WAIT_FOR_LAKE = 60.0, 600.0


def age_of(text: str | timedelta) -> timedelta:
    """Read an age such as '30d', '12h' or '90m'; raises UsageError."""
    if isinstance(text, timedelta):
        return text
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(d|h|m)[a-z]*\s*", text.lower())
    if found is None:
        raise UsageError(f"'{text}' is no age", hint="30d, 12h or 90m")
    unit = {"d": "days", "h": "hours", "m": "minutes"}[found[2]]
    return timedelta(**{unit: float(found[1])})


def copy_to(context: Context, to: str, *, replace: bool) -> int:
    """Copy a project's store to that of another of its targets, while nobody runs it here.

    Returns the number of relations; raises what `store.copying.copy` does.
    """
    from lupom.engine.run.lock import run_lock
    from lupom.engine.store.copying import copy

    files = context.files
    if to not in files.settings.targets:
        raise UsageError(
            f"no target '{to}' in lupom_project.yml",
            hint=did_you_mean(to, files.settings.targets)
            or "targets: " + ", ".join(sorted(files.settings.targets)),
        )
    source, other = context.store, store_of(files, to)
    if source.place == other.place:
        raise UsageError(f"'{to}' is the target that is copied")
    if not source.exists:
        raise StoreError(f"there is no store yet at {source.place}", hint="lupom run builds it")
    other.check()
    with run_lock(files.state_folder):
        source.close()
        return copy(source, other, context.graph.order, replace=replace)


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
    # "s3//bucket" and "s3:/bucket" are meant for an address, and would be a folder of the project.
    if "://" not in data and not re.match(r"\w{2,}:/|s3//", data):
        folder = (files.root / Path(data).expanduser()).resolve()
        return DuckLake(catalog, str(folder), wait=wait)
    if not data.startswith("s3://"):
        raise files.document.error(
            f"data: a folder or s3://bucket/prefix, not '{data}'",
            ("targets", name, "data"),
            did_you_mean(re.split(r"[:/]", data)[0], ["s3"]),
        )
    from lupom.engine.sources.s3 import S3
    from lupom.engine.store.objects import Objects

    s3 = S3(target.s3)
    objects = Objects(data.rstrip("/") + "/", s3.access, partial(_look, s3, data))
    return DuckLake(catalog, data, objects=objects, wait=wait)


def _look(s3: S3, data: str) -> None:
    """Raise StoreError with what S3 has against an address."""
    from lupom.engine.errors import SourceError
    from lupom.engine.sources.s3 import OutOfReach
    from lupom.engine.store.outage import Unreachable

    try:
        s3.look(data)
    except SourceError as error:
        kind = Unreachable if isinstance(error, OutOfReach) else StoreError
        raise kind(f"data: {error.message}", hint=error.hint) from error


def _catalog(files: ProjectFiles, name: str, target: Target) -> Catalog:
    from lupom.engine.place import POSTGRESQL, has_password
    from lupom.engine.state.location import location_of
    from lupom.engine.store.catalog import ENDINGS, Catalog

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
