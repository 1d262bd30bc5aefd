"""A PostgreSQL cluster of the tests' own: Debian's binaries, a folder in /tmp, a free port.

Without PostgreSQL a test that needs it is skipped with one plain line. With
LUPOM_REQUIRE_POSTGRES=1, as CI sets it, that is a failure.
"""

from __future__ import annotations

import itertools
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

USER, PASSWORD = "lupom", "s3cret-of-the-ledger"
# What a test waits for at most; starting takes a fraction of a second.
_PATIENCE = 60
_names = itertools.count(1)


class Cluster:
    """A running server; databases of it are made for one test each.

    `stop` is `pg_ctl stop -m immediate`, which is a crash: clients lose their connections at once.
    """

    def __init__(self, binaries: Path, folder: Path) -> None:
        self._binaries = binaries
        self._folder = folder
        # A client that is cut off may start the server while it is still being stopped, which then
        # waits for the new one to end.
        self._changing = threading.Lock()
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = int(free.getsockname()[1])

    def make(self) -> None:
        word = self._folder / "password"
        word.write_text(PASSWORD, encoding="ascii")
        if os.geteuid() == 0:
            # PostgreSQL does not run as root.
            shutil.chown(self._folder, "postgres")
            shutil.chown(word, "postgres")
        method = ("-A", "scram-sha-256", "--pwfile", str(word))
        self._run("initdb", "-D", self._data, "-U", USER, "--no-sync", "-E", "UTF8", *method)
        # A crash of the server loses nothing without fsync, one of the machine does.
        settings = (
            f"port = {self.port}",
            "listen_addresses = '127.0.0.1'",
            "unix_socket_directories = ''",
            "fsync = off",
            "max_connections = 200",
            "shared_buffers = '32MB'",
        )
        lines = "\n".join(settings)
        path = Path(self._data) / "postgresql.auto.conf"
        path.write_text(lines, encoding="ascii")

    @property
    def _data(self) -> str:
        return str(self._folder / "data")

    def start(self) -> None:
        log = str(self._folder / "log")
        with self._changing:
            self._run("pg_ctl", "start", "-w", "-t", str(_PATIENCE), "-D", self._data, "-l", log)

    def stop(self) -> None:
        """Crash."""
        with self._changing:
            self._run("pg_ctl", "stop", "-m", "immediate", "-D", self._data)

    def url(self, database: str, *, password: str | None = None) -> str:
        """Return a database's URL, without a password where none is given."""
        word = "" if password is None else f":{password}"
        return f"postgresql+psycopg://{USER}{word}@127.0.0.1:{self.port}/{database}"

    def database(self) -> str:
        """Make an empty database and return its URL, password and all."""
        return self.url(self._made(), password=PASSWORD)

    def copy(self, database: str) -> str:
        """Make a copy of a database that nobody is connected to, and return its name."""
        return self._made(f"template {database}")

    def _made(self, how: str = "") -> str:
        import psycopg

        name = f"ledger_{next(_names)}"
        with psycopg.connect(
            host="127.0.0.1",
            port=self.port,
            user=USER,
            password=PASSWORD,
            dbname="postgres",
            autocommit=True,
        ) as connection:
            connection.execute(f"create database {name} {how}")
        return name

    def _run(self, program: str, *arguments: str) -> None:
        command = [str(self._binaries / program), *arguments]
        if os.geteuid() == 0:
            command = ["runuser", "-u", "postgres", "--", *command]
        # pg_ctl's server would keep a pipe open for as long as it runs.
        with tempfile.TemporaryFile() as said:
            done = subprocess.run(
                command, cwd="/", stdin=subprocess.DEVNULL, stdout=said, stderr=said, timeout=120
            )
            if done.returncode:
                said.seek(0)
                raise AssertionError(f"{program}: {said.read().decode(errors='replace')}")


def binaries() -> Path | None:
    """Return the folder of PostgreSQL's programs, the newest; None where there are none."""
    found = sorted(
        Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name)
    )
    if found and (found[-1] / "initdb").exists():
        return found[-1]
    other = shutil.which("initdb")
    return Path(other).parent if other else None


def missing() -> str | None:
    """Say in a line what lacks for a cluster; None where nothing does."""
    if binaries() is None:
        return "no PostgreSQL: apt-get install postgresql"
    if os.geteuid() == 0:
        try:
            pwd.getpwnam("postgres")
        except KeyError:
            return "PostgreSQL does not run as root, and there is no user 'postgres'"
    return None


@contextmanager
def cluster() -> Iterator[Cluster]:
    """Run a cluster, or skip the test where there is no PostgreSQL."""
    lack = missing()
    if lack is not None:
        if os.environ.get("LUPOM_REQUIRE_POSTGRES") == "1":
            pytest.fail(lack)
        pytest.skip(lack)
    programs = binaries()
    assert programs is not None
    with tempfile.TemporaryDirectory(prefix="lupom-postgres-", ignore_cleanup_errors=True) as name:
        made = Cluster(programs, Path(name))
        made.make()
        made.start()
        try:
            yield made
        finally:
            made.stop()
