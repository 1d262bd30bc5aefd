"""The files of a lake in S3: how DuckDB gets at them, and a server that is gone for a while."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING
from urllib.parse import quote

from lupom.engine.errors import StoreError
from lupom.engine.store.access import S3Access
from lupom.engine.store.outage import until_back

if TYPE_CHECKING:
    import duckdb

# What DuckDB says after four tries where no answer came (nobody listens, no such host for now, an
# answer that breaks off, none in time), and where the answer was to come again later.
_PASSING = re.compile(r"error for HTTP [A-Z]+ to '|\bHTTP (?:code )?(?:408|429|5\d\d)\b")
# And where S3 does not let it in, or not any more: credentials of a role end after hours.
_REFUSED = re.compile(r"\bHTTP (?:code )?(?:400|401|403)\b")


class Objects:
    """Where a lake's files are objects in S3.

    Parameters
    ----------
    data : their s3:// address.
    access : returns who asks S3, newly for each connection.
    look : raises StoreError where S3 refuses the address, `Unreachable` while it does not answer.
    """

    def __init__(self, data: str, access: Callable[[], S3Access], look: Callable[[], None]) -> None:
        self.data = data
        self.look = look
        self._access = access

    def prepare(self, connection: duckdb.DuckDBPyConnection, name: str) -> None:
        """Have a connection get at them, by a secret with this name."""
        from lupom.engine.store.extensions import load

        load(connection, "httpfs")
        connection.execute(self._access().sql(name, self.data))

    def is_outage(self, error: BaseException | None) -> bool:
        """Tell whether an error, or one that it came of, is that of a server that is gone.

        A request for other objects than the lake's is the matter of who made it.
        """
        return self._says(error, _PASSING)

    def refuse(self, error: BaseException) -> None:
        """Raise StoreError with what S3 has against who asks, where an error is that it has."""
        if not self._says(error, _REFUSED):
            return
        self.look()
        raise StoreError(
            f"data: {self.data}: with these credentials S3 lets its objects be listed, and not"
            " read or written",
            hint="they need s3:GetObject, s3:PutObject and s3:DeleteObject",
        ) from error

    def _says(self, error: BaseException | None, pattern: re.Pattern[str]) -> bool:
        bucket, _, prefix = self.data.removeprefix("s3://").partition("/")
        while error is not None:
            text = str(error)
            if type(error).__module__.startswith(("duckdb", "_duckdb")) and pattern.search(text):
                # An address in a message is quoted as it was asked for.
                return bucket in text and (f"/{prefix}" in text or f"/{quote(prefix)}" in text)
            error = error.__cause__
        return False

    def came_back(self, wait: float, on_wait: Callable[[str], None] | None) -> bool:
        """Wait so many seconds at most for the server, and tell whether it is there again."""
        try:
            until_back(self.look, wait, on_wait, self.data)
        except StoreError:
            return False
        return True
