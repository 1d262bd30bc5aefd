"""Lakes for tests: catalogs in files and in PostgreSQL, data in a folder.

Without DuckDB's extensions a test that needs a lake is skipped with one plain line. With
LUPOM_REQUIRE_DUCKLAKE=1, as CI sets it, that is a failure.
"""

from __future__ import annotations

import atexit
import importlib.util
import os
import shutil
import sqlite3
import tempfile
from contextlib import closing
from dataclasses import replace
from functools import cache
from pathlib import Path

import duckdb
import pytest

from lupom.engine.place import POSTGRESQL, SQLITE
from lupom.engine.store.catalog import DUCKDB, Catalog
from lupom.engine.store.lake import DuckLake
from lupom.engine.store.records import TableRecord
from tests.support.postgres import PASSWORD, USER, Cluster


def lacking() -> str | None:
    """Say in a line what lacks for a lake; None where nothing does."""
    found = importlib.util.find_spec("duckdb_extension_ducklake")
    if found is None or found.origin is None:
        return "no duckdb-extension-ducklake: pip install 'lupom[ducklake]'"
    if not (Path(found.origin).parent / "extensions" / f"v{duckdb.__version__}").is_dir():
        return f"duckdb-extension-ducklake is not for DuckDB {duckdb.__version__}"
    return None


def require() -> None:
    """Skip the test where there is no DuckLake."""
    lack = lacking()
    if lack is not None:
        if os.environ.get("LUPOM_REQUIRE_DUCKLAKE") == "1":
            pytest.fail(lack)
        pytest.skip(lack)


def catalog_of(kind: str, folder: Path, cluster: Cluster | None = None) -> Catalog:
    """Return the place of a new catalog of a kind."""
    if kind == POSTGRESQL:
        assert cluster is not None
        database = cluster.database().rpartition("/")[2]
        return Catalog(
            POSTGRESQL,
            user=USER,
            password=PASSWORD,
            host="127.0.0.1",
            port=cluster.port,
            database=database,
        )
    return Catalog(kind, folder / ("lake.ducklake" if kind == DUCKDB else "lake.sqlite"))


def cluster_of(request: pytest.FixtureRequest) -> Cluster | None:
    """Return the PostgreSQL of a fixture whose parameter is a kind of catalog, if it is one."""
    if request.param != POSTGRESQL:
        return None
    found: Cluster = request.getfixturevalue("postgres")
    return found


@cache
def _template(kind: str, cluster: Cluster | None) -> Catalog:
    """Return the catalog of a lake without tables, which nobody has open."""
    folder = Path(tempfile.mkdtemp(prefix="lupom-lake-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    made = DuckLake(catalog_of(kind, folder, cluster), str(folder / "data"))
    with made.hold():
        pass
    made.close()
    return made.catalog


def empty(kind: str, folder: Path, cluster: Cluster | None = None) -> DuckLake:
    """Return a lake without tables in a folder: a copy, since to make one is most of a test's time.

    A lake's catalog says where its data are.
    """
    require()
    template, data = _template(kind, cluster), folder / "data"
    moved = f"update ducklake_metadata set value = '{data}/' where key = 'data_path'"
    if kind == POSTGRESQL:
        assert cluster is not None
        assert template.database is not None
        catalog = replace(template, database=cluster.copy(template.database))
        with catalog.connect() as database:
            database.execute(moved)
    else:
        catalog = catalog_of(kind, folder)
        assert template.path is not None
        assert catalog.path is not None
        shutil.copyfile(template.path, catalog.path)
        connect = duckdb.connect if kind == DUCKDB else sqlite3.connect
        with closing(connect(catalog.path)) as database:
            database.execute("begin")
            database.execute(moved)
            database.execute("commit")
    data.mkdir()
    return DuckLake(catalog, str(data))


def again(store: DuckLake, wait: float | None = None) -> DuckLake:
    """Return another store on the same lake."""
    return DuckLake(store.catalog, store.data, wait=store.wait if wait is None else wait)


KINDS = (DUCKDB, SQLITE, POSTGRESQL)


def record(name="t", kind="table", run="20260301T120000-abcdef"):
    return TableRecord(name, kind, fingerprint="f", code="c", parts={"SQL": "x"}, run_id=run)


def making(sql, name="t"):
    return lambda cursor: cursor.execute(f"create or replace table main.{name} as {sql}")


def rows(store, sql="from main.t order by all"):
    with store.hold(read_only=store.idle) as cursor:
        return cursor.execute(sql).fetchall()


def within_a_model() -> None:
    """Do what a test wants done while a Python model of its project runs."""
