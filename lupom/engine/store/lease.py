"""One committer at a time: a lease that whoever commits to a lake holds.

DuckLake lets several commit at once and looks for conflicts afterwards; in a PostgreSQL catalog it
does not see all of them (transactions there are of isolation REPEATABLE READ, in which a committer
does not see who came between). So there is one at a time. Readers need no lease.
"""

from __future__ import annotations

import getpass
import json
import os
import secrets
import socket
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from lupom.engine.errors import StoreError
from lupom.engine.store.outage import until_back

if TYPE_CHECKING:
    import psycopg

    from lupom.engine.store.catalog import Catalog

T = TypeVar("T")

# Seconds after which a lease that is not renewed is anybody's; it is renewed three times in these.
SECONDS = 30.0
_FIRST_PAUSE, _LONGEST_PAUSE = 0.05, 1.0


@dataclass(frozen=True, slots=True)
class Owner:
    """Who commits: a process on a machine, in a run (None: outside of one), and since when."""

    host: str
    pid: int
    run: str | None
    since: str = ""

    def __str__(self) -> str:
        run = "" if self.run is None else f", run {self.run}"
        since = f" since {self.since}" if self.since else ""
        return f"{self.host} (PID {self.pid}{run}){since}"


class LeaseLost(StoreError):
    """Somebody else took the lease over, since it was not renewed in time."""


class Lease(ABC):
    """A lease that one process has at a time.

    Parameters
    ----------
    what : what it is a lease on, for people.
    wait : seconds to wait for whoever has it.
    on_wait : called with a message when a wait begins.
    """

    def __init__(self, what: str, wait: float) -> None:
        self._what = what
        self._wait = wait
        self.on_wait: Callable[[str], None] | None = None

    @contextmanager
    def hold(self, run_id: str | None) -> Iterator[None]:
        """Have the lease for the length of the block.

        Raises StoreError that names the owner when it is not free within the wait.
        """
        deadline = time.monotonic() + self._wait
        pause, told = _FIRST_PAUSE, False
        while not self._patiently(lambda: self._take(run_id)):
            owner = self._patiently(self.owner)
            if time.monotonic() >= deadline:
                raise StoreError(
                    f"{owner or 'somebody'} is committing to {self._what}",
                    hint=f"run again when that is done; waited {self._wait:g} s (store_wait)",
                )
            if owner is not None and not told and self.on_wait is not None:
                self.on_wait(f"waiting for {owner}, who commits to the same lake")
                told = True
            time.sleep(pause)
            pause = min(pause * 1.5, _LONGEST_PAUSE)
        try:
            yield
        finally:
            self._release()

    def _patiently(self, ask: Callable[[], T]) -> T:
        """Wait for the server of the lease where it is gone; the lake asked it before."""
        return until_back(ask, self._wait, self.on_wait, self._what)

    @abstractmethod
    def owner(self) -> Owner | None:
        """Return who has it now."""

    @abstractmethod
    def check(self) -> None:
        """Raise LeaseLost where it is no longer held by this process; renews it otherwise."""

    @abstractmethod
    def _take(self, run_id: str | None) -> bool: ...

    @abstractmethod
    def _release(self) -> None: ...


class FileLease(Lease):
    """The lease of a catalog that is a file: a lock beside it.

    The operating system frees it however the process ends, so that it needs no deadline.
    """

    def __init__(self, catalog: Path, wait: float) -> None:
        super().__init__(str(catalog), wait)
        self._path = catalog.with_name(f"{catalog.name}.lock")
        self._note = catalog.with_name(f"{catalog.name}.committer")
        self._lock: Any = None

    def owner(self) -> Owner | None:
        with suppress(OSError, ValueError, TypeError):
            return Owner(**json.loads(self._note.read_text(encoding="utf-8")))
        return None

    def check(self) -> None:
        """Do nothing: a lock is not lost."""

    def _take(self, run_id: str | None) -> bool:
        from filelock import FileLock, Timeout

        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            lock = FileLock(self._path, blocking=False, thread_local=False)
            lock.acquire()
        except Timeout:
            return False
        except OSError as error:
            raise StoreError(
                f"{self._path} cannot be written: {error.strerror or error}"
            ) from error
        self._lock = lock
        now = datetime.now().astimezone().isoformat(timespec="seconds")
        owner = {"host": socket.gethostname(), "pid": os.getpid(), "run": run_id, "since": now}
        with suppress(OSError):
            self._note.write_text(json.dumps(owner), encoding="utf-8")
        return True

    def _release(self) -> None:
        with suppress(OSError):
            self._note.unlink()
        self._lock.release()
        self._lock = None


class TableLease(Lease):
    """The lease of a catalog in PostgreSQL: a row of the table `lupom_lease` beside it.

    The server's clock says when it ends. A thread renews it, over a connection of its own, for as
    long as it is held; where that fails until it has ended, whoever comes next takes it over.

    Parameters
    ----------
    catalog : in whose database and schema the table is; made where it is not there.
    seconds : after which it ends, unless it is renewed.
    """

    def __init__(self, catalog: Catalog, wait: float, seconds: float | None = None) -> None:
        super().__init__(str(catalog), wait)
        self._catalog = catalog
        self._schema = catalog.schema
        self._seconds = SECONDS if seconds is None else seconds
        self._made: psycopg.Connection[Any] | None = None
        self._lock = threading.Lock()
        self._token: str | None = None
        self._stop = threading.Event()
        self._renewer: threading.Thread | None = None
        self._is_there = False

    def owner(self) -> Owner | None:
        found = self._ask(
            "select host, pid, run, to_char(taken_at, 'YYYY-MM-DD HH24:MI:SS TZ') from {table}"
            " where held_until > clock_timestamp()"
        )
        return None if found is None else Owner(*found)

    def check(self) -> None:
        """Renew the lease; raises LeaseLost where somebody else has it."""
        if not self._renew():
            owner = self.owner()
            raise LeaseLost(
                f"the lease on {self._what} was taken over"
                + (f" by {owner}" if owner is not None else "")
                + ": this commit was given up, and nothing of it is there",
                hint="lupom run goes on with the rest",
            )

    def _take(self, run_id: str | None) -> bool:
        token = secrets.token_hex(8)
        taken = self._ask(
            "insert into {table} as l (one, token, host, pid, run, taken_at, held_until)"
            " values (true, %(token)s, %(host)s, %(pid)s, %(run)s, clock_timestamp(),"
            " clock_timestamp() + %(seconds)s * interval '1 second')"
            " on conflict (one) do update set token = excluded.token, host = excluded.host,"
            " pid = excluded.pid, run = excluded.run, taken_at = excluded.taken_at,"
            " held_until = excluded.held_until where l.held_until <= clock_timestamp()"
            " returning token",
            token=token,
            host=socket.gethostname(),
            pid=os.getpid(),
            run=run_id,
            seconds=self._seconds,
        )
        if taken is None:
            return False
        self._token = token
        self._stop.clear()
        self._renewer = threading.Thread(target=self._keep, name="lupom-lease", daemon=True)
        self._renewer.start()
        return True

    def _keep(self) -> None:
        while not self._stop.wait(self._seconds / 3):
            # What fails now may succeed at the next time; `check` says in the end whether it did.
            with suppress(StoreError):
                if not self._renew():
                    return

    def _renew(self) -> bool:
        """Let the lease end later; tells whether it is still this one's."""
        renewed = self._ask(
            "update {table} set held_until = clock_timestamp() + %(seconds)s * interval '1 second'"
            " where token = %(token)s returning token",
            token=self._token,
            seconds=self._seconds,
        )
        return renewed is not None

    def _release(self) -> None:
        self._stop.set()
        if self._renewer is not None:
            self._renewer.join()
            self._renewer = None
        # One that cannot be given back ends by itself.
        with suppress(StoreError):
            self._ask("delete from {table} where token = %(token)s returning 1", token=self._token)
        self._token = None

    def close(self) -> None:
        """Close the connection."""
        with self._lock:
            if self._made is not None:
                self._made.close()
                self._made = None

    def _ask(self, statement: str, **values: Any) -> tuple[Any, ...] | None:
        """Return the first row of a statement, over a new connection where the old one is lost.

        Raises StoreError.
        """
        import psycopg
        from psycopg import sql

        table = sql.SQL(".").join((sql.Identifier(self._schema), sql.Identifier("lupom_lease")))
        with self._lock:
            for again in (True, False):
                try:
                    if self._made is None:
                        self._made = self._catalog.connect()
                    if not self._is_there:
                        self._prepare(self._made, table)
                        self._is_there = True
                    query = sql.SQL(statement).format(table=table)  # type: ignore[arg-type]
                    row: tuple[Any, ...] | None = self._made.execute(query, values).fetchone()
                    return row
                except psycopg.OperationalError as error:
                    if self._made is not None:
                        self._made.close()
                        self._made = None
                    if not again:
                        raise self._catalog.explained(error) from error
                except psycopg.Error as error:
                    raise self._catalog.explained(error) from error
        raise AssertionError("unreachable")

    def _prepare(self, connection: psycopg.Connection[Any], table: Any) -> None:
        import psycopg
        from psycopg import sql

        name = f"{table.as_string(connection)}"
        there = "select to_regclass(%s) is not null, to_regnamespace(%s) is not null"
        schema = sql.Identifier(self._schema)
        found = connection.execute(there, [name, schema.as_string(connection)]).fetchone()
        # Of two that make one at once the other is told so by the server's own index, whatever
        # "if not exists" says.
        taken = suppress(psycopg.errors.UniqueViolation, psycopg.errors.DuplicateTable)
        if found is not None and not found[1]:
            with taken:
                connection.execute(sql.SQL("create schema if not exists {}").format(schema))
        if found is not None and not found[0]:
            with taken:
                connection.execute(
                    sql.SQL(
                        "create table if not exists {} (one boolean primary key check (one),"
                        " token text not null, host text not null, pid bigint not null, run text,"
                        " taken_at timestamptz not null, held_until timestamptz not null)"
                    ).format(table)
                )


def user() -> str:
    """Return who this process belongs to."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "somebody"
