"""The database in which DuckLake keeps its catalog: a file of DuckDB or SQLite, or PostgreSQL."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lupom.engine.errors import StoreError
from lupom.engine.place import POSTGRESQL, SQLITE, Place
from lupom.engine.store import messages
from lupom.engine.store.attached import check_path
from lupom.engine.store.extensions import load
from lupom.engine.store.names import literal
from lupom.engine.store.outage import Unreachable

if TYPE_CHECKING:
    import duckdb
    import psycopg

DUCKDB = "duckdb"
# What the name of a catalog's file says of it.
ENDINGS = {
    ".ducklake": DUCKDB,
    ".duckdb": DUCKDB,
    ".sqlite": SQLITE,
    ".sqlite3": SQLITE,
    ".db": SQLITE,
}
_EXTENSIONS = {SQLITE: ["sqlite_scanner"], POSTGRESQL: ["postgres_scanner"], DUCKDB: []}


@dataclass(frozen=True, slots=True)
class Catalog(Place):
    """A catalog's place.

    Attributes
    ----------
    kind : 'duckdb', 'sqlite' or 'postgresql'.
    schema : of PostgreSQL, where the catalog's tables are.
    """

    schema: str = "public"

    def __str__(self) -> str:
        if self.path is not None:
            return str(self.path)
        port = "" if self.port is None else f":{self.port}"
        schema = "" if self.schema == "public" else f" (schema {self.schema})"
        return f"postgresql://{self.host or ''}{port}/{self.database}{schema}"

    @property
    def schemas(self) -> tuple[str, ...]:
        """The schema of the catalog's tables within its database, where it has any."""
        return (self.schema,) if self.kind == POSTGRESQL else ("main",)

    @property
    def exclusive(self) -> bool:
        """Whether nobody else can read it while it is open: a file of DuckDB."""
        return self.kind == DUCKDB

    def exists(self) -> bool:
        """Tell whether there is a lake; raises StoreError where the server cannot be asked."""
        if self.path is not None:
            return self.path.is_file() and (self.kind != SQLITE or _has_lake(self.path))
        with self.connect() as connection:
            name = f"{_identifier(self.schema)}.ducklake_metadata"
            found = connection.execute("select to_regclass(%s)", [name]).fetchone()
        return found is not None and found[0] is not None

    def connect(self) -> psycopg.Connection[Any]:
        """Return a connection to PostgreSQL that commits each statement; raises StoreError."""
        try:
            import psycopg
        except ImportError as error:
            raise StoreError(
                "a catalog in PostgreSQL needs psycopg", hint="pip install 'lupom[ducklake]'"
            ) from error
        given: dict[str, Any] = {
            "host": self.host,
            "port": self.port,
            "user": self.user,
            "password": self.password,
            "dbname": self.database,
            **self.words,
        }
        try:
            return psycopg.connect(
                **{name: value for name, value in given.items() if value is not None},
                autocommit=True,
            )
        except psycopg.Error as error:
            raise self.explained(error) from error

    def attach(
        self, connection: duckdb.DuckDBPyConnection, alias: str, options: Mapping[str, str | None]
    ) -> None:
        """Attach the lake to a connection under a name.

        Raises duckdb.Error, which `explained` puts into words.

        Parameters
        ----------
        options : of DuckLake, as SQL; None is a flag.
        """
        for name in ("ducklake", *_EXTENSIONS[self.kind]):
            load(connection, name)
        if self.path is not None:
            check_path(self.path)
        given: dict[str, str | None] = dict(options)
        if self.kind == POSTGRESQL:
            # A secret, so that the password is nowhere to be read: neither in duckdb_databases()
            # nor in errors.
            secret = f"{alias}_catalog"
            parts = {
                "host": self.host,
                "port": self.port,
                "user": self.user,
                "password": self.password,
                "database": self.database,
            }
            said = [f"{k} {literal(v)}" for k, v in parts.items() if v is not None]
            connection.execute(
                f"create or replace temporary secret {secret} (type postgres, {', '.join(said)})"
            )
            address = "postgres:" + " ".join(f"{k}={_word(v)}" for k, v in self.words.items())
            given |= {"meta_secret": literal(secret), "metadata_schema": literal(self.schema)}
        elif self.kind == SQLITE:
            address = f"sqlite:{self.path}"
            # Who reads and who writes do not hold one another up.
            given |= {"meta_journal_mode": "'WAL'"}
        else:
            address = str(self.path)
        spelled = ", ".join(k if v is None else f"{k} {v}" for k, v in given.items())
        connection.execute(f"attach {literal(f'ducklake:{address}')} as {alias} ({spelled})")

    def explained(self, error: Exception) -> StoreError:
        """Return what went wrong with the catalog as an error that a user can act on."""
        text = self.masked(" ".join(str(error).split()))
        if "password authentication failed" in text or "no password supplied" in text:
            return StoreError(
                f"PostgreSQL at {self._server} does not take the password of user"
                f" '{self.user or ''}'",
                hint="catalog: postgresql://USER:{{ env_var('LAKE_PASSWORD') }}@HOST/DATABASE",
            )
        if re.search(r'database "[^"]*" does not exist', text):
            return StoreError(
                f"there is no database '{self.database}' in PostgreSQL at {self._server}",
                hint=f"createdb {self.database}",
            )
        if self.kind == POSTGRESQL and re.search(
            r"connection (to server|refused|failed)|could not translate|timeout expired"
            r"|terminating connection|closed the connection",
            text,
            re.I,
        ):
            said = re.sub(r".*failed: ", "", text)
            return Unreachable(
                f"PostgreSQL at {self._server} cannot be reached: {said}",
                hint="is it running, and is 'catalog' its address?",
            )
        found = re.search(r"catalog version is (\S+), but .* requires version (\S+)", text)
        if found:
            return self._of_version(found[1], found[2].rstrip("."))
        found = re.search(
            r'DATA_PATH parameter "(.+?)" does not match existing data path in the catalog "(.+?)"',
            text,
        )
        if found:
            return StoreError(
                f"the data of the lake in {self} are at {found[2]}, and 'data' of the target says"
                f" {found[1]}",
                hint=f"data: {found[2]}; where they were moved, tell the catalog, once: update"
                f" ducklake_metadata set value = {literal(found[1])} where key = 'data_path'",
            )
        if "creating a new DuckLake is explicitly disabled" in text:
            return StoreError(f"there is no lake in {self}", hint="lupom run makes it")
        if re.search(r"not a database|not a valid DuckDB database", text):
            return StoreError(
                f"{self} is no {'SQLite' if self.kind == SQLITE else 'DuckDB'} database",
                hint="'catalog' names the file that DuckLake keeps, or one that is not there yet",
            )
        return StoreError(f"cannot open the lake in {self}: {self.masked(messages.lines(error))}")

    @property
    def _server(self) -> str:
        return f"{self.host or 'its socket'}{'' if self.port is None else f':{self.port}'}"

    def _of_version(self, has: str, reads: str) -> StoreError:
        import duckdb

        newer = _numbers(has) > _numbers(reads)
        return StoreError(
            f"the lake in {self} is of DuckLake's format {has}, and DuckDB {duckdb.__version__}"
            f" here reads {reads}",
            hint="use a newer DuckDB"
            if newer
            else "back up the catalog, then have DuckDB migrate it: attach it once with"
            " (automatic_migration true); older DuckDBs cannot read it afterwards",
        )


def _has_lake(path: Path) -> bool:
    """Tell whether a SQLite file holds a lake: while somebody makes one, it does not yet."""
    import sqlite3

    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as connection:
        try:
            found = connection.execute(
                "select 1 from sqlite_master where name = 'ducklake_metadata'"
            ).fetchone()
        except sqlite3.Error:
            # Whoever opens it gets to know what is wrong.
            return True
    return found is not None


def _numbers(version: str) -> list[int]:
    return [int(part) for part in re.findall(r"\d+", version)]


def _identifier(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _word(value: object) -> str:
    """Return a value as libpq's connection strings have it."""
    text = str(value)
    if re.fullmatch(r"[\w./:-]+", text):
        return text
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
