"""What a project's sources are now: asked once a run, fetched only where they changed."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from lupom.engine.errors import SourceError, StoreError, did_you_mean
from lupom.engine.hashes import FileHashes, Seal, digest, stamped
from lupom.engine.project.nodes import Properties
from lupom.engine.project.s3 import S3Settings
from lupom.engine.project.sources import Source
from lupom.engine.sources import reading
from lupom.engine.sources.cache import Cache, Copy
from lupom.engine.sources.s3 import S3, Object
from lupom.engine.store.attached import attach
from lupom.engine.store.contents import content_hash
from lupom.engine.store.dialect import RULES
from lupom.engine.store.instances import instance
from lupom.engine.store.names import quoted
from lupom.engine.store.relations import relation_kinds

A = TypeVar("A")
B = TypeVar("B")

_UNFETCHED = "unfetched: "


@dataclass(slots=True)
class Found:
    """What a check found of a source.

    Attributes
    ----------
    identity : hash of its contents and of how they are read; for objects that are not fetched
        yet, of their ETags.
    objects : for a source on S3.
    modified : when it last changed, in seconds since 1970; None for a table.
    seals : of files on this disk, which others may write to.
    types : of columns of CSV that are not text; None as long as nobody read the file.
    """

    identity: str
    paths: tuple[Path, ...] = ()
    objects: tuple[Object, ...] = ()
    modified: float | None = None
    seals: tuple[Seal, ...] = ()
    types: dict[str, str] | None = None


class Sources:
    """The sources of a project.

    Parameters
    ----------
    declared : source and properties by name.
    folder : the project's folder for state; copies of objects go below it.
    pause : called with seconds before a request is made again.
    """

    def __init__(
        self,
        declared: Mapping[str, tuple[Source, Properties]],
        folder: Path,
        hashes: FileHashes,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._declared = declared
        self._cache = Cache(folder / "cache" / "s3")
        self._hashes = hashes
        self._pause = pause
        self._lock = threading.RLock()
        self._lock_of_connections = threading.Lock()
        self._found: dict[str, Found] = {}
        self._connections: dict[S3Settings, S3] = {}
        # DuckDB files that the store's connections attach, by name there.
        self.attached: dict[str, Path] = {}

    def check(
        self,
        names: Iterable[str],
        *,
        offline: bool = False,
        fetch: bool = False,
        note: Callable[[str], None] | None = None,
    ) -> None:
        """Find out what sources are now: one HEAD or listing each on S3, contents of files.

        Parameters
        ----------
        offline : ask nobody; objects are those of the last check, as far as they were fetched.
        fetch : download what is not here yet, so that identities are of contents.
        note : told how much is to be fetched.

        Raises SourceError, with the file and line of the source, for what is not there.
        """
        wanted = [n for n in dict.fromkeys(names) if not self.of_store(n)]
        with self._lock:
            remote = [n for n in wanted if self._declared[n][0].url is not None]
            for name in wanted:
                if name not in remote:
                    self._found[name] = self._within(name, self._local)
            if offline:
                for name in remote:
                    self._found[name] = self._within(name, self._noted)
            else:
                asked = self._parallel(remote, self._ask)
                self._found.update(zip(remote, asked, strict=True))
            if fetch:
                self._fetch(remote, note)

    def of_store(self, name: str) -> bool:
        """Tell whether a source is a table of the project's own store."""
        source = self._declared[name][0]
        return not (source.file or source.pattern or source.url or source.database)

    def found(self, name: str) -> Found:
        """Return what is known of a source; asks if nothing is."""
        with self._lock:
            if name not in self._found:
                self.check([name])
            return self._found[name]

    def identity(self, name: str) -> str | None:
        """Return a source's identity as of the last check; None when it was never asked for."""
        with self._lock:
            if name not in self._found:
                try:
                    self.check([name], offline=True)
                except (SourceError, StoreError):
                    return None
            return self._found[name].identity

    def changed(self, names: Iterable[str]) -> set[str]:
        """Return those of some sources whose files were written to since they were last asked for.

        Files come and gone count too. An object on S3 is read from a copy that nobody writes to.
        """
        with self._lock:
            known = {name: self._found[name] for name in names if name in self._found}
        return {
            name
            for name, found in known.items()
            if not all(seal.holds() for seal in found.seals)
            or (self._declared[name][0].pattern and self._paths_now(name) != found.paths)
        }

    def _paths_now(self, name: str) -> tuple[Path, ...]:
        try:
            return tuple(local_paths(self._declared[name][0]))
        except SourceError:
            return ()

    def relation(self, name: str) -> str:
        """Return the SQL relation of a source, fetched and looked at.

        Raises SourceError for a file that cannot be read to its end.
        """
        source = self._declared[name][0]
        if self.of_store(name):
            return quoted(source.schema, source.identifier)
        if source.database is not None:
            return quoted(_alias(source.database), source.schema, source.identifier)
        with self._lock:
            found = self.found(name)
            if source.url is not None and found.identity.startswith(_UNFETCHED):
                self._fetch([name], None)
                found = self._found[name]
            if found.types is None:
                found.types = self._within(name, lambda s: reading.types_of(s, found.paths))
            return reading.select(source, found.paths, found.types)

    def named(self, name: str) -> str:
        """Return the SQL relation of a source for people: nothing is asked, fetched or read."""
        source = self._declared[name][0]
        if source.file is not None:
            return reading.select(source, [source.file])
        if source.pattern or source.url:
            return reading.select(source, [Path("SOURCE")]).replace("SOURCE", source.place)
        return self.relation(name)

    def _within(self, name: str, work: Callable[[Source], A]) -> A:
        """Do work for a source; an error gets the place where the source is declared."""
        source, properties = self._declared[name]
        try:
            return work(source)
        except (SourceError, StoreError) as error:
            if error.file is None:
                error.file, error.line = properties.file, properties.line
            raise

    def _local(self, source: Source) -> Found:
        if source.database is not None:
            return self._table(source)
        paths = local_paths(source)
        modified = max(path.stat().st_mtime for path in paths)
        seals = tuple(self._hashes.sealed(path) for path in paths)
        identity = local_identity(source, seals)
        return Found(identity, tuple(paths), modified=modified, seals=seals)

    def _table(self, source: Source) -> Found:
        """Hash a table of another DuckDB file, opened for this moment and read-only."""
        assert source.database is not None
        if not source.database.is_file():
            raise SourceError(
                f"the database of source '{source.name}' is not there: {source.database}"
            )
        alias = _alias(source.database)
        database = source.database
        seals = tuple(stamped(Path(f"{database}{end}")) for end in ("", ".wal"))
        with instance() as connection:
            attach(connection, alias, source.database)
            connection.execute(f"use {alias}")
            kinds = relation_kinds(connection, source.schema)
            if source.identifier not in kinds:
                raise SourceError(
                    f"the source '{source.name}' is not there: no table {source.place}",
                    hint=did_you_mean(source.identifier, kinds)
                    or "tables: " + (", ".join(sorted(kinds)[:20]) or "none"),
                )
            identity = content_hash(connection, source.identifier, source.schema)[0]
        self.attached[alias] = source.database
        return Found(identity, modified=source.database.stat().st_mtime, seals=seals)

    def _ask(self, name: str) -> Found:
        def ask(source: Source) -> Found:
            assert source.url is not None
            s3 = self._s3(source)
            try:
                if "*" in source.url or "?" in source.url:
                    objects = tuple(s3.listing(source.url))
                else:
                    objects = (s3.head(source.url),)
            except SourceError as error:
                noted = self._cache.noted(s3.address, source.url)
                if noted is not None and all(self._cache.find(s3.address, o) for o in noted[1]):
                    # Never taken by itself: an answer from old data is worse than none.
                    said = f"--offline takes the copy of {_date(noted[0])}"
                    error.hint = f"{error.hint}; {said}" if error.hint else said
                raise
            self._cache.note(s3.address, source.url, objects)
            return self._of_objects(source, objects)

        return self._within(name, ask)

    def _noted(self, source: Source) -> Found:
        assert source.url is not None
        address = self._s3(source).address
        noted = self._cache.noted(address, source.url)
        if noted is None:
            raise SourceError(f"{source.url} was never fetched", hint="run without --offline")
        missing = [o for o in noted[1] if self._cache.find(address, o) is None]
        if missing:
            raise SourceError(f"{missing[0].url} was not fetched", hint="run without --offline")
        return self._of_objects(source, noted[1])

    def _of_objects(self, source: Source, objects: tuple[Object, ...]) -> Found:
        address = self._s3(source).address
        modified = max(o.modified for o in objects)
        copies = [self._cache.find(address, o) for o in objects]
        there = [copy for copy in copies if copy is not None]
        if len(there) < len(objects):
            state = [[o.key, o.etag, o.size] for o in objects]
            return Found(_UNFETCHED + digest(state), objects=objects, modified=modified)
        contents = [[o.key, copy.sha256] for o, copy in zip(objects, there, strict=True)]
        return Found(
            _with_reading(source, digest(contents)),
            tuple(copy.path for copy in there),
            objects,
            modified,
        )

    def _fetch(self, names: list[str], note: Callable[[str], None] | None) -> None:
        """Download objects that are not here, all sources' in parallel; none is half a source."""
        work: dict[tuple[str, str, str, str], tuple[str, S3, Object]] = {}
        for name in names:
            s3 = self._s3(self._declared[name][0])
            for wanted in self._found[name].objects:
                if self._cache.find(s3.address, wanted) is None:
                    key = (s3.address, wanted.bucket, wanted.key, wanted.etag)
                    work.setdefault(key, (name, s3, wanted))
        if work:
            size = sum(wanted.size for _, _, wanted in work.values())
            many = "1 object" if len(work) == 1 else f"{len(work)} objects"
            if note is not None:
                note(f"fetching {many}, {size / 1e6:.1f} MB, from S3")
            self._parallel(list(work.values()), self._download)
        for name in names:
            source = self._declared[name][0]
            if self._found[name].identity.startswith(_UNFETCHED):
                self._found[name] = self._of_objects(source, self._found[name].objects)

    def _download(self, task: tuple[str, S3, Object]) -> Copy:
        name, s3, wanted = task
        return self._within(
            name,
            lambda _: self._cache.add(s3.address, wanted, lambda path: s3.download(wanted, path)),
        )

    def _parallel(self, tasks: list[A], work: Callable[[A], B]) -> list[B]:
        """Do work in threads; the first error in the order of tasks ends it, and none is begun."""
        if not tasks:
            return []
        places = max(s3.concurrency for s3 in self._settings())
        pool = ThreadPoolExecutor(min(places, len(tasks)), thread_name_prefix="sources")
        try:
            futures = [pool.submit(work, task) for task in tasks]
            return [future.result() for future in futures]
        finally:
            pool.shutdown(cancel_futures=True)

    def _settings(self) -> list[S3Settings]:
        return [s.s3 for s, _ in self._declared.values() if s.s3 is not None] or [S3Settings()]

    def _s3(self, source: Source) -> S3:
        settings = source.s3 or S3Settings()
        with self._lock_of_connections:
            if settings not in self._connections:
                self._connections[settings] = S3(settings, self._pause)
            return self._connections[settings]


def local_paths(source: Source) -> list[Path]:
    """Return the files of a source on this disk; raises SourceError when there is none."""
    if source.file is not None:
        if not source.file.is_file():
            raise SourceError(f"the file of source '{source.name}' is not there: {source.file}")
        return [source.file]
    assert source.pattern is not None
    assert source.folder is not None
    inner = Path(source.pattern).relative_to(source.folder).as_posix()
    paths = sorted(path for path in source.folder.glob(inner) if path.is_file())
    if not paths:
        raise SourceError(f"no file of source '{source.name}' matches {source.pattern}")
    return paths


def local_identity(source: Source, seals: Sequence[Seal]) -> str:
    """Return the hash of files' contents and of how they are read."""
    contents = [[seal.path.name, seal.hash] for seal in seals]
    alone = source.file is not None
    return _with_reading(source, contents[0][1] if alone else digest(contents))


def _with_reading(source: Source, contents: str) -> str:
    rules = {"csv": [RULES], "json": [RULES, reading.JSON_RULES]}.get(source.format, [])
    return digest(contents, source.format, dict(source.reading), *rules)


def _alias(path: Path) -> str:
    return f"lupom_source_{digest(str(path))[:12]}"


def _date(at: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(at))
