"""Names and strings as SQL."""

from __future__ import annotations


def quoted(*names: str) -> str:
    """Return a quoted SQL identifier: quoted('main', 'a"b') is '"main"."a""b"'."""
    return ".".join('"' + name.replace('"', '""') + '"' for name in names)


def literal(value: object) -> str:
    """Return a SQL string literal."""
    return "'" + str(value).replace("'", "''") + "'"
