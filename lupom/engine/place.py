"""Where a database is, be it of a ledger or of a lake's catalog: a file, or one of a server.

Only `Place.password` holds a password. Nothing that is shown, kept or raised has it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

SQLITE, POSTGRESQL = "sqlite", "postgresql"
MASK = "***"
# Seconds to wait for a server that does not answer at all, at first and within a connection: one
# that is gone without a word is noticed within half a minute.
PATIENCE = 10
_LIBPQ = {
    "application_name": "lupom",
    "connect_timeout": str(PATIENCE),
    "keepalives_idle": str(PATIENCE),
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "30000",
}
_PASSWORD = re.compile(r"(?P<before>[A-Za-z][\w+.-]*://[^/?#\s:@]*:)(?P<word>[^\s]*)(?P<at>@)")
_PASSWORD_OPTION = re.compile(r"(?P<before>[?&]password=)(?P<word>[^&#\s'\"]*)")


@dataclass(frozen=True, slots=True)
class Place:
    """A database's place.

    Attributes
    ----------
    kind : 'sqlite', 'postgresql', or what else is a file.
    path : of a file.
    user, password, host, port, database, options : of PostgreSQL; what is None is as libpq finds it
        (PGPASSWORD, ~/.pgpass).
    """

    kind: str
    path: Path | None = None
    user: str | None = None
    password: str | None = field(default=None, repr=False, compare=False)
    host: str | None = None
    port: int | None = None
    database: str | None = None
    options: Mapping[str, str] = field(default_factory=dict, compare=False)

    @property
    def words(self) -> dict[str, str]:
        """The options of libpq's connections, by name: LUPoM's, and what the URL says."""
        return {**_LIBPQ, **self.options}

    def masked(self, text: str) -> str:
        """Return a text of a driver or server without the password."""
        if self.password:
            text = text.replace(self.password, MASK)
        return masked(text)


def masked(text: str) -> str:
    """Return a text with passwords of URLs in it masked."""
    text = _PASSWORD.sub(rf"\g<before>{MASK}\g<at>", text)
    return _PASSWORD_OPTION.sub(rf"\g<before>{MASK}", text)


def has_password(text: str) -> bool:
    """Tell whether a URL spells a password out; one made of templates ('{{ ... }}') does not."""
    plain = re.sub(r"\{\{.*?\}\}", "", text)
    found = [*_PASSWORD.finditer(plain), *_PASSWORD_OPTION.finditer(plain)]
    return any(match["word"] for match in found)
