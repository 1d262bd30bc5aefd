"""Objects fetched from S3, kept by bucket, key and ETag, so that none is fetched twice."""

from __future__ import annotations

import json
import re
import shutil
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from lupom.engine.files import replacing
from lupom.engine.hashes import digest
from lupom.engine.sources.s3 import Object

_NOTE = "object.json"
# The version before is kept too: a view that was built on it stands until its run is through.
_VERSIONS = 2


@dataclass(frozen=True, slots=True)
class Copy:
    """An object's bytes on this disk, and their SHA-256."""

    path: Path
    sha256: str


class Cache:
    """A folder of fetched objects.

    Each version has a folder of its own, which is put in its place whole: a process that is killed
    leaves nothing that looks like an object.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def find(self, address: str, wanted: Object) -> Copy | None:
        """Return the copy of just this version of an object, None when there is none."""
        version = self._version(address, wanted)
        try:
            note = json.loads((version / _NOTE).read_text(encoding="utf-8"))
            path = version / "data" / _basename(wanted.key)
            if path.stat().st_size == note["size"] == wanted.size:
                return Copy(path, str(note["sha256"]))
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return None

    def add(self, address: str, wanted: Object, download: Callable[[Path], str]) -> Copy:
        """Keep what `download` writes to the path it is given; it returns the SHA-256."""
        version = self._version(address, wanted)
        version.parent.mkdir(parents=True, exist_ok=True)
        partial = Path(tempfile.mkdtemp(prefix=".partial-", dir=version.parent))
        try:
            path = partial / "data" / _basename(wanted.key)
            path.parent.mkdir()
            note = {**asdict(wanted), "sha256": download(path), "fetched_at": time.time()}
            (partial / _NOTE).write_text(json.dumps(note), encoding="utf-8")
            if version.exists():
                shutil.rmtree(version, ignore_errors=True)
            try:
                partial.replace(version)
            except OSError:
                # Another process was faster: what it put there is the same object.
                if self.find(address, wanted) is None:
                    raise
        finally:
            shutil.rmtree(partial, ignore_errors=True)
        self._thin(version.parent)
        copy = self.find(address, wanted)
        assert copy is not None
        return copy

    def note(self, address: str, url: str, objects: tuple[Object, ...]) -> None:
        """Write down what S3 said stands at a source's URL, for runs without a network."""
        path = self._check(address, url)
        text = json.dumps({"at": time.time(), "objects": [asdict(o) for o in objects]})
        with suppress(OSError), replacing(path) as part:
            part.write_text(text, encoding="utf-8")

    def noted(self, address: str, url: str) -> tuple[float, tuple[Object, ...]] | None:
        """Return when S3 was last asked about a URL, and what it said; None if it never was."""
        try:
            data = json.loads(self._check(address, url).read_text(encoding="utf-8"))
            return float(data["at"]), tuple(Object(**entry) for entry in data["objects"])
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def _version(self, address: str, wanted: Object) -> Path:
        of_key = digest(address, wanted.bucket, wanted.key)[:20]
        return self._folder / "objects" / of_key / digest(wanted.etag, wanted.size)[:20]

    def _check(self, address: str, url: str) -> Path:
        return self._folder / "checks" / f"{digest(address, url)[:20]}.json"

    def _thin(self, folder: Path) -> None:
        versions = [p for p in folder.iterdir() if (p / _NOTE).is_file() and p.name[0] != "."]
        versions.sort(key=lambda p: (p / _NOTE).stat().st_mtime_ns, reverse=True)
        for version in versions[_VERSIONS:]:
            shutil.rmtree(version, ignore_errors=True)


def _basename(key: str) -> str:
    """Return a key's last part as a file name that is neither a path nor a pattern of DuckDB's."""
    return re.sub(r"[^A-Za-z0-9._-]", "_", key.rsplit("/", 1)[-1])[-120:].lstrip(".") or "object"
