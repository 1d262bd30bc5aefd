"""Opens a state database: connected, of this LUPoM's version, or one message that says why not."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

from lupom.engine.errors import StateError
from lupom.engine.place import POSTGRESQL, SQLITE
from lupom.engine.state.dialect import Dialect, dialect_of
from lupom.engine.state.location import Location

if TYPE_CHECKING:
    from sqlalchemy import Engine

# What a driver or server says, and what it means; the first that is found counts.
_MEANINGS = (
    ("password authentication failed", "the user or the password is wrong", "password"),
    ("no password supplied", "it wants a password", "password"),
    ('column "', "its tables are not those of a ledger", "others"),
    ('relation "', "its tables are not those of a ledger", "others"),
    ("root certificate file", "there is no certificate to know the server by", "certificate"),
    ("certificate verify failed", "the server's certificate is not trusted", "certificate"),
    ("server certificate", "the server's certificate is of another host", "certificate"),
    ("does not support ssl", "the server has no TLS", "no tls"),
    ("does not exist", "the database or the user does not exist", "missing"),
    ("no pg_hba.conf entry", "the server does not let this user or machine in", "refused"),
    ("connection refused", "no server answers there", "down"),
    ("timeout expired", "no server answers there", "down"),
    ("received invalid response", "another program than PostgreSQL answers there", "other"),
    ("could not translate host name", "there is no such host", "host"),
    ("failed to resolve host", "there is no such host", "host"),
    ("name or service not known", "there is no such host", "host"),
    ("too many clients", "the server has no connection left", "full"),
    ("must be owner of", "the user may not renew its tables, which are of an older LUPoM", "owner"),
    ("denied for database", "the user may not keep a copy of its tables there", "copy"),
    ("denied for table", "the user may not read and write its tables", "tables"),
    ("denied for sequence", "the user may not read and write its tables", "tables"),
    ("permission denied", "the user may not make tables there", "rights"),
    ("invalid connection option", "an option after '?' is none of PostgreSQL's", "option"),
    ("invalid sslmode value", "an option after '?' has no value of PostgreSQL's", "option"),
)
_HINTS = {
    "password": "the URL takes it from the environment: \"{{ env_var('LUPOM_STATE') }}\"; without"
    " one in the URL, PGPASSWORD and ~/.pgpass count, which have it as it is: in a URL % is %25",
    "missing": "createdb makes a database, on the server; LUPoM makes the tables",
    "other": "PostgreSQL's port is 5432 where nobody chose another",
    "others": "give the ledger a database of its own",
    "refused": "pg_hba.conf of the server says who may come",
    "down": "is the server running, and is host and port right?",
    "host": "is the host spelled right?",
    "full": "max_connections of the server; each run and worker takes a few",
    "rights": "grant create on schema public to the user",
    "no tls": "leave ?sslmode=... out of the URL, or have the server take TLS",
    "certificate": "?sslrootcert=PATH names the authority's; sslmode=require encrypts without",
    "tables": "their owner lets others in: grant select, insert, update, delete on all tables in"
    " schema public to USER; grant usage on all sequences in schema public to USER",
    "owner": "open it once as their owner: lupom debug",
    "copy": "grant create on database to the user, or open it once as one who has it: lupom debug",
    "option": "options are libpq's: ?sslmode=require",
}


def say(text: str) -> None:
    """Tell whoever is at the terminal; stdout is for data."""
    print(text, file=sys.stderr, flush=True)


def open_engine(
    location: Location, say: Callable[[str], None] = say, make: bool = True
) -> tuple[Engine, Dialect]:
    """Connect to a state database, making (if `make`) or migrating its tables where that is due.

    Raises StateError.
    """
    if location.kind == POSTGRESQL and importlib.util.find_spec("psycopg") is None:
        raise StateError(
            "state: PostgreSQL needs psycopg, which is not installed",
            hint="pip install 'lupom[postgres]'",
        )
    from sqlalchemy.exc import DBAPIError, SQLAlchemyError

    from lupom.engine.state import tables

    if location.path is not None:
        folder = location.path.parent
        # Of what a target names. A folder that is not mounted would be made, and every answer in
        # the ledger that should be there paid for again.
        if location.named and not folder.is_dir():
            raise StateError(
                f"state: there is no folder {folder}",
                hint="make it, or mount it; a ledger that seems empty would be paid for again",
            )
        try:
            location.path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StateError(f"{location.path.parent} cannot be made: {error.strerror}") from None
    dialect = dialect_of(location)
    engine = dialect.engine(location)
    try:
        with engine.connect() as connection:
            version = dialect.version(connection)
        if version > tables.VERSION:
            raise StateError(
                f"the state database{_at(location)} is of a newer LUPoM (version {version}, this"
                f" one knows {tables.VERSION})",
                file=location.path,
                hint="update LUPoM, or move the file away"
                if location.kind == SQLITE
                else "update LUPoM: pip install -U lupom",
            )
        if not version and not make:
            raise StateError(f"there is no ledger at {location.shown}")
        if version < tables.VERSION:
            from lupom.engine.state.migration import migrate

            with engine.execution_options(writes=True).begin() as connection:
                copy = migrate(connection, dialect, location)
            if copy is not None:
                say(f"The state database was of an older LUPoM and is renewed; a copy: {copy}")
    except DBAPIError as error:
        engine.dispose()
        raise failure(location, error) from None
    except (SQLAlchemyError, UnicodeError) as error:
        engine.dispose()
        raise StateError(
            f"the state database{_at(location)} cannot be opened:"
            f" {location.masked(str(error).splitlines()[0])}",
            file=location.path,
        ) from None
    except StateError:
        engine.dispose()
        raise
    return engine, dialect


def failure(location: Location, error: BaseException) -> StateError:
    """Return the error of a database that cannot be opened or reached."""
    said = cause(location, error)
    if location.kind == SQLITE:
        return StateError(
            f"the state database cannot be opened: {said}",
            file=location.path,
            hint="it holds the answers paid for: keep a copy before you move it away",
        )
    meaning, hint = _meaning(location, error)
    if meaning is None:
        return StateError(f"the state database{_at(location)} cannot be reached: {said}")
    return StateError(f"the state database{_at(location)}: {meaning} ({said})", hint=hint)


def unwritten(location: Location, error: BaseException) -> StateError:
    """Return the error of what cannot be written to a database that is open."""
    _, hint = _meaning(location, error)
    said = cause(location, error)
    return StateError(f"the state database{_at(location)} cannot be written: {said}", hint=hint)


def _meaning(location: Location, error: BaseException) -> tuple[str | None, str | None]:
    """Return what a server's word means and what to do about it, where that is known."""
    if location.kind == SQLITE:
        return None, None
    lowered = location.masked(str(getattr(error, "orig", None) or error)).lower()
    for words, meaning, hint in _MEANINGS:
        if words in lowered:
            return meaning, _HINTS[hint]
    return None, None


def cause(location: Location, error: BaseException) -> str:
    """Return in one line what a driver said, without the password."""
    original = getattr(error, "orig", None)
    text = str(original if original is not None else error).strip() or type(error).__name__
    lines = [line.strip() for line in location.masked(text).splitlines() if line.strip()]
    # psycopg begins with what it tried, one line an address; the server's own word is behind.
    first = lines[0]
    return first.rsplit("FATAL:", 1)[-1].strip() if "FATAL:" in first else first


def _at(location: Location) -> str:
    return "" if location.kind == SQLITE else f" at {location.shown}"
