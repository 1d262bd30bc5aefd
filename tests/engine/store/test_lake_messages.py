"""Lakes that cannot be had, and what is said of them."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import duckdb
import pytest

from lupom.engine.errors import StoreError
from lupom.engine.place import POSTGRESQL, SQLITE
from lupom.engine.store import extensions
from lupom.engine.store.catalog import DUCKDB
from lupom.engine.store.lake import DuckLake
from tests.support import lakes
from tests.support.lakes import making, record, rows


def test_the_password_is_nowhere_to_be_read(tmp_path, postgres):
    lakes.require()
    store = DuckLake(lakes.catalog_of(POSTGRESQL, tmp_path, postgres), str(tmp_path / "data"))
    store.commit(record(), making("select 1 as x"))
    with store.hold(read_only=True) as cursor:
        shown = [
            cursor.execute("select * from duckdb_databases()").fetchall(),
            cursor.execute("select * from duckdb_secrets()").fetchall(),
            cursor.execute("select * from duckdb_settings()").fetchall(),
        ]
    assert store.catalog.password not in str(shown)
    assert store.catalog.password not in f"{store.place} {store.catalog!r}"
    store.close()


def wrong(store, **changes):
    return DuckLake(replace(store.catalog, **changes), store.data, wait=0.0)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"password": "wr0ng!"}, "does not take the password of user 'lupom'"),
        ({"database": "nowhere"}, "there is no database 'nowhere'.*createdb nowhere"),
        ({"port": 1}, "cannot be reached"),
        ({"options": {"sslmode": "perhaps"}}, "sslmode"),
    ],
)
def test_a_server_that_cannot_be_had_is_one_clear_message(tmp_path, postgres, changes, message):
    lakes.require()
    store = DuckLake(lakes.catalog_of(POSTGRESQL, tmp_path, postgres), str(tmp_path / "data"))
    bad = wrong(store, **changes)
    with pytest.raises(StoreError, match=message) as caught:
        bad.records()
    assert "wr0ng!" not in str(caught.value)
    assert bad.catalog.password not in str(caught.value)


@pytest.mark.parametrize(
    ("version", "hint"), [("9.9", "use a newer DuckDB"), ("0.2", "have DuckDB migrate it")]
)
def test_a_catalog_of_another_format_is_one_clear_message(tmp_path, version, hint):
    lakes.require()
    store = DuckLake(lakes.catalog_of(DUCKDB, tmp_path), str(tmp_path / "data"))
    store.commit(record(), making("select 1 as x"))
    store.close()
    with duckdb.connect(str(store.catalog.path)) as connection:
        connection.execute(
            f"update ducklake_metadata set value = '{version}' where key = 'version'"
        )
    with pytest.raises(StoreError, match=f"format {version}.*{hint}"):
        store.records()


def test_data_in_another_place_than_the_catalog_says(tmp_path):
    lakes.require()
    store = DuckLake(lakes.catalog_of(DUCKDB, tmp_path), str(tmp_path / "data"))
    store.commit(record(), making("select 1 as x"))
    store.close()
    moved = DuckLake(store.catalog, str(tmp_path / "elsewhere"))
    with pytest.raises(StoreError, match=f"data: {tmp_path / 'data'}.*data_path") as caught:
        moved.records()
    # Where the folder itself was moved, what the message says is all there is to do.
    (tmp_path / "data").rename(tmp_path / "elsewhere")
    (statement,) = re.findall(r"update ducklake_metadata .*'data_path'", str(caught.value))
    with duckdb.connect(str(store.catalog.path)) as catalog:
        catalog.execute(statement)
    assert rows(moved) == [(1,)]


def test_a_folder_that_cannot_be_written(tmp_path):
    lakes.require()
    (tmp_path / "data").write_text("a file where a folder should be")
    store = DuckLake(lakes.catalog_of(DUCKDB, tmp_path), str(tmp_path / "data"))
    with pytest.raises(StoreError, match="'data' of the target"):
        store.check()


def test_a_folder_that_is_no_longer_there(tmp_path):
    lakes.require()
    catalog = lakes.catalog_of(SQLITE, tmp_path)
    store = DuckLake(catalog, str(tmp_path / "data"))
    with store.hold():
        pass
    store.close()
    (tmp_path / "data").rename(tmp_path / "elsewhere")
    with pytest.raises(StoreError, match=r"the folder .*data of the lake's data is not there"):
        DuckLake(catalog, str(tmp_path / "data")).check()
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("kind", [DUCKDB, SQLITE])
def test_a_catalog_that_is_no_database(tmp_path, kind):
    lakes.require()
    store = DuckLake(lakes.catalog_of(kind, tmp_path), str(tmp_path / "data"))
    Path(store.catalog.path).write_text("not a database, however long one looks at it " * 30)
    with pytest.raises(StoreError, match=r"is no (SQLite|DuckDB) database"):
        store.records()


def test_a_missing_extension_says_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setattr(extensions, "_packaged", lambda name: None)
    nowhere = {
        "custom_extension_repository": "http://127.0.0.1:9",
        "extension_directory": str(tmp_path),
        "autoinstall_known_extensions": "false",
    }
    with (
        duckdb.connect(config=nowhere) as connection,
        pytest.raises(StoreError, match=r"no extension 'ducklake'.*lupom\[ducklake\]"),
    ):
        extensions.load(connection, "ducklake")
