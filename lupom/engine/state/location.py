"""Where a state database is: a SQLite file, or a database of a PostgreSQL server by its URL."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from lupom.engine.errors import StateError, did_you_mean
from lupom.engine.place import MASK, POSTGRESQL, SQLITE, Place, masked

# As SQLAlchemy spells them, and as people and hosting services do.
_SCHEMES = {
    "sqlite": SQLITE,
    "sqlite+pysqlite": SQLITE,
    "postgresql": POSTGRESQL,
    "postgresql+psycopg": POSTGRESQL,
    "postgres": POSTGRESQL,
}
_SHAPES = "postgresql+psycopg://USER:PASSWORD@HOST:5432/DATABASE, or sqlite:///PATH"


@dataclass(frozen=True, slots=True)
class Location(Place):
    """A state database's place.

    Attributes
    ----------
    named : whether a target names it, and it is not the default.
    """

    named: bool = field(default=False, compare=False)

    @property
    def shown(self) -> str:
        """The place for people: a path, or a URL whose password is masked."""
        if self.kind == SQLITE:
            return str(self.path)
        word = "" if self.password is None else f":{MASK}"
        user = "" if self.user is None else f"{self.user}{word}@"
        port = "" if self.port is None else f":{self.port}"
        host = quote(self.host or "", safe=":")
        host = f"[{host}]" if ":" in host else host
        return f"postgresql://{user}{host}{port}/{self.database or ''}"

    def __str__(self) -> str:
        return self.shown


def file_of(path: Path) -> Location:
    """Return the location of a SQLite file."""
    return Location(SQLITE, path=path)


def location_of(text: str, root: Path, setting: str = "state") -> Location:
    """Read a URL, or the path of a SQLite file; relative paths are from `root`.

    `setting` is what errors call it.

    Raises StateError that says what is wrong; never with the password in it.
    """
    text = text.strip()
    scheme, colon, rest = text.partition("://")
    if not colon:
        if re.match(r"[A-Za-z][\w+]*:", text) and not re.match(r"[A-Za-z]:[\\/]", text):
            raise _unreadable(setting, text, "a URL has '://' after its scheme")
        if not text:
            raise _unreadable(setting, text, "it is empty")
        return Location(SQLITE, path=_path(text, root), named=True)
    kind = _SCHEMES.get(scheme.lower())
    if kind is None:
        raise StateError(
            f"{setting}: there is no database '{scheme}://'",
            hint=did_you_mean(scheme.lower(), _SCHEMES) or f"spell it {_SHAPES}",
        )
    if kind == SQLITE:
        # As SQLAlchemy has it: three slashes before a relative path, four before an absolute one.
        if not rest.startswith("/") or not rest[1:]:
            raise _unreadable(setting, text, "the file of SQLite stands after three slashes")
        path = _path(unquote(rest[1:].split("?")[0]), root)
        return Location(SQLITE, path=path, named=True)
    return _server(text, setting)


def _server(text: str, setting: str) -> Location:
    try:
        parts = urlsplit(text)
        port = parts.port
        host = parts.hostname
    except ValueError:
        raise _unreadable(
            setting,
            text,
            "its port is no number, or a character of the password is not escaped (%40 for @)",
        ) from None
    # A '/' or '#' in a password ends the host for any reader of URLs.
    if "@" in parts.path or "@" in parts.fragment or "@" in parts.query.partition("=")[0]:
        raise _unreadable(
            setting,
            text,
            "a '/', '?' or '#' in the password is written %2F, %3F, %23 (PGPASSWORD takes it as it"
            " is)",
        )
    database = unquote(parts.path.removeprefix("/"))
    if not database:
        raise _unreadable(setting, text, "it names no database")
    options = dict(parse_qsl(parts.query))
    password = None if parts.password is None else unquote(parts.password)
    password = options.pop("password", password)
    return Location(
        POSTGRESQL,
        user=None if not parts.username else unquote(parts.username),
        password=password or None,
        # A folder of sockets is written %2Fvar%2Frun%2Fpostgresql.
        host=None if host is None else unquote(host),
        port=port,
        database=database,
        options=options,
    )


def _path(text: str, root: Path) -> Path:
    return (root / Path(text).expanduser()).resolve()


def _unreadable(setting: str, text: str, why: str) -> StateError:
    # Where a URL is not one, nobody knows what of it is a password: all before the '@' may be.
    before, at, host = text.rpartition("@")
    shown = re.match(r"[\w+]*:?/*", before)[0] + MASK + at + host if at else masked(text)  # type: ignore[index]
    return StateError(f"{setting}: '{shown}' cannot be read: {why}", hint=f"spell it {_SHAPES}")
